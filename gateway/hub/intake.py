"""From the inbox to the log: verify, commit, acknowledge, in this order.

Whatever waits in the inbox is committed together, in one transaction. A message that
cannot be understood becomes a dead letter in that same transaction, so it is done with
as durably as a good one, and nothing stops.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, Protocol

import msgspec
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database.engine import Database
from gateway.database.tables import measurement_session, station_range
from gateway.database.tables.base import to_us
from gateway.errors import LinkError, StorageError, WireError
from gateway.hub import dead_letters
from gateway.hub.dead_letters import DeadLetter, DeadLetters, Refused
from gateway.hub.log import HubLog, append
from gateway.hub.ranges import Range, acknowledged, merge
from gateway.hub.receipt import (
    Receipt,
    StatusReceipt,
    check_size,
    read_batch,
    read_entry,
    read_status,
)
from gateway.hub.stations import KnownStation, StationDirectory, store_status
from gateway.model.session import MeasurementSession
from gateway.ports.clock import Clock
from gateway.ports.log import LogEntry
from gateway.ports.messaging import Delivery, Inbox, Message
from gateway.wire.batch import SCHEMA, Acknowledgement, StationStatus
from gateway.wire.seal import Signer
from gateway.wire.topics import StationTopics, parse_up

# Messages committed together; more would delay the first one's acknowledgement.
MAX_GROUP: Final = 64
# A failed commit is tried again after this; meanwhile nothing is acknowledged.
RETRY_S: Final = 0.5


class AckPublisher(Protocol):
    """The part of the message bus that acknowledgements need."""

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """See ``MessageBus.publish``."""


class IntakeMetrics:
    """Counters of the intake."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.entries = Counter(
            "vitalgate_log_entries", "Entries added to the log", registry=registry
        )
        self.repeats = Counter(
            "vitalgate_log_repeats",
            "Entries received that the log held already",
            registry=registry,
        )
        self.refused = Counter(
            "vitalgate_refused",
            "Messages and entries that became dead letters",
            ["reason"],
            registry=registry,
        )
        self.failures = Counter(
            "vitalgate_intake_failures",
            "Commits of the intake that failed and were tried again",
            registry=registry,
        )


@dataclass(slots=True)
class _Group:
    """What one transaction commits."""

    receipts: list[Receipt] = field(default_factory=list)
    statuses: list[StatusReceipt] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Committed:
    fresh: list[LogEntry]
    held: dict[tuple[str, str], list[Range]]


class Intake:
    """Runs until cancelled."""

    def __init__(  # noqa: PLR0913 - made once, by the wiring
        self,
        inbox: Inbox,
        database: Database,
        log: HubLog,
        stations: StationDirectory,
        publisher: AckPublisher,
        *,
        signer: Signer,
        clock: Clock,
        metrics: IntakeMetrics,
        on_status: Callable[[StationStatus], None] | None = None,
    ) -> None:
        self._inbox = inbox
        self._database = database
        self._log = log
        self._stations = stations
        self._publisher = publisher
        self._signer = signer
        self._clock = clock
        self._metrics = metrics
        self._on_status = on_status
        self._letters = DeadLetters(database)

    async def run(self) -> None:
        """Take deliveries until cancelled."""
        waiting: asyncio.Queue[Delivery] = asyncio.Queue(MAX_GROUP)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fill(waiting))
            while True:
                deliveries = [await waiting.get()]
                while len(deliveries) < MAX_GROUP and not waiting.empty():
                    deliveries.append(waiting.get_nowait())
                await self.take(deliveries)

    async def take(self, deliveries: list[Delivery]) -> None:
        """Commit a group of deliveries, acknowledge to stations, then to the broker."""
        group = _Group()
        for delivery in deliveries:
            await self._read(delivery.message, group)
        committed = await self._commit(group)
        for delivery in deliveries:
            delivery.done()
        self._count(group, committed)
        self._log.committed(committed.fresh)
        if self._on_status is not None:
            for item in group.statuses:
                self._on_status(item.status)
        await self._acknowledge(group, committed)

    async def replay(self, id_: int) -> bool:
        """Try a dead letter again; whether it was understood this time.

        Raises:
            NotFoundError: there is no such letter.
        """
        letter = await self._letters.get(id_)
        group = _Group()
        if letter.detail.startswith("entry type "):
            await self._reread_entry(letter, group)
        else:
            message = Message(topic=letter.topic, payload=letter.payload)
            await self._read(message, group)
        if group.refused:
            return False
        committed = await self._commit(group)
        self._log.committed(committed.fresh)
        await self._acknowledge(group, committed)
        await self._letters.mark_replayed(id_, self._clock.now())
        return True

    async def _fill(self, waiting: asyncio.Queue[Delivery]) -> None:
        async for delivery in self._inbox.deliveries():
            await waiting.put(delivery)

    async def _read(self, message: Message, group: _Group) -> None:
        station = ""
        try:
            check_size(message)
            site, station, name = parse_up(message.topic)
            known = _enrolled(await self._stations.find(station), site)
            if name == "status":
                group.statuses.append(read_status(message, known))
            else:
                receipt = read_batch(message, known, name)
                group.receipts.append(receipt)
                group.refused.extend(receipt.refused)
        except WireError as error:
            group.refused.append(
                Refused(
                    topic=message.topic,
                    station=station,
                    reason=error.reason,
                    detail=error.message,
                    payload=message.payload,
                )
            )

    async def _reread_entry(self, letter: DeadLetter, group: _Group) -> None:
        type_ = letter.detail.removeprefix("entry type ").partition(":")[0]
        known = await self._stations.find(letter.station)
        name = letter.topic.rpartition("/")[2]
        try:
            station = _enrolled(known, None if known is None else known.site)
            entry = read_entry(type_, letter.payload, name, letter.station)
        except WireError as error:
            group.refused.append(
                Refused(
                    topic=letter.topic,
                    station=letter.station,
                    reason=error.reason,
                    detail=error.message,
                    payload=letter.payload,
                    entry_type=type_,
                )
            )
            return
        # Its number was acknowledged when it became a dead letter.
        group.receipts.append(
            Receipt(station=station, epoch="", seqs=[], entries=[entry])
        )

    async def _commit(self, group: _Group) -> _Committed:
        """Commit, however long the database takes to come back."""
        while True:
            store = partial(_store, group=group, now=self._clock.now())
            try:
                return await self._database.write(store)
            except StorageError:
                self._metrics.failures.inc()
                await self._clock.sleep(RETRY_S)

    def _count(self, group: _Group, committed: _Committed) -> None:
        received = sum(len(receipt.entries) for receipt in group.receipts)
        self._metrics.entries.inc(len(committed.fresh))
        self._metrics.repeats.inc(received - len(committed.fresh))
        for refused in group.refused:
            self._metrics.refused.labels(reason=refused.reason).inc()

    async def _acknowledge(self, group: _Group, committed: _Committed) -> None:
        known: dict[str, KnownStation] = {
            r.station.id: r.station for r in group.receipts
        }
        for (station, epoch), held in committed.held.items():
            upto, ranges = acknowledged(held)
            topic = StationTopics(known[station].site, station).down("ack")
            body = msgspec.json.encode(
                Acknowledgement(
                    schema=SCHEMA,
                    station=station,
                    epoch=epoch,
                    upto=upto,
                    ranges=ranges,
                )
            )
            try:
                # QoS 0: a lost one costs a repeat, and the repeat asks again.
                await self._publisher.publish(
                    topic, self._signer.seal(topic, body), qos=0
                )
            except LinkError:
                continue  # the station will send again and be told then


