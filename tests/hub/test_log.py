import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import insert

from gateway.database.tables import log as log_table
from gateway.hub import log as log_module
from gateway.hub.log import HubLog, NewLogEntry, append, decode_entry, log_id
from gateway.model.session import SessionEnd
from gateway.wire.batch import Body, encode_body
from tests.hub.build import (
    START,
    Hub,
    blood_pressure,
    chunk,
    session_entry,
    technical,
    type_of,
)


def new(body: Body) -> NewLogEntry:
    return NewLogEntry(
        id=log_id(body),
        type=type_of(body),
        station=body.station,
        data=encode_body(body),
        body=body,
    )


def readings(numbers: Sequence[int]) -> list[NewLogEntry]:
    return [new(blood_pressure(n)) for n in numbers]


async def test_entries_come_back_as_they_were_in_order(hub: Hub) -> None:
    bodies: list[Body] = [
        blood_pressure(1),
        chunk(0),
        session_entry("s-1"),
        session_entry("s-1", end=SessionEnd.FINISHED),
        technical(1),
    ]
    fresh = await hub.log.append([new(body) for body in bodies], START)
    assert [entry.body for entry in fresh] == bodies
    # From memory, and from the table by a reader that was not there.
    later = HubLog(hub.database)
    await later.open()
    assert await hub.log.read(0, 10) == fresh == await later.read(0, 10)
    assert [e.seq for e in fresh] == sorted({e.seq for e in fresh})
    assert all(
        e.size == len(encode_body(b)) for e, b in zip(fresh, bodies, strict=True)
    )


async def test_an_id_is_held_once_across_and_within_appends(hub: Hub) -> None:
    here = blood_pressure(1)
    # The same reading heard by another station has the same id and other bytes.
    there = blood_pressure(1, station="station-b")
    fresh = await hub.log.append([new(here), new(there)], START)
    assert [entry.body for entry in fresh] == [here]
    assert await hub.log.append([new(there)], START) == []
    # What the readers got is what the table holds.
    assert [decode_entry("reading", data) for data in await hub.logged()] == [here]


async def test_a_reader_in_step_needs_no_table(hub: Hub) -> None:
    await hub.log.append(readings(range(10)), START)
    await hub.database.write(lambda c: c.execute(log_table.delete()))
    assert [e.seq for e in await hub.log.read(3, 4)] == [4, 5, 6, 7]
    assert await hub.log.read(10, 4) == []


@pytest.mark.parametrize("limit", ["MAX_TAIL", "MAX_TAIL_BYTES"])
async def test_the_tail_is_bounded_and_the_table_serves_the_rest(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    entries = readings(range(10))
    bound = 3 if limit == "MAX_TAIL" else 3 * len(entries[0].data) + 100
    monkeypatch.setattr(log_module, limit, bound)
    for entry in entries:
        await hub.log.append([entry], START)
    assert len(hub.log._tail) == 3
    read = await hub.log.read(0, 2)
    while batch := await hub.log.read(read[-1].seq, 2):
        read += batch
    assert [e.id for e in read] == [e.id for e in entries]


async def test_commits_announced_in_the_other_order_are_all_read(hub: Hub) -> None:
    await hub.log.append(readings([0]), START)
    first = await hub.database.write(lambda c: append(c, readings([1, 2]), START))
    second = await hub.database.write(lambda c: append(c, readings([3]), START))
    hub.log.committed(second)
    assert [e.seq for e in await hub.log.read(1, 10)] == [2, 3, 4]
    hub.log.committed(first)
    assert [e.seq for e in await hub.log.read(1, 10)] == [2, 3, 4]
    assert [e.seq for e in await hub.log.read(3, 10)] == [4]
    await hub.log.append(readings([4]), START)
    assert [e.seq for e in await hub.log.read(3, 10)] == [4, 5]


async def test_repeats_use_numbers_up_and_hide_nothing(hub: Hub) -> None:
    """SQLite gives a repeat a number before it finds that it is one."""
    for count in range(1, 6):
        await hub.log.append(readings(range(count)), START)
        await hub.log.append(readings([100 + count, 0, 200 + count, 1]), START)
    table = HubLog(hub.database)
    await table.open()
    every = await table.read(0, 100)
    assert len(every) == 15
    for entry in [None, *every]:
        after = 0 if entry is None else entry.seq
        rest = [e for e in every if e.seq > after]
        assert await hub.log.read(after, 100) == rest


async def test_readers_sleep_until_something_is_committed(hub: Hub) -> None:
    waiter = asyncio.ensure_future(hub.log.wait_beyond(0))
    beyond = asyncio.ensure_future(hub.log.wait_beyond(1))
    await asyncio.sleep(0)
    assert not waiter.done()
    await hub.log.append(readings([1]), START)
    await waiter
    assert not beyond.done()
    # A repeat is nothing new.
    await hub.log.append(readings([1]), START)
    await asyncio.sleep(0)
    assert not beyond.done()
    await hub.log.append(readings([2]), START)
    await beyond


async def test_an_unreadable_row_is_counted_once_and_hides_nothing(hub: Hub) -> None:
    rows = [
        {
            "id": bytes([n]) * 16,
            "type": type_,
            "station": "station-a",
            "received_us": 0,
            "body": body,
        }
        for n, (type_, body) in enumerate(
            [
                ("reading", b"damaged"),
                ("of-a-newer-release", b"{}"),
                ("attribution", b"\xff"),
            ]
        )
    ]
    await hub.database.write(lambda c: c.execute(insert(log_table), rows))
    await hub.log.open()
    for _ in range(3):
        assert await hub.log.read(0, 1) == []
    assert hub.log.unreadable == 3
    fresh = await hub.log.append(readings([1]), START)
    assert await hub.log.read(0, 1) == fresh == await hub.log.read(2, 1)
    assert hub.log.unreadable == 3
