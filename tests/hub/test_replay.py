"""Dead letters that can be understood later."""

import pytest

from gateway.errors import NotFoundError
from gateway.hub import receipt as receipt_module
from gateway.hub.receipt import read_entry
from gateway.wire.batch import decode_body, encode_body
from tests.hub.build import Hub, StationModel, blood_pressure, session_entry, technical


async def test_a_message_from_before_the_enrolment(hub: Hub) -> None:
    model = StationModel()
    hub.acks.stations[model.id] = model
    model.record(blood_pressure(1))
    model.record_bytes("reading", b"{}")
    model.record(session_entry("s-1"))
    await hub.send(model.batch([1, 2, 3]))
    assert hub.acks.sent == []
    (letter,) = await hub.letters.newest(10)
    assert letter.reason == "unknown-station"
    await hub.enrol(model)
    assert await hub.intake.replay(letter.id)
    # The good entries are in, the bad one has become a letter of its own.
    assert len(await hub.logged()) == 2
    assert model.unacknowledged == []
    assert await hub.letters.counts() == {"entry": 1}
    replayed = await hub.letters.get(letter.id)
    assert replayed.replayed_at is not None
    # Again: nothing twice.
    assert await hub.intake.replay(letter.id)
    assert len(await hub.logged()) == 2


async def test_an_entry_that_a_newer_release_understands(
    hub: Hub, station: StationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = technical(1)
    real = decode_body
    too_old = {"event"}

    def decode(type_, data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - a patch
        return real("unknown" if type_ in too_old else type_, data)

    monkeypatch.setattr(receipt_module, "decode_body", decode)
    await hub.send(station.batch(station.record(event)))
    (letter,) = await hub.letters.newest(10)
    assert (letter.reason, letter.entry_type) == ("entry-type", "event")
    assert not await hub.intake.replay(letter.id)
    too_old.clear()
    acknowledged = len(hub.acks.sent)
    assert await hub.intake.replay(letter.id)
    assert await hub.logged() == [encode_body(event)]
    assert (await hub.log.read(0, 10))[0].body == event
    assert len(hub.acks.sent) == acknowledged
    assert await hub.letters.counts() == {}
    assert read_entry("event", letter.payload, "readings", station.id).body == event


async def test_a_status_of_the_past_is_understood_and_not_kept(hub: Hub) -> None:
    model = StationModel()
    await hub.send(
        model.sealed("status", b'{"schema":1,"station":"station-a","online":true}')
    )
    await hub.enrol(model)
    (letter,) = await hub.letters.newest(10)
    heard: list[object] = []
    hub.intake._on_status = heard.append
    assert await hub.intake.replay(letter.id)
    assert heard == []


async def test_bytes_refused_again_are_to_be_seen_again(
    hub: Hub, station: StationModel
) -> None:
    message = station.sealed("readings", b"{}")
    await hub.send(message)
    (letter,) = await hub.letters.newest(10)
    await hub.letters.mark_replayed(letter.id, hub.clock.now())
    assert await hub.letters.counts() == {}
    await hub.send(message)
    assert await hub.letters.counts() == {"batch": 1}


async def test_there_is_no_such_letter(hub: Hub) -> None:
    with pytest.raises(NotFoundError):
        await hub.intake.replay(1)
