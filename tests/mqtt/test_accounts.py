"""Accounts: least privilege, private files, damaged books."""

from pathlib import Path

import msgspec
import pytest

from gateway.errors import ConfigurationError, WireError
from gateway.mqtt.accounts import (
    HUB,
    PROBE,
    AccountBook,
    BrokerAccount,
    reader_account,
    station_account,
    write_private,
)
from gateway.mqtt.nats_config import BrokerLimits, nats_config, subject

PASSWORD = "an-invented-password"


def test_a_station_has_its_own_topics_and_no_wildcard_to_publish() -> None:
    account = station_account("demo", "s1", PASSWORD)
    assert set(account.publish) == {
        "vitalgate/v1/demo/s1/up/readings",
        "vitalgate/v1/demo/s1/up/waveforms",
        "vitalgate/v1/demo/s1/up/status",
    }
    assert account.subscribe == ("vitalgate/v1/demo/s1/down/+",)


def test_a_reader_hears_its_teams_and_says_nothing() -> None:
    account = reader_account("screen", PASSWORD, [("demo", "team-a")])
    assert account.publish == ()
    assert account.subscribe == ("vitalgate/v1/demo/alerts/team-a",)


@pytest.mark.parametrize("name", ["", "A", "a/b", "a.b", "+", "#", "a b", "a" * 64])
def test_names_that_are_not_one_topic_level_are_refused(name: str) -> None:
    with pytest.raises(WireError):
        station_account("demo", name, PASSWORD)
    with pytest.raises(WireError):
        station_account(name, "s1", PASSWORD)


def test_the_book_survives_and_keeps_passwords(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    book = AccountBook(path)
    first = book.add_station("demo", "s1")
    assert path.stat().st_mode & 0o777 == 0o600
    again = AccountBook(path)
    assert again.accounts == book.accounts
    assert again.add_station("other", "s1").password == first.password
    assert again.get("s1") != first
    assert {a.name for a in again.accounts} == {HUB, PROBE, "s1"}


def test_the_hubs_own_accounts_cannot_be_removed(tmp_path: Path) -> None:
    book = AccountBook(tmp_path / "accounts.json")
    assert not book.remove(HUB)
    assert not book.remove(PROBE)
    assert not book.remove("nobody")
    assert book.hub.name == HUB


@pytest.mark.parametrize("password", ["short", "$2a$11$looks-like-bcrypt", "a b" * 9])
def test_weak_or_ambiguous_passwords_are_refused(tmp_path: Path, password: str) -> None:
    book = AccountBook(tmp_path / "accounts.json")
    with pytest.raises(ConfigurationError, match="password"):
        book.add_station("demo", "s1", password)
    with pytest.raises(ConfigurationError, match="name"):
        book.put(BrokerAccount(name=".root", password=PASSWORD))


def test_a_damaged_book_is_named(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text("{")
    with pytest.raises(ConfigurationError, match=r"accounts\.json"):
        AccountBook(path)


def test_a_file_left_by_a_crash_does_not_stop_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / "file.new").write_text("half")
    write_private(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert path.stat().st_mode & 0o777 == 0o600


def test_nats_denies_what_is_not_listed(tmp_path: Path) -> None:
    config = msgspec.json.decode(
        nats_config(
            [BrokerAccount(name="mute", password=PASSWORD)],
            directory=tmp_path,
            host="127.0.0.1",
            port=1,
            limits=BrokerLimits(),
        )
    )
    (user,) = config["accounts"]["vitalgate"]["users"]
    # An empty list would allow everything.
    assert user["permissions"]["publish"]["allow"]
    assert user["permissions"]["subscribe"]["allow"]
    assert user["allowed_connection_types"] == ["MQTT"]
    assert config["host"] == "127.0.0.1"
    assert config["jetstream"]["sync_interval"] == "always"
    assert subject("vitalgate/v1/+/s-1/up/+") == "vitalgate.v1.*.s-1.up.*"
