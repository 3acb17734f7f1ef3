"""The readings of an aborted session belong to nobody, in any order of arrival."""

from datetime import timedelta
from itertools import permutations

import pytest
from prometheus_client import CollectorRegistry

from gateway.hub import aborted
from gateway.hub.aborted import AbortedSessions
from gateway.hub.consumers import ConsumerMetrics, ConsumerRunner
from gateway.model.session import Attribution, SessionEnd
from tests.hub.build import (
    START,
    Hub,
    StationModel,
    blood_pressure,
    chunk,
    session_entry,
)

RESIDENT = "r-invented-1"


def runner_of(hub: Hub) -> ConsumerRunner:
    return ConsumerRunner(
        hub.database,
        hub.log,
        AbortedSessions(hub.log),
        clock=hub.clock,
        metrics=ConsumerMetrics(CollectorRegistry()),
    )


async def drain(runner: ConsumerRunner) -> None:
    while runner.lag:
        await runner.step()


async def withdrawals(hub: Hub) -> list[Attribution]:
    entries = await hub.log.read(0, 10_000)
    return [e.body for e in entries if isinstance(e.body, Attribution)]


class Visit:
    """An aborted session with two readings and a recording; a finished one."""

    def __init__(self, model: StationModel, *, skew: timedelta = timedelta()) -> None:
        opened = START + skew
        mine = {"session": "s-1", "subject": RESIDENT}
        self.readings = [blood_pressure(n, **mine) for n in (1, 2)]  # type: ignore[arg-type]
        self.chunks = [chunk(n, **mine) for n in (0, 150)]
        others = [
            blood_pressure(3, session="s-2", subject=RESIDENT),
            blood_pressure(4),
            blood_pressure(5, session="s-1"),  # unclaimed already
        ]
        opening = model.record(session_entry("s-1", opened_at=opened))
        readings = model.record(*self.readings, *others)
        abort = session_entry("s-1", end=SessionEnd.ABORTED, opened_at=opened)
        closing = model.record(abort)
        finished = model.record(session_entry("s-2", end=SessionEnd.FINISHED))
        waves = model.record(*self.chunks)
        self.messages = [
            model.batch(opening),
            model.batch(readings),
            model.batch(closing + finished),
            model.batch(waves, waveforms=True),
        ]

    def check(self, found: list[Attribution]) -> None:
        expected = {str(o.id) for o in self.readings} | {"stream-1"}
        assert {a.stream or str(a.observation) for a in found} == expected
        assert len(found) == len(expected)
        assert {(a.resident, a.previous) for a in found} == {("", RESIDENT)}
        assert {a.by for a in found} == {"station:station-a"}


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize("together", [True, False])
async def test_in_any_order(
    hub: Hub, station: StationModel, order: tuple[int, ...], *, together: bool
) -> None:
    visit = Visit(station)
    runner = runner_of(hub)
    for index in order:
        await hub.send(visit.messages[index])
        if not together:
            await drain(runner)
    await drain(runner)
    visit.check(await withdrawals(hub))
    # Starting over makes nothing new.
    await runner.replay()
    await drain(runner)
    visit.check(await withdrawals(hub))


@pytest.mark.parametrize("days", [-4_000, 4_000])
async def test_a_stations_clock_may_be_wrong(
    hub: Hub, station: StationModel, days: int
) -> None:
    visit = Visit(station, skew=timedelta(days=days))
    await hub.send(*visit.messages)
    await drain(runner_of(hub))
    visit.check(await withdrawals(hub))


async def test_a_long_session_is_withdrawn_whole(
    hub: Hub, station: StationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aborted, "PAGE", 7)
    readings = [blood_pressure(n, session="s-1", subject=RESIDENT) for n in range(50)]
    await hub.send(station.batch(station.record(*readings)))
    abort = session_entry("s-1", end=SessionEnd.ABORTED)
    await hub.send(station.batch(station.record(abort)))
    await drain(runner_of(hub))
    found = await withdrawals(hub)
    assert {a.observation for a in found} == {o.id for o in readings}


async def test_another_stations_abort_withdraws_nothing(
    hub: Hub, station: StationModel
) -> None:
    visit = Visit(station)
    other = StationModel("station-b")
    await hub.enrol(other)
    await hub.send(*visit.messages[:2])
    abort = session_entry("s-1", station=other.id, end=SessionEnd.ABORTED)
    await hub.send(other.batch(other.record(abort)))
    await drain(runner_of(hub))
    assert await withdrawals(hub) == []


async def test_chunks_after_the_abort_are_one_recording(
    hub: Hub, station: StationModel
) -> None:
    abort = session_entry("s-1", end=SessionEnd.ABORTED)
    await hub.send(station.batch(station.record(abort)))
    runner = runner_of(hub)
    for index in (0, 150, 300):
        one = chunk(index, session="s-1", subject=RESIDENT)
        await hub.send(station.batch(station.record(one), waveforms=True))
        await drain(runner)
    (found,) = await withdrawals(hub)
    assert found.stream == "stream-1"
