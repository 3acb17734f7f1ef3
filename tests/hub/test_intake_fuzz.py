"""No bytes on any topic stop the intake, also when an enrolled station signed them."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from gateway.ports.messaging import Message
from gateway.wire.batch import encode_body
from tests.hub.build import (
    SITE,
    Hub,
    StationModel,
    blood_pressure,
    chunk,
    session_entry,
    technical,
)

TOPICS = st.one_of(
    st.text(),
    st.sampled_from(
        [
            f"vitalgate/v1/{SITE}/{station}/up/{name}"
            for station in ("station-a", "station-b")
            for name in ("readings", "waveforms", "status", "other")
        ]
    ),
)


def sources() -> dict[str, bytes]:
    """Sound bodies by topic, before sealing."""
    model = StationModel()
    readings = model.record(blood_pressure(1), session_entry("s-1"), technical(1))
    waves = model.record(chunk(0))
    sealed = msgspec.json.decode(model.batch(readings).payload, type=dict[str, Raw])
    packed = msgspec.msgpack.decode(
        model.batch(waves, waveforms=True).payload, type=dict[str, Raw]
    )
    return {
        "readings": bytes(sealed["body"]),
        "waveforms": bytes(packed["body"]),
        "status": b'{"schema":1,"station":"station-a","online":true,"depth":3}',
    }


SOURCES = sources()


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A topic, and its sound body with some bytes changed, cut out or put in."""
    name = draw(st.sampled_from(sorted(SOURCES)))
    data = bytearray(SOURCES[name])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        piece = st.one_of(
            st.binary(max_size=8),
            st.sampled_from([b"9" * 20, b"-1", b"\\u0000", b"\\ud800", b"[" * 2_000]),
        )
        data[at : at + draw(st.integers(0, 8))] = draw(piece)
    return name, bytes(data)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    raw=st.lists(st.tuples(TOPICS, st.binary()), max_size=3),
    unsigned=st.lists(mutated(), max_size=2),
    signed=st.lists(mutated(), max_size=4),
    number=st.integers(0, 10**6),
)
async def test_no_bytes_on_any_topic_stop_the_intake(
    hub: Hub,
    station: StationModel,
    raw: list[tuple[str, bytes]],
    unsigned: list[tuple[str, bytes]],
    signed: list[tuple[str, bytes]],
    number: int,
) -> None:
    messages = [
        *(Message(topic=topic, payload=payload) for topic, payload in raw),
        *(Message(topic=station.topics.up(n), payload=data) for n, data in unsigned),
        *(station.sealed(n, data, waveforms=n == "waveforms") for n, data in signed),
    ]
    last = station.record(blood_pressure(number))
    deliveries = await hub.send(*messages, station.batch(last))
    assert all(delivery.is_done for delivery in deliveries)
    # The sound one at the end was taken, whatever came before it.
    assert last[0] in station.acknowledged
    assert encode_body(blood_pressure(number)) in await hub.logged()
    # And what was wrong was seen by us, not only by the database.
    assert "unstorable" not in await hub.letters.counts()
