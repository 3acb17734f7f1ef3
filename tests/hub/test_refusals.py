"""Every reason to refuse: one counted dead letter with its bytes, and nothing stops."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from msgspec import Raw

from gateway.hub import dead_letters
from gateway.hub.dead_letters import MAX_KEPT_BYTES
from gateway.model.session import SessionEnd
from gateway.ports.messaging import Message
from gateway.wire.batch import (
    MAX_ENTRIES_PER_BATCH,
    MAX_PAYLOAD_BYTES,
    SCHEMA,
    Batch,
    BatchEntry,
    StationStatus,
    encode_batch,
    encode_body,
)
from gateway.wire.seal import Signer
from gateway.wire.topics import StationTopics
from tests.hub.build import (
    EPOCH,
    SITE,
    START,
    Hub,
    StationModel,
    blood_pressure,
    chunk,
    session_entry,
    technical,
)


def good(station: StationModel) -> Message:
    return station.batch(station.record(blood_pressure(1)))


def sealed_batch(
    station: StationModel,
    *,
    schema: int = SCHEMA,
    named: str = "station-a",
    epoch: str = EPOCH,
    entries: int = 1,
) -> Message:
    body = encode_body(technical(1))
    batch = Batch(
        schema=schema,
        station=named,
        epoch=epoch,
        sent_at=START,
        entries=[
            BatchEntry(seq=n + 1, type="event", body=Raw(body)) for n in range(entries)
        ],
    )
    return station.sealed("readings", encode_batch(batch, waveforms=False))


def status(model: StationModel, **fields: object) -> Message:
    values = {"schema": SCHEMA, "station": model.id, "online": True} | fields
    return model.sealed("status", msgspec.json.encode(values))


def wrong_key(station: StationModel) -> Message:
    station.signer = Signer.generate()
    return good(station)


def moved(station: StationModel) -> Message:
    """Signed by station-a's key for station-b's topic, then carried to station-a's."""
    theirs = StationTopics(SITE, "station-b").up("readings")
    body = msgspec.json.decode(good(station).payload, type=dict[str, Raw])["body"]
    payload = station.signer.seal(theirs, bytes(body))
    return Message(topic=station.topics.up("readings"), payload=payload)


def at_topic(topic: str) -> Callable[[StationModel], Message]:
    return lambda station: Message(topic=topic, payload=good(station).payload)


def unsealed_status(station: StationModel) -> Message:
    online = StationStatus(schema=SCHEMA, station=station.id, online=True)
    topic = station.topics.up("status")
    return Message(topic=topic, payload=msgspec.json.encode(online))


NESTED = b'{"key":"a","sig":"","body":' + b"[" * 90_000 + b"]" * 90_000 + b"}"

MESSAGES: dict[str, tuple[str, Callable[[StationModel], Message]]] = {
    "too-large": (
        "oversized",
        lambda s: Message(
            topic=s.topics.up("readings"), payload=b"x" * (MAX_PAYLOAD_BYTES + 1)
        ),
    ),
    "no-topic-of-ours": ("topic", at_topic("home/lamp")),
    "a-down-topic": ("topic", at_topic(f"vitalgate/v1/{SITE}/station-a/down/ack")),
    "no-identifier": ("topic", at_topic(f"vitalgate/v1/{SITE}/Station A/up/readings")),
    "nul-in-topic": ("topic", at_topic("vitalgate\0\udc80")),
    "no-such-station": (
        "unknown-station",
        at_topic(f"vitalgate/v1/{SITE}/station-x/up/readings"),
    ),
    "another-site": (
        "unknown-station",
        at_topic("vitalgate/v1/site-other/station-a/up/readings"),
    ),
    "not-sealed": (
        "seal",
        lambda s: Message(topic=s.topics.up("readings"), payload=b"{}"),
    ),
    "empty": ("seal", lambda s: Message(topic=s.topics.up("readings"), payload=b"")),
    "nested": (
        "seal",
        lambda s: Message(topic=s.topics.up("readings"), payload=NESTED),
    ),
    "nested-status": (
        "seal",
        lambda s: Message(topic=s.topics.up("status"), payload=NESTED),
    ),
    "json-among-waveforms": (
        "seal",
        lambda s: s.sealed("waveforms", b"{}", waveforms=False),
    ),
    "wrong-key": ("signature", wrong_key),
    "moved-to-another-topic": ("signature", moved),
    "other-schema": ("schema-version", lambda s: sealed_batch(s, schema=2)),
    "status-of-other-schema": ("schema-version", lambda s: status(s, schema=2)),
    "no-batch": ("batch", lambda s: s.sealed("readings", b'{"schema":1}')),
    "batch-not-an-object": ("batch", lambda s: s.sealed("readings", b"[]")),
    "no-epoch": ("batch", lambda s: sealed_batch(s, epoch="")),
    "unprintable-epoch": ("batch", lambda s: sealed_batch(s, epoch="a\0b")),
    "status-malformed": ("batch", lambda s: status(s, online="yes")),
    "status-without-zone": ("batch", lambda s: status(s, at="2026-03-02T08:00:00")),
    "too-many-entries": (
        "batch-size",
        lambda s: sealed_batch(s, entries=MAX_ENTRIES_PER_BATCH + 1),
    ),
    "names-another-station": (
        "station-mismatch",
        lambda s: sealed_batch(s, named="station-b"),
    ),
    "status-of-another": (
        "station-mismatch",
        lambda s: status(s, station="station-b"),
    ),
    "status-unsealed-online": ("seal", unsealed_status),
}


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_refused_message_is_one_counted_letter_with_its_bytes(
    hub: Hub, station: StationModel, name: str
) -> None:
    reason, make = MESSAGES[name]
    sound = station.batch(station.record(technical(7)))
    message = make(station)
    deliveries = await hub.send(message, sound, message)
    assert all(delivery.is_done for delivery in deliveries)
    (letter,) = await hub.letters.newest(10)
    assert (letter.reason, letter.count) == (reason, 2)
    assert letter.payload == message.payload[:MAX_KEPT_BYTES]
    assert ("not kept" in letter.detail) == (len(message.payload) > MAX_KEPT_BYTES)
    assert letter.entry_type == ""
    assert hub.metric("vitalgate_refused_total", reason=reason) == 2
    # The sound one beside it was taken, and only it was acknowledged.
    assert await hub.logged() == [encode_body(technical(7))]
    assert [(a.upto, a.ranges) for a in hub.acks.sent] == [(1, [])]
    assert not await hub.intake.replay(letter.id)


