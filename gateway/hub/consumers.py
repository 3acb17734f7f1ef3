"""Consumers of the log, each with a durable place of its own.

A consumer in the hub's database takes effect in the transaction that moves its cursor;
one elsewhere takes effect first, idempotently. An entry that a consumer cannot digest
(any error but ``StorageError``) is tried alone, then becomes a dead letter of that
consumer, and the others go on.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database.engine import Database
from gateway.database.tables import consumer, log
from gateway.database.tables.base import from_us
from gateway.errors import StorageError, WireError
from gateway.hub import dead_letters
from gateway.hub.dead_letters import DeadLetter, DeadLetters, Refused
from gateway.hub.log import decode_entry, log_id
from gateway.ports.clock import Clock
from gateway.ports.log import (
    ExternalConsumer,
    LogEntry,
    LogReader,
    TransactionalConsumer,
)

# Entries per transaction: bounds how long the writer is held and what is redone.
MAX_BATCH: Final = 500
MIN_BACKOFF_S: Final = 0.2
MAX_BACKOFF_S: Final = 30.0
# A consumer's bug must not stop the consumer: tries before an entry is set aside.
MAX_TRIES: Final = 3


class ConsumerMetrics:
    """How far each consumer is behind, and what it could not digest."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lag = Gauge(
            "vitalgate_consumer_lag",
            "Log entries a consumer has not yet taken",
            ["consumer"],
            registry=registry,
        )
        self.failures = Counter(
            "vitalgate_consumer_failures",
            "Batches that failed and were tried again",
            ["consumer"],
            registry=registry,
        )
        self.poisoned = Counter(
            "vitalgate_consumer_poisoned",
            "Entries a consumer could not digest",
            ["consumer"],
            registry=registry,
        )


async def load_cursor(database: Database, name: str) -> int:
    """The durable place of a consumer; 0 for a new one."""
    query = select(consumer.c.cursor).where(consumer.c.name == name)
    return await database.read(lambda c: c.execute(query).scalar() or 0)


