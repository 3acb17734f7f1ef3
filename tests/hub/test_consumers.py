"""A consumer's effect and its place move together, whatever breaks between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    delete,
    insert,
    select,
)

from gateway.database.tables import log as log_table
from gateway.errors import StorageError
from gateway.hub.consumers import (
    MAX_BACKOFF_S,
    MAX_BATCH,
    MAX_TRIES,
    MIN_BACKOFF_S,
    ConsumerMetrics,
    ConsumerRunner,
    load_cursor,
)
from gateway.ports.log import ExternalConsumer, LogEntry, TransactionalConsumer
from tests.hub.build import START, Hub, blood_pressure, fail_commits
from tests.hub.test_log import new

effects = Table("effects", MetaData(), Column("seq", Integer, nullable=False))


class Writer:
    """Writes down each entry that it took; not idempotent on purpose."""

    name = "writer"

    def __init__(self) -> None:
        self.poison: set[int] = set()
        self.announced: list[int] = []
        self.tries: list[int] = []
        self.announce_error: Exception | None = None

    def apply(self, connection: Connection, entries: list[LogEntry]) -> list[int]:
        seqs = [entry.seq for entry in entries]
        self.tries.extend(seqs)
        # Part of the effect is made before the error: it must not stay.
        connection.execute(insert(effects), [{"seq": seq} for seq in seqs])
        if self.poison.intersection(seqs):
            raise ValueError("a reading of Invented Name")
        return seqs

    def committed(self, result: object) -> None:
        assert isinstance(result, list)
        self.announced.extend(result)
        if self.announce_error is not None:
            raise self.announce_error


class Projection:
    """Elsewhere: idempotent, and not always there."""

    name = "projection"

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.calls = 0
        self.down = 0
        self.poison: set[int] = set()

    async def apply(self, entries: list[LogEntry]) -> None:
        self.calls += 1
        if self.down:
            self.down -= 1
            raise StorageError("projection: unreachable.")
        if self.poison.intersection(entry.seq for entry in entries):
            raise KeyError("unit")
        self.held |= {entry.seq for entry in entries}


class Bench:
    """A hub with a log of some readings, and runners over it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.registry = CollectorRegistry()
        self.metrics = ConsumerMetrics(self.registry)
        self.numbers = 0

    async def measure(self, count: int) -> None:
        entries = [new(blood_pressure(self.numbers + n)) for n in range(count)]
        self.numbers += count
        await self.hub.log.append(entries, START)

    def runner(
        self, consumer: TransactionalConsumer | ExternalConsumer
    ) -> ConsumerRunner:
        return ConsumerRunner(
            self.hub.database,
            self.hub.log,
            consumer,
            clock=self.hub.clock,
            metrics=self.metrics,
        )

    async def effects(self) -> list[int]:
        query = select(effects.c.seq)
        return list(await self.hub.database.read(lambda c: c.execute(query).scalars()))

    def metric(self, name: str, consumer: str) -> float | None:
        return self.registry.get_sample_value(name, {"consumer": consumer})


@pytest.fixture
async def bench(hub: Hub) -> Bench:
    await hub.database.write(effects.metadata.create_all)
    return Bench(hub)