def changed(body: bytes, old: bytes, new: bytes) -> bytes:
    assert old in body
    return body.replace(old, new)


READING = encode_body(blood_pressure(2))
SESSION = encode_body(session_entry("s-1", end=SessionEnd.IDLE))
ENTRIES: dict[str, tuple[str, str, bytes]] = {
    "not-an-object": ("entry", "reading", b"1"),
    "missing-fields": ("entry", "reading", b"{}"),
    "nested": ("entry", "reading", b'{"id":' + b"[" * 900 + b"]" * 900 + b"}"),
    "bad-enum": ("entry", "reading", changed(READING, b'"kiosk"', b'"Invented Name"')),
    "no-zone": ("entry", "reading", changed(READING, b"08:00:02Z", b"08:00:02")),
    "not-a-number": ("entry", "reading", changed(READING, b'"128"', b'"sNaN"')),
    "infinite": ("entry", "reading", changed(READING, b'"128"', b'"Infinity"')),
    "a-million-digits": ("entry", "reading", changed(READING, b'"128"', b'"1e999999"')),
    "nul-in-text": ("entry", "reading", changed(READING, b"test/1", b"test\\u0000")),
    "session-id-long": ("entry", "session", changed(SESSION, b"s-1", b"s" * 64)),
    "session-no-zone": (
        "entry",
        "session",
        changed(
            SESSION,
            b'opened_at":"2026-03-02T08:00:00Z',
            b'opened_at":"2026-03-02T08:00:00',
        ),
    ),
    "unknown-type": ("entry-type", "diary", b"{}"),
    "type-with-text": ("entry-type", "Diary: of\0 Invented Name", b"{}"),
    "waveform-among-readings": ("entry-type", "waveform", b"{}"),
    "of-another-station": (
        "station-mismatch",
        "reading",
        encode_body(blood_pressure(2, station="station-b")),
    ),
    "session-of-another": (
        "station-mismatch",
        "session",
        encode_body(session_entry("s-1", station="station-b")),
    ),
}


@pytest.mark.parametrize("name", ENTRIES)
async def test_a_bad_entry_costs_one_letter_and_not_the_batch(
    hub: Hub, station: StationModel, name: str
) -> None:
    reason, type_, body = ENTRIES[name]
    station.record(blood_pressure(1))
    station.record_bytes(type_, body)
    station.record(blood_pressure(3))
    await hub.send(station.batch([1, 2, 3]))
    assert await hub.logged() == [
        encode_body(blood_pressure(1)),
        encode_body(blood_pressure(3)),
    ]
    # The bad one is held too, as a letter: the station may free it.
    assert station.unacknowledged == []
    (letter,) = await hub.letters.newest(10)
    assert (letter.reason, letter.payload) == (reason, body)
    assert letter.station == "station-a"
    assert letter.entry_type
    assert "Invented Name" not in letter.detail
    assert hub.metric("vitalgate_refused_total", reason=reason) == 1
    assert not await hub.intake.replay(letter.id)
    assert await hub.letters.counts() == {reason: 1}


async def test_a_bad_recording_costs_one_letter(
    hub: Hub, station: StationModel
) -> None:
    station.record(chunk(0))
    for field, value in [
        ("count", -1),
        ("count", 60_001),
        ("index", -1),
        ("index", 2**63),
        ("rate", 0.0),
        ("rate", float("nan")),
        ("rate", float("inf")),
        ("stream", "a\0b"),
        ("session", "s" * 64),
    ]:
        bad = msgspec.structs.replace(chunk(150), **{field: value})
        station.record_bytes("waveform", msgspec.msgpack.encode(bad))
    station.record_bytes("reading", msgspec.msgpack.encode(blood_pressure(1)))
    await hub.send(station.batch(station.journal, waveforms=True))
    assert await hub.logged() == [encode_body(chunk(0))]
    assert await hub.letters.counts() == {"entry": 9, "entry-type": 1}
    assert station.unacknowledged == []


async def test_plausibility_is_no_reason(hub: Hub, station: StationModel) -> None:
    """Implausible values are kept: another part flags them."""
    bodies = [
        blood_pressure(n, systolic=value)
        for n, value in enumerate([Decimal(-5), Decimal(0), Decimal("1e6")])
    ]
    await hub.send(station.batch(station.record(*bodies)))
    assert await hub.logged() == [encode_body(body) for body in bodies]


async def test_letters_are_bounded_and_still_counted(
    hub: Hub, station: StationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "MAX_LETTERS", 2)
    topic = station.topics.up("readings")
    for n in (1, 2, 3, 4, 1):
        await hub.send(Message(topic=topic, payload=b"%d" % n))
    letters = await hub.letters.newest(10)
    assert [(item.payload, item.count) for item in letters] == [(b"2", 1), (b"1", 2)]
    assert hub.metric("vitalgate_refused_total", reason="seal") == 5
    older = await hub.letters.newest(10, before=letters[0].id)
    assert [item.payload for item in older] == [b"1"]