def save_cursor(connection: Connection, name: str, cursor: int) -> None:
    """Move a consumer's place, inside the caller's transaction."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(consumer).values(name=name, cursor=cursor)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"cursor": statement.excluded.cursor}
        )
    )


class LogWithEnd(LogReader, Protocol):
    """A log that also knows its end, for the lag."""

    last_seq: int


class ConsumerRunner:
    """Feeds one consumer until cancelled."""

    def __init__(
        self,
        database: Database,
        reader: LogWithEnd,
        consumer_: TransactionalConsumer | ExternalConsumer,
        *,
        clock: Clock,
        metrics: ConsumerMetrics,
    ) -> None:
        self._database = database
        self._log = reader
        self._consumer = consumer_
        self._clock = clock
        self._metrics = metrics
        self.name = consumer_.name
        self.cursor = 0
        self.opened = False
        # A reset or a retry waits for the batch in hand.
        self._turn = asyncio.Lock()
        self._reset = asyncio.Event()
        metrics.lag.labels(consumer=self.name).set_function(lambda: self.lag)

    @property
    def lag(self) -> int:
        """Log entries not yet taken."""
        return max(0, self._log.last_seq - self.cursor)

    async def open(self) -> None:
        """Load the durable place.

        Raises:
            StorageError: the database cannot be read.
        """
        self.cursor = await load_cursor(self._database, self.name)
        self.opened = True

    async def replay(self) -> None:
        """Start over from the beginning of the log.

        Raises:
            StorageError: the place was not moved.
        """
        async with self._turn:
            await self._database.write(lambda c: save_cursor(c, self.name, 0))
            self.cursor = 0
            self._reset.set()

    async def retry(self, letter: DeadLetter) -> bool:
        """Give the consumer an entry again that it could not digest; whether it did.

        Its place in the log does not move. A letter that is not this consumer's, or
        whose entry is not in the log, is not taken.

        Raises:
            StorageError: the database, or what the consumer writes to, failed.
        """
        if letter.topic != _topic(self.name):
            return False
        entry = await self._find(letter)
        if entry is None:
            return False
        async with self._turn:
            try:
                await self._apply([entry], move=False)
            except StorageError:
                raise
            except Exception:  # noqa: BLE001 - a supervisor: it stays a dead letter
                self._metrics.failures.labels(consumer=self.name).inc()
                return False
        now = self._clock.now()
        await DeadLetters(self._database).mark_replayed(letter.id, now)
        return True

    async def run(self) -> None:
        """Consume until cancelled."""
        backoff = MIN_BACKOFF_S
        while True:
            try:
                if not self.opened:
                    await self.open()
                await self._wait()
                await self.step()
            except StorageError:
                self._metrics.failures.labels(consumer=self.name).inc()
                await self._clock.sleep(backoff)
                backoff = min(MAX_BACKOFF_S, backoff * 2)
            else:
                backoff = MIN_BACKOFF_S

    async def step(self) -> int:
        """Take one batch; how many entries it had.

        Raises:
            StorageError: not all was taken; try again later.
        """
        async with self._turn:
            entries = await self._log.read(self.cursor, MAX_BATCH)
            if entries:
                await self._take(entries)
                return len(entries)
        # Only unreadable rows lie ahead, if any; the log has counted them.
        await self._clock.sleep(MIN_BACKOFF_S)
        return 0

    async def _wait(self) -> None:
        """Until there is something beyond the place, which a reset moves back."""
        self._reset.clear()
        if self._log.last_seq > self.cursor:
            return
        waiting = [
            asyncio.ensure_future(self._log.wait_beyond(self.cursor)),
            asyncio.ensure_future(self._reset.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiting:
                waiter.cancel()

    async def _find(self, letter: DeadLetter) -> LogEntry | None:
        try:
            body = decode_entry(letter.entry_type, letter.payload)
        except WireError:
            return None
        query = select(log).where(log.c.id == log_id(body).bytes)
        row = await self._database.read(lambda c: c.execute(query).one_or_none())
        if row is None:
            return None
        return LogEntry(
            seq=row.seq,
            id=log_id(body),
            type=row.type,
            station=row.station,
            received_at=from_us(row.received_us),
            body=body,
            size=len(row.body),
        )

    async def _take(self, entries: Sequence[LogEntry]) -> None:
        try:
            await self._apply(list(entries))
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - a supervisor: see below
            # The consumer has a bug or met what it cannot digest. Isolate the entry.
            if len(entries) > 1:
                for entry in entries:
                    await self._take([entry])
                return
            await self._set_aside(entries[0], error)

    async def _set_aside(self, entry: LogEntry, error: Exception) -> None:
        for _ in range(MAX_TRIES - 1):
            try:
                await self._apply([entry])
            except StorageError:
                raise
            except Exception as again:  # noqa: BLE001 - the same supervisor
                error = again
            else:
                return
        self._metrics.poisoned.labels(consumer=self.name).inc()
        now = self._clock.now()

        def put(connection: Connection) -> None:
            body = connection.execute(
                select(log.c.body).where(log.c.seq == entry.seq)
            ).scalar()
            refused = Refused(
                topic=_topic(self.name),
                station=entry.station,
                reason="consumer",
                # The type of the error only: its text may quote a value.
                detail=f"{self.name}: {type(error).__name__} at log entry {entry.seq}.",
                payload=body or b"",
                entry_type=entry.type,
            )
            dead_letters.store(connection, [refused], now)
            save_cursor(connection, self.name, entry.seq)

        await self._database.write(put)
        self.cursor = entry.seq

    async def _apply(self, entries: list[LogEntry], *, move: bool = True) -> None:
        last = entries[-1].seq
        target = self._consumer
        if isinstance(target, TransactionalConsumer):
            transactional = target

            def work(connection: Connection) -> object:
                result = transactional.apply(connection, entries)
                if move:
                    save_cursor(connection, self.name, last)
                return result

            result = await self._database.write(work)
            if move:
                self.cursor = last
            self._committed(transactional, result)
        else:
            await target.apply(entries)
            if move:
                await self._database.write(lambda c: save_cursor(c, self.name, last))
                self.cursor = last

    def _committed(self, target: TransactionalConsumer, result: object) -> None:
        """Announce a commit; an error here must not have it done again."""
        try:
            target.committed(result)
        except Exception:  # noqa: BLE001 - a supervisor: counted, the effect stands
            self._metrics.failures.labels(consumer=self.name).inc()


def _topic(name: str) -> str:
    """Where a consumer's dead letters say that they come from."""
    return f"consumer/{name}"
