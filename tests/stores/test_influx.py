"""The InfluxDB projection against a real server that speaks the same write API."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path

import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient

from gateway.clock import SystemClock
from gateway.database.engine import Database
from gateway.database.tables.base import to_us
from gateway.errors import StorageError
from gateway.model.observation import Absent, Observation
from gateway.stores.influx import InfluxProjection, LineWriter
from gateway.stores.influx_read import VictoriaReader
from tests.stores.build import START, TableLog, attribution, observation
from tests.stores.victoria import SlowPipe, Victoria

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]

START_MS = to_us(START) // 1000
END_MS = START_MS + 86_400_000


@pytest.fixture
async def victoria(
    tmp_path: Path, require_service: Callable[[str], str]
) -> AsyncIterator[Victoria]:
    require_service("victoria-metrics")
    server = Victoria(tmp_path / "victoria")
    await server.start()
    yield server
    await server.stop(signal.SIGKILL)


class Bench:
    """A log, a projection that runs, and the truth to compare with."""

    def __init__(self, database: Database, url: str, *, timeout_ms: int = 2000) -> None:
        self.log = TableLog(database)
        self.client = InfluxDBClient(url=url, token="none", org="o", timeout=timeout_ms)
        self.back = VictoriaReader(url)
        self.projection = InfluxProjection(
            database,
            self.log,
            LineWriter(self.client, "vitals"),
            self.back,
            clock=SystemClock(),
            settle_s=3.0,
            verify_s=0.3,
        )
        self.truth: dict[int, Decimal | None] = {}

    async def inject(self, *readings: Observation) -> None:
        await self.log.append(*readings)
        for reading in readings:
            at = to_us(reading.taken_at) // 1000
            self.truth[at] = reading.components[0].quantity.value

    async def held(self) -> dict[int, Decimal | None]:
        samples = await self.back.samples("r-invented-1", "spo2", START_MS, END_MS)
        return {at: value for at, value, _ in samples}

    async def until_equal(self) -> None:
        """Wait until the server holds exactly what the log holds."""
        held: dict[int, Decimal | None] = {}
        for _ in range(600):
            with contextlib.suppress(StorageError):
                held = await self.held()
                if held == self.truth:
                    return
            await asyncio.sleep(0.1)
        assert held == self.truth

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.projection.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.client.close()  # type: ignore[no-untyped-call]  # the client has no types


async def test_holds_exactly_what_the_log_holds(
    database: Database, victoria: Victoria
) -> None:
    bench = Bench(database, victoria.url)
    async with bench.running():
        await bench.inject(*[observation(n) for n in range(50)])
        await bench.inject(observation(50, values={"spo2": Absent.BELOW_RANGE}))
        await bench.inject(observation(51, values={"spo2": Decimal("88.5")}))
        await bench.until_equal()
    assert bench.truth[START_MS + 50 * 60_000] is None


async def test_the_safe_position_follows_once_the_server_settled(
    database: Database, victoria: Victoria
) -> None:
    bench = Bench(database, victoria.url)
    async with bench.running():
        await bench.inject(*[observation(n) for n in range(3)])
        for _ in range(300):
            if bench.projection.state.safe == 3:
                break
            await asyncio.sleep(0.1)
    assert bench.projection.state.safe == 3
    assert bench.projection.state.rewinds == 0


async def test_a_killed_server_gets_back_what_it_lost(
    database: Database, victoria: Victoria
) -> None:
    bench = Bench(database, victoria.url)
    async with bench.running():
        for round_ in range(3):
            await bench.inject(*[observation(round_ * 100 + n) for n in range(100)])
            await asyncio.sleep(0.2)
            # Kill before it has flushed: it acknowledged what it will not have.
            await victoria.stop(signal.SIGKILL)
            await bench.inject(observation(round_ * 100 + 1000))
            await victoria.start()
        await bench.until_equal()


async def test_a_wiped_server_is_filled_from_the_start(
    database: Database, victoria: Victoria
) -> None:
    bench = Bench(database, victoria.url)
    async with bench.running():
        await bench.inject(*[observation(n) for n in range(20)])
        await bench.until_equal()
        for _ in range(300):
            if bench.projection.state.safe:
                break
            await asyncio.sleep(0.1)
        await victoria.stop(signal.SIGKILL)
        await victoria.wipe()
        await victoria.start()
        await bench.inject(observation(500))
        await bench.until_equal()
    assert bench.projection.state.rewinds >= 1


async def test_a_full_server_refuses_and_catches_up_later(
    database: Database, victoria: Victoria
) -> None:
    await victoria.stop()
    await victoria.start(full=True)
    bench = Bench(database, victoria.url)
    async with bench.running():
        await bench.inject(*[observation(n) for n in range(20)])
        for _ in range(100):
            if bench.projection.state.failures:
                break
            await asyncio.sleep(0.1)
        assert bench.projection.state.failures
        assert bench.projection.state.cursor == 0
        await victoria.stop()
        await victoria.start()
        await bench.until_equal()


async def test_a_stalled_server_times_out_and_catches_up(
    database: Database, victoria: Victoria
) -> None:
    pipe = SlowPipe(victoria.port)
    await pipe.start()
    bench = Bench(database, f"http://127.0.0.1:{pipe.port}", timeout_ms=300)
    async with bench.running():
        await bench.inject(observation(1))
        await bench.until_equal()
        pipe.open.clear()
        await bench.inject(*[observation(n) for n in range(2, 30)])
        for _ in range(200):
            if bench.projection.state.failures:
                break
            await asyncio.sleep(0.05)
        assert bench.projection.state.failures
        pipe.open.set()
        await bench.until_equal()
    await pipe.stop()


async def test_a_restarted_hub_goes_on_from_the_safe_position(
    database: Database, victoria: Victoria
) -> None:
    first = Bench(database, victoria.url)
    async with first.running():
        await first.inject(*[observation(n) for n in range(10)])
        await first.until_equal()
    second = Bench(database, victoria.url)
    second.truth = first.truth
    async with second.running():
        await second.inject(observation(10))
        await second.until_equal()


async def test_a_reassigned_reading_changes_series(
    database: Database, victoria: Victoria
) -> None:
    bench = Bench(database, victoria.url)
    moved = observation(1, values={"spo2": Decimal(85)})
    async with bench.running():
        await bench.inject(observation(0), moved)
        await bench.until_equal()
        await bench.log.append(
            attribution(moved, resident="r-invented-2", previous="r-invented-1")
        )
        del bench.truth[to_us(moved.taken_at) // 1000]
        await bench.until_equal()
        other = await bench.back.samples("r-invented-2", "spo2", START_MS, END_MS)
    assert [value for _, value, _ in other] == [Decimal(85)]


async def test_an_unreachable_server_is_an_error_that_is_counted(
    database: Database,
) -> None:
    bench = Bench(database, "http://127.0.0.1:1", timeout_ms=200)
    async with bench.running():
        await bench.inject(observation(1))
        for _ in range(100):
            if bench.projection.state.error:
                break
            await asyncio.sleep(0.05)
    assert bench.projection.state.error
    assert bench.projection.state.cursor == 0