@asynccontextmanager
async def running(runner: ConsumerRunner) -> AsyncIterator[None]:
    task = asyncio.create_task(runner.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def test_a_consumer_takes_all_that_is_there_and_all_that_comes(
    bench: Bench,
) -> None:
    await bench.measure(MAX_BATCH + 10)
    writer = Writer()
    runner = bench.runner(writer)
    async with running(runner):
        await until(lambda: runner.cursor == MAX_BATCH + 10)
        for _ in range(5):
            await bench.measure(1)
        await until(lambda: runner.lag == 0)
    assert await bench.effects() == writer.announced == list(range(1, MAX_BATCH + 16))
    # Another process goes on where this one stopped.
    again = Writer()
    later = bench.runner(again)
    await later.open()
    assert later.cursor == MAX_BATCH + 15
    await bench.measure(1)
    await later.step()
    assert again.announced == [MAX_BATCH + 16]


async def test_effect_and_place_are_one_transaction(bench: Bench) -> None:
    await bench.measure(3)
    writer = Writer()
    runner = bench.runner(writer)
    left = fail_commits(bench.hub.database.engine, 1)
    with pytest.raises(StorageError):
        await runner.step()
    assert left == [0]
    assert writer.tries == [1, 2, 3]
    assert (await bench.effects(), writer.announced) == ([], [])
    assert await load_cursor(bench.hub.database, "writer") == runner.cursor == 0
    await runner.step()
    assert await bench.effects() == writer.announced == [1, 2, 3]
    assert await load_cursor(bench.hub.database, "writer") == 3


async def test_run_survives_a_database_that_fails(bench: Bench) -> None:
    await bench.measure(3)
    runner = bench.runner(Writer())
    fail_commits(bench.hub.database.engine, 4)
    async with running(runner):
        await until(lambda: runner.lag == 0)
    assert await bench.effects() == [1, 2, 3]
    assert bench.metric("vitalgate_consumer_failures_total", "writer") == 4


async def test_a_database_that_cannot_be_read_is_waited_for(bench: Bench) -> None:
    await bench.hub.database.write(lambda c: c.exec_driver_sql("DROP TABLE consumer"))
    runner = bench.runner(Writer())
    async with running(runner):
        await until(lambda: bench.hub.clock.monotonic() > MAX_BACKOFF_S)
        await bench.hub.database.write(
            lambda c: c.exec_driver_sql(
                "CREATE TABLE consumer (name VARCHAR PRIMARY KEY, cursor BIGINT)"
            )
        )
        await bench.measure(1)
        await until(lambda: runner.cursor == 1)


async def test_an_external_consumer_backs_off_and_holds_up_nobody(
    bench: Bench,
) -> None:
    await bench.measure(4)
    projection = Projection()
    projection.down = 12
    slow, quick = bench.runner(projection), bench.runner(Writer())
    slept: list[float] = []
    sleep = bench.hub.clock.sleep

    async def watch(seconds: float) -> None:
        slept.append(seconds)
        await sleep(seconds)

    bench.hub.clock.sleep = watch  # type: ignore[method-assign]
    async with running(slow), running(quick):
        await until(lambda: quick.lag == 0 and slow.lag == 0)
    assert projection.held == {1, 2, 3, 4}
    assert projection.calls == 13
    assert slept == [min(MAX_BACKOFF_S, MIN_BACKOFF_S * 2**n) for n in range(12)]
    assert await load_cursor(bench.hub.database, "projection") == 4
    assert await bench.hub.letters.counts() == {}


async def test_the_place_of_an_external_consumer_moves_after_the_effect(
    bench: Bench,
) -> None:
    await bench.measure(2)
    projection = Projection()
    runner = bench.runner(projection)
    fail_commits(bench.hub.database.engine, 1)
    with pytest.raises(StorageError):
        await runner.step()
    assert (projection.held, runner.cursor) == ({1, 2}, 0)
    await runner.step()
    assert (projection.calls, runner.cursor) == (2, 2)


@pytest.mark.parametrize("kind", ["writer", "projection"])
async def test_a_poison_entry_is_set_aside_alone(bench: Bench, kind: str) -> None:
    await bench.measure(6)
    writer, projection = Writer(), Projection()
    consumer = writer if kind == "writer" else projection
    consumer.poison = {2, 6}
    runner, other = bench.runner(consumer), bench.runner(Writer())
    other.name = "other"
    await runner.step()
    await other.step()
    good = [1, 3, 4, 5]
    if kind == "writer":
        assert writer.announced == good
        assert writer.tries.count(2) == 1 + MAX_TRIES
        assert sorted(await bench.effects()) == sorted([*good, *range(1, 7)])
    else:
        assert sorted(projection.held) == good
    assert runner.cursor == await load_cursor(bench.hub.database, kind) == 6
    assert bench.metric("vitalgate_consumer_poisoned_total", kind) == 2
    letters = await bench.hub.letters.newest(10)
    bodies = await bench.hub.logged()
    assert [item.payload for item in letters] == [bodies[5], bodies[1]]
    assert {(i.reason, i.topic, i.entry_type) for i in letters} == {
        ("consumer", f"consumer/{kind}", "reading")
    }
    assert all("Invented Name" not in letter.detail for letter in letters)

    # The bug is mended: the letters can be taken again, each once.
    assert not await runner.retry(letters[0])
    assert not await bench.hub.intake.replay(letters[0].id)
    consumer.poison = set()
    assert not await other.retry(letters[0])
    assert await runner.retry(letters[1])
    assert await runner.retry(letters[0])
    assert runner.cursor == await load_cursor(bench.hub.database, kind) == 6
    assert await bench.hub.letters.counts() == {}
    if kind == "writer":
        assert writer.announced == [*good, 2, 6]
    else:
        assert projection.held == set(range(1, 7))


async def test_a_letter_whose_entry_is_gone_is_not_taken(bench: Bench) -> None:
    await bench.measure(1)
    writer = Writer()
    writer.poison = {1}
    runner = bench.runner(writer)
    await runner.step()
    (letter,) = await bench.hub.letters.newest(10)
    await bench.hub.database.write(lambda c: c.execute(delete(log_table)))
    writer.poison = set()
    assert not await runner.retry(letter)
    assert writer.announced == []


async def test_an_error_after_the_commit_does_not_repeat_the_effect(
    bench: Bench,
) -> None:
    await bench.measure(3)
    writer = Writer()
    writer.announce_error = RuntimeError("a listener's bug")
    runner = bench.runner(writer)
    await runner.step()
    assert await bench.effects() == [1, 2, 3]
    assert bench.metric("vitalgate_consumer_failures_total", "writer") == 1
    assert await bench.hub.letters.counts() == {}


async def test_replay_starts_over_on_a_quiet_log(bench: Bench) -> None:
    await bench.measure(3)
    projection = Projection()
    runner = bench.runner(projection)
    async with running(runner):
        await until(lambda: runner.lag == 0)
        await asyncio.sleep(0)
        projection.held.clear()
        await runner.replay()
        await until(lambda: projection.held == {1, 2, 3})


async def test_replay_waits_for_the_batch_in_hand(bench: Bench) -> None:
    await bench.measure(2)
    projection = Projection()
    entered, go = asyncio.Event(), asyncio.Event()
    apply = projection.apply

    async def held_up(entries: list[LogEntry]) -> None:
        entered.set()
        await go.wait()
        await apply(entries)

    projection.apply = held_up  # type: ignore[method-assign]
    runner = bench.runner(projection)
    step = asyncio.create_task(runner.step())
    await entered.wait()
    replay = asyncio.create_task(runner.replay())
    await asyncio.sleep(0)
    go.set()
    await step
    await replay
    assert runner.cursor == await load_cursor(bench.hub.database, "projection") == 0


async def test_the_lag_is_measured(bench: Bench) -> None:
    await bench.measure(7)
    runner = bench.runner(Writer())
    assert bench.metric("vitalgate_consumer_lag", "writer") == 7
    await runner.step()
    assert bench.metric("vitalgate_consumer_lag", "writer") == 0


async def test_rows_that_nobody_can_read_are_passed_over(bench: Bench) -> None:
    await bench.measure(1)
    row = {
        "id": b"\1" * 16,
        "type": "reading",
        "station": "station-a",
        "received_us": 0,
        "body": b"damaged",
    }
    await bench.hub.database.write(lambda c: c.execute(insert(log_table), [row]))
    await bench.hub.log.open()
    runner = bench.runner(Writer())
    async with running(runner):
        await until(lambda: runner.cursor == 1)
        await until(lambda: bench.hub.log.unreadable == 1)
        await bench.measure(1)
        await until(lambda: runner.cursor == 3)
    assert await bench.effects() == [1, 3]
