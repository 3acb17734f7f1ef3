"""Journal and uplink against a broker and a hub that fail in every way."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.clock import ManualClock
from gateway.station.journal import SqliteJournal
from gateway.station.uplink import Uplink
from tests.station.fake_hub import SIGNER, START, TOPICS, FakeBus, FakeHub
from tests.station.samples import reading_entry, waveform_entry

QUOTA = 50_000_000


class StationAndHub(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = ManualClock(START)
        self.hub = FakeHub(SIGNER.public_key)
        self.bus = FakeBus(self.hub)
        self.committed: set[object] = set()
        self.number = 0
        self.do(self.start())

    def do(self, work: Awaitable[Any]) -> None:
        async def run() -> None:
            await work

        self.loop.run_until_complete(run())

    async def start(self) -> None:
        self.journal = SqliteJournal(self.folder / "j.db", quota_bytes=QUOTA)
        self.uplink = Uplink(self.journal, self.bus, TOPICS, SIGNER, self.clock)
        self.task = asyncio.ensure_future(self.uplink.run())
        await self.settle()

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        self.journal.close()

    async def settle(self) -> None:
        """Let everything run that needs no time to pass."""
        for _ in range(4):
            while self.bus.acks:
                await self.uplink.acknowledged(self.bus.acks.popleft())
            await self.journal.append([])
            await self.journal.last_before(datetime(2000, 1, 1, tzinfo=UTC))
            for _ in range(12):
                await asyncio.sleep(0)

    async def pass_time(self, seconds: int) -> None:
        for _ in range(min(seconds, 20)):
            self.clock.advance(seconds / min(seconds, 20))
            await self.settle()

    @rule(readings=st.integers(0, 5), waveforms=st.integers(0, 2))
    def commit(self, readings: int, waveforms: int) -> None:
        async def run() -> None:
            made = []
            for i in range(readings + waveforms):
                self.number += 1
                make = reading_entry if i < readings else waveform_entry
                made.append(make(self.number, self.clock.now()))
            await self.journal.append([entry for _, entry in made])
            self.committed |= {id_ for id_, _ in made}
            await self.settle()

        self.do(run())

    @rule(seconds=st.sampled_from([1, 12, 40, 900, 90_000]))
    def wait(self, seconds: int) -> None:
        self.do(self.pass_time(seconds))

    @rule()
    def connect(self) -> None:
        self.bus.connect()
        self.do(self.settle())

    @rule()
    def disconnect(self) -> None:
        self.bus.disconnect()
        self.do(self.settle())

    @rule(count=st.integers(1, 3))
    def broker_loses(self, count: int) -> None:
        self.bus.lose = count

    @rule(count=st.integers(1, 3))
    def pubacks_get_lost(self, count: int) -> None:
        self.bus.break_after = count

    @rule(mute=st.booleans())
    def acknowledgements_get_lost(self, *, mute: bool) -> None:
        self.bus.mute = mute

    @rule()
    def broker_stalls(self) -> None:
        self.bus.hold = True

    @precondition(lambda self: self.bus.hold)
    @rule(backwards=st.booleans(), twice=st.booleans())
    def broker_catches_up(self, *, backwards: bool, twice: bool) -> None:
        self.bus.hold = False
        again = list(self.bus.waiting) if twice else []
        self.bus.release(backwards=backwards)
        self.bus.waiting.extend(again)
        self.bus.release(backwards=not backwards)
        self.do(self.settle())

    @rule()
    def hub_restarts(self) -> None:
        # What it had not taken and not answered is gone; its log is not.
        self.bus.acks.clear()
        self.bus.waiting.clear()

    @rule()
    def station_restarts(self) -> None:
        async def run() -> None:
            await self.stop()
            self.bus.acks.clear()
            await self.start()

        self.do(run())

    @invariant()
    def nothing_is_lost(self) -> None:
        async def run() -> None:
            held = await self.journal.fresh(0, 4_000)
            ids = {e.body for e in held} | set(self.hub.bodies.values())
            assert len(ids) == len(self.committed)

        self.do(run())
        assert set(self.hub.bodies) <= self.committed

    def teardown(self) -> None:
        async def run() -> None:
            self.bus.lose = self.bus.break_after = 0
            self.bus.hold = self.bus.mute = False
            self.bus.waiting.clear()
            self.bus.connect()
            for _ in range(60):
                await self.pass_time(10)
                if self.journal.figures.depth == 0:
                    break
            assert self.journal.figures.depth == 0

        try:
            self.do(run())
            assert set(self.hub.bodies) == self.committed
            assert len(self.hub.order) == len(self.committed)
        finally:
            self.do(self.stop())
            self.loop.close()
            shutil.rmtree(self.folder)


StationAndHub.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Shrinking replays hours of outage; the steps printed are short enough.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


_TestCase: Any = StationAndHub.TestCase


@pytest.mark.timeout(180)
class TestStationAndHub(_TestCase):  # type: ignore[misc] # made at run time
    pass
