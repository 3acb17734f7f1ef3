"""Deliveries in, log entries and acknowledgements out, whatever happens between."""

import asyncio
from contextlib import suppress

import msgspec
import pytest
from sqlalchemy import select

from gateway.database.tables import measurement_session
from gateway.database.tables import station as station_table
from gateway.errors import StorageError
from gateway.hub import intake as intake_module
from gateway.hub.commit import store
from gateway.hub.ranges import Range
from gateway.model.session import SessionEnd
from gateway.ports.messaging import Message
from gateway.wire.batch import (
    SCHEMA,
    Acknowledgement,
    Batch,
    StationStatus,
    encode_batch,
    encode_body,
)
from gateway.wire.seal import Signer
from tests.hub.build import (
    EPOCH,
    START,
    Hub,
    StationModel,
    blood_pressure,
    chunk,
    fail_commits,
    session_entry,
    technical,
)


def ack(upto: int, ranges: list[Range] | None = None) -> Acknowledgement:
    return Acknowledgement(
        schema=SCHEMA,
        station="station-a",
        epoch=EPOCH,
        upto=upto,
        ranges=ranges or [],
    )


async def test_a_batch_is_committed_then_done_then_acknowledged(
    hub: Hub, station: StationModel
) -> None:
    seqs = station.record(blood_pressure(1), technical(1), session_entry("s-1"))
    waves = station.record(chunk(0), chunk(150))
    deliveries = await hub.send(
        station.batch(seqs), station.batch(waves, waveforms=True)
    )
    assert all(delivery.is_done for delivery in deliveries)
    assert await hub.logged() == [body for _, body in station.journal.values()]
    assert hub.acks.sent == [ack(5)]
    assert station.unacknowledged == []
    assert hub.metric("vitalgate_log_entries_total") == 5
    assert await hub.letters.counts() == {}


async def test_fresh_before_backlog_is_acknowledged_in_ranges(
    hub: Hub, station: StationModel
) -> None:
    seqs = station.record(*(blood_pressure(n) for n in range(10)))
    await hub.send(station.batch(seqs[8:]))
    await hub.send(station.batch(seqs[:2]))
    await hub.send(station.batch(seqs[4:6]), station.batch(seqs[6:7]))
    await hub.send(station.batch([]))
    assert hub.acks.sent == [
        ack(0, [(9, 10)]),
        ack(2, [(9, 10)]),
        ack(2, [(5, 7), (9, 10)]),
        # An empty batch asks what is held.
        ack(2, [(5, 7), (9, 10)]),
    ]
    assert station.unacknowledged == [3, 4, 8]
    await hub.send(station.batch(seqs))
    assert hub.acks.sent[-1] == ack(10)


async def test_a_repeat_costs_nothing_and_is_acknowledged_again(
    hub: Hub, station: StationModel
) -> None:
    message = station.batch(station.record(blood_pressure(1), blood_pressure(2)))
    await hub.send(message, message)
    await hub.send(message)
    assert hub.acks.sent == [ack(2), ack(2)]
    assert len(await hub.logged()) == 2
    assert hub.metric("vitalgate_log_repeats_total") == 4


async def test_a_new_epoch_begins_at_one_and_keeps_the_old_apart(
    hub: Hub, station: StationModel
) -> None:
    await hub.send(station.batch(station.record(blood_pressure(1), blood_pressure(2))))
    replaced = StationModel(epoch="epoch-2")
    replaced.signer = station.signer
    # The same reading, still in the device's memory, under a new journal's number.
    await hub.send(replaced.batch(replaced.record(blood_pressure(2))))
    assert hub.acks.sent[-1].epoch == "epoch-2"
    assert hub.acks.sent[-1].upto == 1
    assert len(await hub.logged()) == 2


async def test_many_stations_share_a_transaction(hub: Hub) -> None:
    models = [StationModel(f"station-{n}") for n in range(40)]
    for model in models:
        await hub.enrol(model)
    messages = []
    for n, model in enumerate(models):
        first = model.record(blood_pressure(2 * n, station=model.id))
        model.record(blood_pressure(2 * n + 1, station=model.id))
        messages.append(model.batch(first))
    await hub.send(*messages)
    assert all(model.unacknowledged == [2] for model in models)
    await hub.send(*(model.batch([2]) for model in models))
    assert all(model.unacknowledged == [] for model in models)
    assert len(await hub.logged()) == 80


