import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from gateway.clock import ManualClock
from gateway.station import lanes as lanes_module
from gateway.station.journal import SqliteJournal
from gateway.station.uplink import MAX_PUBLISHING_BACKLOG, Uplink
from gateway.wire.batch import MAX_PAYLOAD_BYTES, SCHEMA, Acknowledgement
from tests.station.fake_hub import SIGNER, START, TOPICS, FakeBus, FakeHub
from tests.station.samples import reading_entry, waveform_entry


@dataclass
class Bench:
    clock: ManualClock
    journal: SqliteJournal
    hub: FakeHub
    bus: FakeBus
    uplink: Uplink
    number: int = 0

    async def commit(self, count: int, *, waveforms: int = 0) -> list[UUID]:
        made = []
        for i in range(count + waveforms):
            self.number += 1
            make = reading_entry if i < count else waveform_entry
            made.append(make(self.number, self.clock.now()))
        for start in range(0, len(made), 500):
            await self.journal.append([e for _, e in made[start : start + 500]])
        return [id_ for id_, _ in made]

    async def settle(self, rounds: int = 6) -> None:
        for _ in range(rounds):
            while self.bus.acks:
                await self.uplink.acknowledged(self.bus.acks.popleft())
            await self.journal.append([])
            await self.journal.last_before(datetime(2000, 1, 1, tzinfo=UTC))
            for _ in range(12):
                await asyncio.sleep(0)

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(400):
            if condition():
                return
            await self.settle(1)
        raise AssertionError("it never came true")

    async def pass_time(self, seconds: float, steps: int = 10) -> None:
        for _ in range(steps):
            self.clock.advance(seconds / steps)
            await self.settle(1)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock(START)
    journal = SqliteJournal(tmp_path / "j.db", quota_bytes=100_000_000)
    hub = FakeHub(SIGNER.public_key)
    bus = FakeBus(hub)
    uplink = Uplink(journal, bus, TOPICS, SIGNER, clock)
    task = asyncio.ensure_future(uplink.run())
    yield Bench(clock, journal, hub, bus, uplink)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    journal.close()


async def test_a_fresh_reading_goes_out_without_time_passing(bench: Bench) -> None:
    bench.bus.connect()
    await bench.settle()
    ids = await bench.commit(1)
    await bench.settle()
    assert bench.hub.order == ids
    assert bench.journal.figures.depth == 0
    assert bench.clock.monotonic() == 0.0


async def test_today_goes_before_a_week_of_backlog(bench: Bench) -> None:
    for _ in range(7):
        await bench.commit(600, waveforms=30)
        bench.clock.advance(86_400)
    await bench.settle()
    bench.clock.advance(3_600)
    recent = await bench.commit(1)  # just before the line comes back
    bench.bus.gate.clear()
    bench.bus.connect()
    await bench.settle()
    now = await bench.commit(1)
    await bench.settle()
    # Every place that backlog may have is taken, and yet the reading went out.
    assert bench.hub.order[0] == recent[0]
    assert bench.hub.order[-1] == now[0]
    assert len(bench.hub.order) <= 2 + MAX_PUBLISHING_BACKLOG * 256
    bench.bus.gate.set()
    await bench.until(lambda: bench.journal.figures.depth == 0)
    assert len(bench.hub.order) == 7 * 630 + 2
    assert bench.hub.repeats == 0


async def test_backlog_goes_oldest_first(bench: Bench) -> None:
    old = await bench.commit(900)
    bench.clock.advance(86_400)
    bench.bus.connect()
    await bench.until(lambda: bench.journal.figures.depth == 0)
    assert bench.hub.order == old


async def test_a_silent_hub_is_probed_with_one_batch_at_a_time(bench: Bench) -> None:
    bench.bus.connect()
    bench.bus.mute = True
    await bench.settle()
    for _ in range(20):
        await bench.commit(10)
        await bench.settle(1)
    first = len(bench.bus.published)
    await bench.pass_time(86_400, steps=400)
    probes = len(bench.bus.published) - first
    # A day at 5 minutes, and the few faster ones at the start.
    assert 200 <= probes <= 300
    bench.bus.mute = False
    await bench.pass_time(400, steps=40)
    assert bench.journal.figures.depth == 0


async def test_a_dead_hub_is_not_sent_more_than_the_window(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "MAX_UNACKNOWLEDGED", 1_000)
    monkeypatch.setattr(lanes_module, "MAX_UNACKNOWLEDGED_BACKLOG", 300)
    await bench.commit(2_000)
    bench.clock.advance(86_400)
    bench.bus.mute = True
    bench.bus.connect()
    await bench.settle(20)
    backlog = len(bench.hub.order)
    assert 300 <= backlog < 300 + 256
    fresh = await bench.commit(1)
    await bench.settle()
    assert bench.hub.order[-1] == fresh[0]
    await bench.commit(1_500)
    await bench.settle(20)
    assert 1_000 <= len(bench.hub.order) < 1_000 + 256
    bench.bus.mute = False
    await bench.pass_time(3_600, steps=200)
    assert bench.journal.figures.depth == 0
    assert len(bench.hub.order) == 3_501


