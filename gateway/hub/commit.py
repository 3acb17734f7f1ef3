"""What the intake commits in one transaction, and how."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database.tables import measurement_session, station_range
from gateway.database.tables.base import to_us
from gateway.hub import dead_letters
from gateway.hub.dead_letters import Refused
from gateway.hub.log import append
from gateway.hub.ranges import Range, merge
from gateway.hub.receipt import Receipt, StatusReceipt
from gateway.hub.stations import store_status
from gateway.model.session import MeasurementSession
from gateway.ports.log import LogEntry

_GONE = (
    delete(station_range)
    .where(station_range.c.station == bindparam("s"))
    .where(station_range.c.epoch == bindparam("e"))
    .where(station_range.c.first == bindparam("f"))
)


@dataclass(slots=True)
class Group:
    """What one transaction commits."""

    receipts: list[Receipt] = field(default_factory=list)
    statuses: list[StatusReceipt] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    @classmethod
    def of(cls, read: Iterable[Receipt | StatusReceipt | Refused]) -> "Group":
        """Messages as they were read, in their order."""
        group = cls()
        for item in read:
            match item:
                case Receipt():
                    group.receipts.append(item)
                    group.refused.extend(item.refused)
                case StatusReceipt():
                    group.statuses.append(item)
                case Refused():
                    group.refused.append(item)
        return group


@dataclass(frozen=True, slots=True)
class Committed:
    """What came of it: new log entries, and what each station's journal has here."""

    fresh: list[LogEntry]
    held: dict[tuple[str, str], list[Range]]


def store(connection: Connection, group: Group, now: datetime) -> Committed:
    """Runs in the database's writer, inside its transaction."""
    entries = [entry for receipt in group.receipts for entry in receipt.entries]
    fresh = append(connection, entries, now)
    for entry in fresh:
        if isinstance(entry.body, MeasurementSession):
            _store_session(connection, entry.body)
    held = _store_ranges(connection, group.receipts)
    for item in group.statuses:
        store_status(connection, item.status, item.data, to_us(now))
    dead_letters.store(connection, group.refused, now)
    return Committed(fresh, held)


def _store_ranges(
    connection: Connection, receipts: list[Receipt]
) -> dict[tuple[str, str], list[Range]]:
    """Three statements, however many stations the group has."""
    seqs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for receipt in receipts:
        if receipt.epoch:
            seqs[receipt.station.id, receipt.epoch].extend(receipt.seqs)
    if not seqs:
        return {}
    columns = station_range.c
    rows = connection.execute(
        select(columns.station, columns.epoch, columns.first, columns.last)
        .where(columns.station.in_({station for station, _ in seqs}))
        .where(columns.epoch.in_({epoch for _, epoch in seqs}))
    )
    before: dict[tuple[str, str], list[Range]] = defaultdict(list)
    for station, epoch, first, last in rows:
        before[station, epoch].append((first, last))
    after = {key: merge(before.get(key, ()), seqs[key]) for key in seqs}
    gone: list[dict[str, str | int]] = []
    new: list[dict[str, str | int]] = []
    for key, ranges in after.items():
        had = set(before.get(key, ()))
        for first, _ in had.difference(ranges):
            gone.append({"s": key[0], "e": key[1], "f": first})
        for first, last in set(ranges).difference(had):
            new.append(
                {"station": key[0], "epoch": key[1], "first": first, "last": last}
            )
    if gone:
        connection.execute(_GONE, gone)
    if new:
        connection.execute(insert(station_range), new)
    return after


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
            # A station closes its own sessions only.
            where=measurement_session.c.station == session.station,
        )
    connection.execute(statement)
