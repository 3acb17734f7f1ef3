"""The scanner's watchdog on a clock that the test moves."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError

from gateway.clock import ManualClock
from gateway.ports.devices import Condition
from gateway.transports.ble_limits import RadioLimits
from gateway.transports.ble_scan import RADIO_DEAF, BleScan

LIMITS = RadioLimits(
    silence_s=90,
    watchdog_interval_s=5,
    restart_backoff_s=1,
    restart_backoff_cap_s=60,
    deaf_after_restarts=3,
    pending_sightings=4,
    scan_start_s=0.2,
)


class Ether(BaseBleakScanner):
    """A scanner that hears what the test says, and fails as the test wants."""

    started: ClassVar[list["Ether"]] = []
    failure: ClassVar[Exception | None] = None
    hangs: ClassVar[bool] = False

    def __init__(
        self,
        detection_callback: Callable[[BLEDevice, AdvertisementData], None],
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_options: object,
    ) -> None:
        del scanning_mode
        super().__init__(detection_callback, service_uuids)
        self.running = False

    async def start(self) -> None:
        if type(self).hangs:
            await asyncio.Event().wait()
        failure = type(self).failure
        if failure is not None:
            raise failure
        self.running = True
        type(self).started.append(self)

    async def stop(self) -> None:
        self.running = False

    def hear(self, address: str, name: str = "", rssi: int = -60) -> None:
        data = AdvertisementData(name, {}, {}, ["0000180D-AA"], None, rssi, ())
        self.call_detection_callbacks(BLEDevice(address, name, {}), data)


@pytest.fixture
def ether() -> type[Ether]:
    return type("Ether", (Ether,), {"started": [], "failure": None, "hangs": False})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 9, tzinfo=UTC))


@contextlib.asynccontextmanager
async def scanning(
    clock: ManualClock, ether: type[Ether], told: list[Condition] | None = None
) -> AsyncIterator[BleScan]:
    scan = BleScan(
        clock=clock,
        backend=ether,
        limits=LIMITS,
        on_condition=None if told is None else told.append,
    )
    task = asyncio.create_task(scan.run())
    await settle()
    try:
        yield scan
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def pass_time(clock: ManualClock, seconds: float) -> None:
    for _ in range(int(seconds)):
        clock.advance(1)
        await settle()


async def test_somebody_heard_keeps_the_scan_alive(
    clock: ManualClock, ether: type[Ether]
) -> None:
    async with scanning(clock, ether) as scan:
        for _ in range(10):
            await pass_time(clock, 60)
            ether.started[-1].hear("AA")
        assert len(ether.started) == 1
        assert scan.counts.restarts == 0


async def test_silence_restarts_the_scan_and_at_last_tells_the_operator(
    clock: ManualClock, ether: type[Ether]
) -> None:
    told: list[Condition] = []
    async with scanning(clock, ether, told) as scan:
        await pass_time(clock, 100)
        assert len(ether.started) == 2
        assert not ether.started[0].running
        assert told == []
        await pass_time(clock, 400)
        assert scan.deaf
        assert [(c.code, c.active) for c in told] == [(RADIO_DEAF, True)]
        # It goes on trying, says it only once, and takes it back when one is heard.
        before = len(ether.started)
        await pass_time(clock, 400)
        assert len(ether.started) > before
        assert len(told) == 1
        # A restart may be waiting for its turn.
        while not ether.started[-1].running:
            await pass_time(clock, 1)
        ether.started[-1].hear("AA")
        assert [(c.code, c.active) for c in told] == [
            (RADIO_DEAF, True),
            (RADIO_DEAF, False),
        ]


async def test_the_pauses_between_restarts_grow_to_a_cap(
    clock: ManualClock, ether: type[Ether]
) -> None:
    ether.failure = BleakError("no adapter")
    async with scanning(clock, ether) as scan:
        failures = []
        for _ in range(300):
            failures.append(scan.counts.start_failures)
            await pass_time(clock, 1)
    at = [failures.index(n) for n in range(1, max(failures) + 1)]
    pauses = [b - a for a, b in itertools.pairwise(at)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(pauses[6:]) == {60}


async def test_a_missing_adapter_is_told_and_its_return_found(
    clock: ManualClock, ether: type[Ether]
) -> None:
    told: list[Condition] = []
    ether.failure = BleakError("no adapter")
    async with scanning(clock, ether, told):
        await pass_time(clock, 30)
        assert told
        assert "no adapter" in told[0].detail
        ether.failure = None
        await pass_time(clock, 61)
        ether.started[-1].hear("AA")
        assert told[-1].active is False


@pytest.mark.parametrize("failure", [OSError("no bus"), EOFError()])
async def test_a_dead_bus_is_a_failed_start(
    clock: ManualClock, ether: type[Ether], failure: Exception
) -> None:
    ether.failure = failure
    async with scanning(clock, ether) as scan:
        assert scan.counts.start_failures == 1


async def test_a_start_that_hangs_is_given_up(
    clock: ManualClock, ether: type[Ether]
) -> None:
    ether.hangs = True
    async with scanning(clock, ether) as scan:
        async with asyncio.timeout(5):
            while not scan.counts.start_failures:
                await asyncio.sleep(0.02)
        assert scan.counts.start_failures == 1


async def test_every_reader_gets_the_newest_of_each_device(
    clock: ManualClock, ether: type[Ether]
) -> None:
    async with scanning(clock, ether) as scan:
        one, two = scan.sightings(), scan.sightings()
        waiting = [asyncio.ensure_future(anext(reader)) for reader in (one, two)]
        await settle()
        scanner = ether.started[0]
        scanner.hear("AA", "first", -40)
        assert {(await w).peer.name for w in waiting} == {"first"}
        for rssi in range(-90, -50):
            scanner.hear("AA", "again", rssi)
        scanner.hear("BB", "other")
        seen = [await anext(one), await anext(one)]
        assert [(s.peer.address, s.rssi) for s in seen] == [("AA", -51), ("BB", -60)]
        assert seen[0].peer.services == ("0000180d-aa",)


async def test_a_crowd_pushes_the_oldest_out_and_is_counted(
    clock: ManualClock, ether: type[Ether]
) -> None:
    async with scanning(clock, ether) as scan:
        reader = scan.sightings()
        first = asyncio.ensure_future(anext(reader))
        await settle()
        ether.started[0].hear("A0")
        await first
        for n in range(1, 8):
            ether.started[0].hear(f"A{n}")
        assert scan.counts.sightings_crowded_out == 3
        seen = [(await anext(reader)).peer.address for _ in range(4)]
        assert seen == ["A4", "A5", "A6", "A7"]


async def test_cancelling_stops_the_scanner(
    clock: ManualClock, ether: type[Ether]
) -> None:
    async with scanning(clock, ether):
        assert ether.started[0].running
    assert not ether.started[0].running
