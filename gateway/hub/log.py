"""The hub's append-only log: every entry once, in one order, for all consumers.

Appending happens inside the caller's transaction; readers see entries after the
commit. The newest entries stay in memory decoded, so that a consumer in step neither
reads nor decodes them again.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import Connection, Row, Select, func, select

from gateway.database.engine import Database
from gateway.database.tables import log
from gateway.database.tables.base import from_us, to_us
from gateway.errors import WireError
from gateway.model.observation import OBSERVATION_NAMESPACE
from gateway.model.session import Attribution, MeasurementSession
from gateway.ports.log import LogBody, LogEntry
from gateway.wire.batch import decode_body

# Decoded entries kept: a few seconds of the busiest hub, about 20 MB.
MAX_TAIL: Final = 20_000

ATTRIBUTION: Final = "attribution"

_ATTRIBUTIONS = msgspec.json.Decoder(Attribution)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLogEntry:
    """To be appended; ``data`` is the encoded ``body``."""

    id: UUID
    type: str
    station: str
    data: bytes
    body: LogBody


def log_id(body: LogBody) -> UUID:
    """The id under which a body stands in the log once.

    A session's opening and closing are two entries of one session.
    """
    if isinstance(body, MeasurementSession):
        state = "open" if body.closed_at is None else f"closed-{body.end}"
        return uuid5(OBSERVATION_NAMESPACE, f"session|{body.station}|{body.id}|{state}")
    return body.id


def attribution_entry(body: Attribution, *, station: str) -> NewLogEntry:
    """An attribution as a log entry."""
    return NewLogEntry(
        id=body.id,
        type=ATTRIBUTION,
        station=station,
        data=msgspec.json.encode(body),
        body=body,
    )


def decode_entry(type_: str, data: bytes) -> LogBody:
    """A stored body.

    Raises:
        WireError: it cannot be read (a row from a newer release, or damage).
    """
    if type_ == ATTRIBUTION:
        try:
            return _ATTRIBUTIONS.decode(data)
        except msgspec.DecodeError as error:
            raise WireError(f"attribution: {error}.", reason="entry") from error
    return decode_body(type_, data)


def append(
    connection: Connection, entries: Iterable[NewLogEntry], now: datetime
) -> list[LogEntry]:
    """Insert what is not held yet; the entries that were new, with their ``seq``.

    Only the database's writer calls this, so no other insert can come between.
    """
    rows = list(entries)
    if not rows:
        return []
    received = to_us(now)
    before = connection.execute(select(func.max(log.c.seq))).scalar() or 0
    values = [(e.id.bytes, e.type, e.station, received, e.data) for e in rows]
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "INSERT OR IGNORE INTO log (id, type, station, received_us, body) "
            "VALUES (?, ?, ?, ?, ?)",
            values,
        )
    else:
        connection.exec_driver_sql(
            "INSERT INTO log (id, type, station, received_us, body) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING",
            values,
        )
    fresh = connection.execute(
        select(log.c.seq, log.c.id).where(log.c.seq > before).order_by(log.c.seq)
    ).all()
    by_id = {e.id.bytes: e for e in rows}
    return [
        LogEntry(
            seq=seq,
            id=by_id[id_].id,
            type=by_id[id_].type,
            station=by_id[id_].station,
            received_at=now,
            body=by_id[id_].body,
        )
        for seq, id_ in fresh
    ]


def _fetch(
    connection: Connection, query: Select[tuple[Any, ...]]
) -> Sequence[Row[tuple[Any, ...]]]:
    return connection.execute(query).all()


class HubLog:
    """Reading the log; implements ``LogReader``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tail: deque[LogEntry] = deque(maxlen=MAX_TAIL)
        self._news = asyncio.Event()
        self.last_seq = 0
        self.unreadable = 0

    async def open(self) -> None:
        """Learn where the log ends."""
        query = select(func.max(log.c.seq))
        self.last_seq = await self._database.read(
            lambda c: c.execute(query).scalar() or 0
        )

    def committed(self, entries: list[LogEntry]) -> None:
        """Take newly committed entries into the tail and wake the readers."""
        for entry in entries:
            if self._tail and entry.seq != self._tail[-1].seq + 1:
                self._tail.clear()  # numbers were skipped by a rolled-back insert
            self._tail.append(entry)
            self.last_seq = max(self.last_seq, entry.seq)
        if entries:
            self._news.set()
            self._news = asyncio.Event()

    async def append(self, entries: list[NewLogEntry], now: datetime) -> list[LogEntry]:
        """Commit entries made at the hub itself."""
        fresh = await self._database.write(lambda c: append(c, entries, now))
        self.committed(fresh)
        return fresh

    async def read(self, after: int, limit: int) -> list[LogEntry]:
        """See ``LogReader.read``. An unreadable row is counted and left out."""
        if after >= self.last_seq:
            return []
        if self._tail and self._tail[0].seq <= after + 1:
            start = after + 1 - self._tail[0].seq
            end = min(len(self._tail), start + limit)
            return [self._tail[i] for i in range(start, end)]
        while True:
            query = select(log).where(log.c.seq > after).order_by(log.c.seq)
            found = query.limit(limit)
            rows = await self._database.read(partial(_fetch, query=found))
            entries = self._decode(rows)
            if entries or not rows:
                return entries
            after = rows[-1].seq

    def _decode(self, rows: Sequence[Row[Any]]) -> list[LogEntry]:
        entries: list[LogEntry] = []
        for row in rows:
            try:
                body = decode_entry(row.type, row.body)
            except WireError:
                self.unreadable += 1
                continue
            entries.append(
                LogEntry(
                    seq=row.seq,
                    id=UUID(bytes=row.id),
                    type=row.type,
                    station=row.station,
                    received_at=from_us(row.received_us),
                    body=body,
                )
            )
        return entries

    async def wait_beyond(self, seq: int) -> None:
        """See ``LogReader.wait_beyond``."""
        while self.last_seq <= seq:
            await self._news.wait()
