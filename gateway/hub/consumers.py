"""Consumers of the log, each with a durable place of its own.

A consumer in the hub's database takes effect in the transaction that moves its cursor;
one elsewhere takes effect first, idempotently. An entry that a consumer cannot digest
(any error but ``StorageError``) is tried alone, then becomes a dead letter of that
consumer, and the others go on.
"""

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database.engine import Database
from gateway.database.tables import consumer, log
from gateway.errors import StorageError
from gateway.hub import dead_letters
from gateway.hub.dead_letters import Refused
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


class ConsumerRunner:
    """Feeds one consumer until cancelled."""

    def __init__(
        self,
        database: Database,
        reader: LogReader,
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

    async def open(self) -> None:
        """Load the durable place."""
        self.cursor = await load_cursor(self._database, self.name)
        self.opened = True

    async def replay(self) -> None:
        """Start over from the beginning of the log."""
        await self._database.write(lambda c: save_cursor(c, self.name, 0))
        self.cursor = 0

    async def run(self) -> None:
        """Consume until cancelled."""
        if not self.opened:
            await self.open()
        backoff = MIN_BACKOFF_S
        while True:
            await self._log.wait_beyond(self.cursor)
            try:
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
            StorageError: nothing was taken; try again later.
        """
        entries = await self._log.read(self.cursor, MAX_BATCH)
        if not entries:
            # Only unreadable rows lie ahead; the log has counted them.
            await self._clock.sleep(MIN_BACKOFF_S)
            return 0
        await self._take(entries)
        return len(entries)

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
                topic=f"consumer/{self.name}",
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

    async def _apply(self, entries: list[LogEntry]) -> None:
        last = entries[-1].seq
        target = self._consumer
        if isinstance(target, TransactionalConsumer):
            transactional = target

            def work(connection: Connection) -> object:
                result = transactional.apply(connection, entries)
                save_cursor(connection, self.name, last)
                return result

            result = await self._database.write(work)
            self.cursor = last
            transactional.committed(result)
        else:
            await target.apply(entries)
            await self._database.write(lambda c: save_cursor(c, self.name, last))
            self.cursor = last