def _enrolled(known: KnownStation | None, site: str | None) -> KnownStation:
    if known is None or known.site != site:
        raise WireError(
            "station: not enrolled at this site.",
            reason="unknown-station",
            remedy="Enrol it, then replay this message.",
        )
    return known


def _store(connection: Connection, group: _Group, now: datetime) -> _Committed:
    entries = [entry for receipt in group.receipts for entry in receipt.entries]
    fresh = append(connection, entries, now)
    for entry in fresh:
        if isinstance(entry.body, MeasurementSession):
            _store_session(connection, entry.body)
    held = _store_ranges(connection, group.receipts)
    for item in group.statuses:
        store_status(connection, item.status, item.data, to_us(now))
    dead_letters.store(connection, group.refused, now)
    return _Committed(fresh, held)


def _store_ranges(
    connection: Connection, receipts: list[Receipt]
) -> dict[tuple[str, str], list[Range]]:
    seqs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for receipt in receipts:
        if receipt.epoch:
            seqs[receipt.station.id, receipt.epoch].extend(receipt.seqs)
    result: dict[tuple[str, str], list[Range]] = {}
    for (station, epoch), numbers in seqs.items():
        mine = (station_range.c.station == station) & (station_range.c.epoch == epoch)
        rows = connection.execute(
            select(station_range.c.first, station_range.c.last)
            .where(mine)
            .order_by(station_range.c.first)
        ).all()
        before = [(row.first, row.last) for row in rows]
        after = merge(before, numbers)
        gone = [first for first, _ in set(before) - set(after)]
        if gone:
            connection.execute(
                delete(station_range).where(mine & station_range.c.first.in_(gone))
            )
        new = [
            {"station": station, "epoch": epoch, "first": first, "last": last}
            for first, last in sorted(set(after) - set(before))
        ]
        if new:
            connection.execute(insert(station_range), new)
        result[station, epoch] = after
    return result


def _store_session(connection: Connection, session: MeasurementSession) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    closed = None if session.closed_at is None else to_us(session.closed_at)
    statement = dialect.insert(measurement_session).values(
        id=session.id,
        station=session.station,
        resident=session.resident,
        identified_by=session.identified_by.value,
        opened_by=session.opened_by,
        opened_us=to_us(session.opened_at),
        closed_us=closed,
        end=None if session.end is None else session.end.value,
    )
    if closed is None:
        # The opening may arrive after the closing; it must not open it again.
        statement = statement.on_conflict_do_nothing()
    else:
        statement = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "closed_us": statement.excluded.closed_us,
                "end": statement.excluded.end,
            },
        )
    connection.execute(statement)