async def test_what_aged_in_a_full_window_becomes_backlog(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "MAX_UNACKNOWLEDGED", 100)
    bench.bus.connect()
    bench.bus.mute = True
    await bench.settle()
    stale = await bench.commit(600)
    await bench.settle(10)
    await bench.pass_time(7_200, steps=50)
    today = await bench.commit(1)
    await bench.settle()
    assert today[0] not in bench.hub.bodies
    bench.bus.mute = False
    await bench.pass_time(1_200, steps=100)
    assert bench.journal.figures.depth == 0
    assert bench.hub.order.index(today[0]) < bench.hub.order.index(stale[-1])


async def test_a_lost_connection_repeats_only_what_was_on_the_wire(
    bench: Bench,
) -> None:
    bench.bus.connect()
    await bench.settle()
    await bench.commit(3)
    await bench.settle()
    bench.bus.mute = True
    bench.bus.break_after = 1
    await bench.commit(2)
    await bench.settle()
    bench.bus.mute = False
    await bench.pass_time(2)
    assert bench.hub.repeats == 2
    assert bench.journal.figures.depth == 0


async def test_what_the_hub_holds_is_not_sent_again(bench: Bench) -> None:
    await bench.commit(600)
    bench.clock.advance(86_400)
    bench.bus.hold = True
    bench.bus.connect()
    await bench.settle()
    bench.bus.hold = False
    bench.bus.release(backwards=True)
    await bench.pass_time(60)
    assert bench.journal.figures.depth == 0
    assert bench.hub.repeats == 0


async def test_batches_stay_under_the_payload_limit(bench: Bench) -> None:
    await bench.commit(700, waveforms=300)
    bench.bus.connect()
    await bench.until(lambda: bench.journal.figures.depth == 0)
    assert max(len(p) for _, p, _ in bench.bus.published) < MAX_PAYLOAD_BYTES
    topics = {topic.rpartition("/")[2] for topic, _, _ in bench.bus.published}
    assert topics == {"readings", "waveforms"}


async def test_a_rolled_back_disk_sends_everything_again_in_a_new_epoch(
    bench: Bench,
) -> None:
    bench.bus.connect()
    await bench.settle()
    epoch = bench.journal.epoch
    bench.bus.lose = 1
    ids = await bench.commit(2)
    await bench.settle()
    await bench.uplink.acknowledged(
        Acknowledgement(
            schema=SCHEMA, station=TOPICS.station, epoch=epoch, upto=900, ranges=[]
        )
    )
    await bench.pass_time(5)
    assert bench.journal.epoch != epoch
    assert set(bench.hub.bodies) == set(ids)
    assert bench.journal.figures.depth == 0


async def test_another_epochs_acknowledgement_changes_nothing(bench: Bench) -> None:
    bench.bus.connect()
    bench.bus.mute = True
    await bench.settle()
    await bench.commit(2)
    await bench.settle()
    await bench.uplink.acknowledged(
        Acknowledgement(
            schema=SCHEMA, station=TOPICS.station, epoch="old", upto=2, ranges=[]
        )
    )
    assert bench.journal.figures.depth == 2
    bench.bus.mute = False
    await bench.pass_time(15)
    assert bench.journal.figures.depth == 0


async def test_readings_overtake_waveforms_committed_with_them(bench: Bench) -> None:
    await bench.commit(0, waveforms=40)
    reading = await bench.commit(1)
    bench.bus.connect()
    await bench.until(lambda: bench.journal.figures.depth == 0)
    assert bench.hub.order[0] == reading[0]


async def test_batches_grow_while_places_are_taken(bench: Bench) -> None:
    bench.bus.connect()
    await bench.settle()
    work: list[Awaitable[object]] = [bench.commit(1) for _ in range(2_000)]
    await asyncio.gather(*work)
    await bench.until(lambda: bench.journal.figures.depth == 0)
    assert len(bench.hub.order) == 2_000
    assert len(bench.bus.published) < 500


async def test_hours_of_outage_with_measuring_going_on(bench: Bench) -> None:
    ids: list[UUID] = []
    for hour in range(12):
        ids += await bench.commit(5, waveforms=1)
        if hour in (3, 4, 9):
            bench.bus.connect()
        else:
            bench.bus.disconnect()
        await bench.pass_time(timedelta(hours=1).total_seconds(), steps=30)
    bench.bus.connect()
    await bench.pass_time(600, steps=60)
    assert sorted(map(str, bench.hub.order)) == sorted(map(str, ids))
    assert bench.journal.figures.depth == 0