async def test_a_failed_commit_is_tried_again_and_nothing_is_done_before(
    hub: Hub, station: StationModel
) -> None:
    left = fail_commits(hub.database.engine, 3)
    message = station.batch(station.record(blood_pressure(1)))
    hub.broker.publish(message)
    (delivery,) = hub.broker.kept
    done_while_failing: list[bool] = []
    sleep = hub.clock.sleep

    async def watch(seconds: float) -> None:
        done_while_failing.append(delivery.is_done or bool(hub.acks.sent))
        await sleep(seconds)

    hub.clock.sleep = watch  # type: ignore[method-assign]
    await hub.intake.take([delivery])
    assert left == [0]
    assert done_while_failing == [False] * 3
    assert delivery.is_done
    assert hub.acks.sent == [ack(1)]
    assert len(await hub.logged()) == 1
    assert hub.metric("vitalgate_intake_failures_total") == 3


async def test_a_commit_that_fails_too_late_is_not_counted_twice(
    hub: Hub, station: StationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The connection breaks after the commit took effect: the intake must not know.
    write = hub.database.write
    broken = iter([True, False])

    async def cut(work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - a patch
        result = await write(work)
        if next(broken, False):
            raise StorageError("database: gone.")
        return result

    monkeypatch.setattr(hub.database, "write", cut)
    await hub.send(station.batch(station.record(blood_pressure(1))))
    assert len(await hub.logged()) == 1
    assert hub.acks.sent == [ack(1)]


async def test_a_lost_acknowledgement_is_repeated_with_the_next_batch(
    hub: Hub, station: StationModel
) -> None:
    message = station.batch(station.record(blood_pressure(1)))
    hub.acks.lose = True
    (delivery,) = await hub.send(message)
    assert delivery.is_done
    assert station.unacknowledged == [1]
    hub.acks.lose = False
    await hub.send(message)
    assert station.unacknowledged == []
    assert len(await hub.logged()) == 1


async def test_what_the_database_will_not_take_stops_nobody_else(
    hub: Hub, station: StationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store

    def fussy(connection, group, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - a patch
        if any(2 in receipt.seqs for receipt in group.receipts):
            raise OverflowError("too large")
        return real(connection, group, now)

    monkeypatch.setattr(intake_module, "store", fussy)
    seqs = station.record(*(blood_pressure(n) for n in range(3)))
    messages = [station.batch([seq]) for seq in seqs]
    deliveries = await hub.send(*messages)
    assert all(delivery.is_done for delivery in deliveries)
    assert station.unacknowledged == [2]
    (letter,) = await hub.letters.newest(10)
    assert (letter.reason, letter.payload) == ("unstorable", messages[1].payload)
    monkeypatch.undo()
    assert await hub.intake.replay(letter.id)
    assert station.unacknowledged == []


async def test_running_with_duplicates_reordering_and_redelivery(
    hub: Hub, station: StationModel
) -> None:
    seqs = station.record(*(blood_pressure(n) for n in range(200)))
    messages = [station.batch(seqs[i : i + 5]) for i in range(0, 200, 5)]
    hub.broker.publish(*messages[20:], *messages[10:25], *messages[:20])
    fail_commits(hub.database.engine, 2)
    run = asyncio.create_task(hub.intake.run())
    hub.broker.reconnect()
    while station.unacknowledged:
        await hub.log.wait_beyond(hub.log.last_seq - 1)
        await asyncio.sleep(0)
    while hub.broker.undone:
        await asyncio.sleep(0)
    run.cancel()
    with suppress(asyncio.CancelledError):
        await run
    held = await hub.logged()
    assert sorted(held) == sorted(body for _, body in station.journal.values())


# --- sessions ------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1)])
async def test_a_session_ends_closed_in_whatever_order_it_arrives(
    hub: Hub, station: StationModel, order: tuple[int, ...]
) -> None:
    station.record(session_entry("s-1"), session_entry("s-1", end=SessionEnd.IDLE))
    for index in order:
        await hub.send(station.batch([index + 1]))
    query = select(measurement_session)
    row = await hub.database.read(lambda c: c.execute(query).one())
    assert (row.id, row.end, row.opened_by) == ("s-1", "idle", "")
    assert row.closed_us > row.opened_us


async def test_a_station_closes_no_other_stations_session(
    hub: Hub, station: StationModel
) -> None:
    other = StationModel("station-b")
    await hub.enrol(other)
    await hub.send(station.batch(station.record(session_entry("s-1"))))
    abort = session_entry("s-1", station="station-b", end=SessionEnd.ABORTED)
    await hub.send(other.batch(other.record(abort)))
    query = select(measurement_session)
    row = await hub.database.read(lambda c: c.execute(query).one())
    assert (row.station, row.end, row.closed_us) == ("station-a", None, None)


# --- status --------------------------------------------------------------------------


async def stored_status(hub: Hub) -> StationStatus:
    query = select(station_table.c.status)
    data = await hub.database.read(lambda c: c.execute(query).scalar_one())
    return msgspec.json.decode(data, type=StationStatus)


async def test_status_and_last_will_are_kept(hub: Hub, station: StationModel) -> None:
    heard: list[StationStatus] = []
    hub.intake._on_status = heard.append
    online = StationStatus(
        schema=SCHEMA, station=station.id, online=True, at=START, depth=3
    )
    await hub.send(station.sealed("status", msgspec.json.encode(online)))
    assert await stored_status(hub) == online
    will = StationStatus(schema=SCHEMA, station=station.id, online=False)
    topic = station.topics.up("status")
    await hub.send(Message(topic=topic, payload=msgspec.json.encode(will)))
    assert await stored_status(hub) == will
    assert heard == [online, will]
    assert hub.acks.sent == []
    assert await hub.letters.counts() == {}


async def test_an_unsealed_status_says_offline_and_nothing_else(
    hub: Hub, station: StationModel
) -> None:
    forged = StationStatus(
        schema=SCHEMA,
        station=station.id,
        online=False,
        at=START,
        conditions=["journal-quota"],
        session="s-1",
    )
    topic = station.topics.up("status")
    await hub.send(Message(topic=topic, payload=msgspec.json.encode(forged)))
    assert await stored_status(hub) == StationStatus(
        schema=SCHEMA, station=station.id, online=False
    )


# --- enrolment and keys --------------------------------------------------------------


async def test_a_key_changed_by_another_process_is_found(
    hub: Hub, station: StationModel
) -> None:
    station.signer = Signer.generate()
    key = station.signer.public_key
    await hub.database.write(
        lambda c: c.execute(station_table.update().values(public_key=key))
    )
    hub.clock.advance(60)
    await hub.send(station.batch(station.record(blood_pressure(1))))
    assert station.unacknowledged == []
    assert await hub.letters.counts() == {}


async def test_an_unknown_name_does_not_ask_the_database_each_time(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    reload = hub.stations.reload

    async def count() -> None:
        nonlocal asked
        asked += 1
        await reload()

    monkeypatch.setattr(hub.stations, "reload", count)
    stranger = StationModel("station-x")
    message = stranger.batch(stranger.record(blood_pressure(1, station="station-x")))
    for _ in range(5):
        await hub.send(message, message)
    assert asked == 1
    hub.clock.advance(10)
    await hub.send(message)
    assert asked == 2


async def test_a_whole_group_is_read_in_threads_in_order(
    hub: Hub, station: StationModel
) -> None:
    seqs = station.record(*(blood_pressure(n) for n in range(intake_module.MAX_GROUP)))
    await hub.send(*(station.batch([seq]) for seq in seqs))
    assert await hub.logged() == [encode_body(blood_pressure(s - 1)) for s in seqs]


async def test_an_entry_number_beyond_the_journal_is_refused(
    hub: Hub, station: StationModel
) -> None:
    body = encode_batch(
        Batch(
            schema=SCHEMA, station=station.id, epoch=EPOCH, sent_at=START, entries=[]
        ),
        waveforms=False,
    )
    for seq in (b"0", b"-1", b"9223372036854775808", b"1180591620717411303424"):
        entry = b'"entries":[{"seq":' + seq + b',"type":"event","body":{}}]'
        await hub.send(station.sealed("readings", body.replace(b'"entries":[]', entry)))
    assert await hub.letters.counts() == {"batch": 4}
    assert hub.acks.sent == []
