"""docs/mqtt.md and docs/asyncapi.yaml say what the code does."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.mqtt.accounts import hub_account, station_account
from gateway.mqtt.mosquitto import acl_text
from gateway.mqtt.nats_config import subject
from gateway.wire.batch import (
    Acknowledgement,
    SessionCommand,
    StationCommand,
    StationConfig,
    StationStatus,
    decode_batch,
    decode_body,
)
from gateway.wire.seal import Signer, unseal
from gateway.wire.topics import DOWN, UP, StationTopics, alert_topic

DOCS = Path(__file__).resolve().parents[2] / "docs"
CONTRACT = (DOCS / "mqtt.md").read_text()
ASYNCAPI = (DOCS / "asyncapi.yaml").read_text()
EXAMPLES = dict(re.findall(r"```json ([a-z-]+)\n(.*?)```", CONTRACT, re.DOTALL))
# The key of the documented signature: bytes 0 to 31, plainly no secret.
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("acknowledgement", Acknowledgement),
        ("status", StationStatus),
        ("session-command", SessionCommand),
        ("station-config", StationConfig),
        ("station-command", StationCommand),
    ],
)
def test_each_example_is_valid_and_has_no_unknown_field(
    name: str, type_: type[Any]
) -> None:
    decoded = msgspec.json.decode(EXAMPLES[name], type=type_)
    again = msgspec.json.decode(msgspec.json.encode(decoded))
    assert again == msgspec.json.decode(EXAMPLES[name])


def test_the_documented_batch_verifies_and_decodes() -> None:
    compact = msgspec.json.format(EXAMPLES["sealed-batch"].encode(), indent=0)
    compact = msgspec.json.format(compact, indent=-1)
    topic = StationTopics("demo", "kiosk-1").up("readings")
    body = unseal(topic, compact, SIGNER.public_key)
    batch = decode_batch(body, waveforms=False)
    (entry,) = batch.entries
    decode_body(entry.type, entry.body)


def test_every_topic_is_in_both_documents() -> None:
    topics = [f"vitalgate/v1/{{site}}/{{station}}/up/{name}" for name in UP]
    topics += [f"vitalgate/v1/{{site}}/{{station}}/down/{name}" for name in DOWN]
    topics.append(alert_topic("{site}", "{team}"))
    rows = re.findall(r"^\| `(vitalgate/[^`]+)` \|", CONTRACT, re.MULTILINE)
    assert rows == topics
    addresses = re.findall(r"^    address: (\S+)$", ASYNCAPI, re.MULTILINE)
    assert addresses == topics


def test_every_reference_of_asyncapi_has_its_target() -> None:
    section, defined = "", set()
    for line in ASYNCAPI.splitlines():
        if match := re.match(r"^( {0,2})(\w+):", line):
            if not match[1]:
                section = match[2]
            elif section != "components":
                defined.add(f"#/{section}/{match[2]}")
            else:
                part = match[2]
        if section == "components" and (match := re.match(r"^    (\w+):", line)):
            defined.add(f"#/components/{part}/{match[1]}")
    references = set(re.findall(r'\$ref: "([^"]+)"', ASYNCAPI))
    assert references
    assert references <= defined


def test_the_documented_permissions_are_the_real_ones() -> None:
    station = station_account("demo", "kiosk-1", "an-invented-password")
    assert acl_text([station]).strip() in CONTRACT
    for topic in (*station.publish, *station.subscribe):
        assert f'"{subject(topic)}"' in CONTRACT
    hub = hub_account("an-invented-password")
    row = next(x for x in CONTRACT.splitlines() if x.startswith("| `.hub`"))
    for topic in (*hub.publish, *hub.subscribe):
        assert topic in row or f"`…/{topic.rsplit('/', 1)[1]}`" in row
