"""Mosquitto as the external broker: the files, and what only it does."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.mqtt.accounts import BrokerAccount, station_account
from gateway.mqtt.mosquitto import acl_text, password_line, write_mosquitto_files
from gateway.wire.topics import UP_FILTER
from tests.mqtt.site import eventually, everything, running_mosquitto

PASSWORD = "an-invented-password"


def test_the_acl_names_each_topic() -> None:
    assert acl_text([station_account("demo", "s1", PASSWORD)]).splitlines() == [
        "user s1",
        "topic write vitalgate/v1/demo/s1/up/readings",
        "topic write vitalgate/v1/demo/s1/up/waveforms",
        "topic write vitalgate/v1/demo/s1/up/status",
        "topic read vitalgate/v1/demo/s1/down/+",
    ]


def test_passwords_are_hashed_with_their_salt() -> None:
    line = password_line(BrokerAccount(name="s1", password=PASSWORD), b"0123456789ab")
    name, hashed = line.split(":")
    _, kind, rounds, salt, digest = hashed.split("$")
    assert (name, kind, rounds) == ("s1", "7", "101")
    expected = hashlib.pbkdf2_hmac(
        "sha512", PASSWORD.encode(), base64.b64decode(salt), 101
    )
    assert base64.b64decode(digest) == expected
    assert PASSWORD not in line


def test_the_files_are_private_and_deny_by_default(tmp_path: Path) -> None:
    files = write_mosquitto_files(
        tmp_path,
        [station_account("demo", "s1", PASSWORD)],
        host="127.0.0.1",
        port=1883,
        client_ca=Path("/etc/ca.pem"),
    )
    text = files.config.read_text().splitlines()
    assert "allow_anonymous false" in text
    assert "require_certificate true" in text
    assert "use_username_as_clientid true" in text
    for file in (files.config, files.passwords, files.acl):
        assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.services
async def test_a_client_id_is_bound_to_its_account(
    require_service: Callable[[str], str], tmp_path: Path
) -> None:
    program = require_service("mosquitto")
    async with running_mosquitto(program, tmp_path / "m") as site:
        hub = await site.bus(site.book.hub, client_id="hub-1", subscribe=(UP_FILTER,))
        thief = await site.bus(site.account("s2"), client_id="hub-1")
        one = await site.bus(site.account("s1"))
        await one.publish("vitalgate/v1/demo/s1/up/readings", b"private")
        heard = await everything(hub)
        assert [d.message.payload for d in heard] == [b"private"]
        assert await everything(thief) == []
        await eventually(lambda: hub.connected and thief.connected)
