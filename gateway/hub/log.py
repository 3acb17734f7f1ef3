"""The hub's append-only log: every entry once, in one order, for all consumers.

Appending happens inside the caller's transaction; readers see entries after the
commit. The newest entries stay in memory decoded, so that a consumer in step neither
reads nor decodes them again.
"""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, func, select

from gateway.database.engine import Database
from gateway.database.tables import log
from gateway.database.tables.base import from_us, to_us
from gateway.errors import WireError
from gateway.model.observation import OBSERVATION_NAMESPACE, Observation
from gateway.model.session import Attribution, MeasurementSession
from gateway.model.waveform import WaveformChunk
from gateway.ports.log import LogBody, LogEntry
from gateway.wire.batch import UNREADABLE, decode_body, fault

# Decoded entries kept: about a second of the busiest hub.
MAX_TAIL: Final = 20_000
# Bytes of their encoded bodies: as many readings of 800 bytes, or fewer recordings.
MAX_TAIL_BYTES: Final = 16_000_000
# Unreadable rows remembered, so that none is counted twice.
MAX_UNREADABLE: Final = 10_000

ATTRIBUTION: Final = "attribution"

_MEASURED: Final = (Observation, WaveformChunk)
_LAST_SEQ: Final = select(func.max(log.c.seq))
_AFTER: Final = (
    select(log.c.seq, log.c.id)
    .where(log.c.seq > bindparam("before"))
    .order_by(log.c.seq)
)

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
        except UNREADABLE as error:
            raise WireError(f"attribution: {fault(error)}.", reason="entry") from error
    return decode_body(type_, data)


def append(
    connection: Connection, entries: Iterable[NewLogEntry], now: datetime
) -> list[LogEntry]:
    """Insert what is not held yet; the entries that were new, with their ``seq``.

    Of two new entries with one id the first counts. Only the database's writer calls
    this, so no other insert can come between.
    """
    rows = list(entries)
    if not rows:
        return []
    received = to_us(now)
    before = connection.execute(_LAST_SEQ).scalar() or 0
    by_id = {e.id.bytes: e for e in reversed(rows)}
    values = [
        (
            e.id.bytes,
            e.type,
            e.station,
            received,
            e.data,
            e.body.session if isinstance(e.body, _MEASURED) else None,
        )
        for e in rows
    ]
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "INSERT OR IGNORE INTO log "
            "(id, type, station, received_us, body, session) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            values,
        )
    else:
        connection.exec_driver_sql(
            "INSERT INTO log (id, type, station, received_us, body, session) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING",
            values,
        )
    fresh = connection.execute(_AFTER, {"before": before})
    return [_entry(seq, by_id[id_], now) for seq, id_ in fresh]


def _entry(seq: int, new: NewLogEntry, now: datetime) -> LogEntry:
    return LogEntry(
        seq=seq,
        id=new.id,
        type=new.type,
        station=new.station,
        received_at=now,
        body=new.body,
        size=len(new.data),
    )


def _fetch(
    connection: Connection, query: Select[tuple[Any, ...]]
) -> Sequence[Row[tuple[Any, ...]]]:
    return connection.execute(query).all()


class HubLog:
    """Reading the log; implements ``LogReader``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tail: deque[LogEntry] = deque()
        self._tail_bytes = 0
        # The tail holds every entry beyond this.
        self._floor = 0
        self._news = asyncio.Event()
        self._unreadable: set[int] = set()
        # After the first lies nothing readable up to the second.
        self._barren = (-1, -1)
        self.last_seq = 0

    @property
    def unreadable(self) -> int:
        """Rows met that cannot be read; at most ``MAX_UNREADABLE`` are counted."""
        return len(self._unreadable)

    async def open(self) -> None:
        """Learn where the log ends."""
        self.last_seq = await self._database.read(
            lambda c: c.execute(_LAST_SEQ).scalar() or 0
        )
        self._tail.clear()
        self._tail_bytes = 0
        self._floor = self.last_seq

    def committed(self, entries: list[LogEntry]) -> None:
        """Take newly committed entries into the tail and wake the readers.

        Those of two transactions may be announced in the other order: then the tail
        begins anew after the gap, and the readers find the rest in the table.
        """
        if not entries or entries[-1].seq <= self.last_seq:
            return
        if entries[0].seq != self.last_seq + 1:
            self._tail.clear()
            self._tail_bytes = 0
            self._floor = entries[0].seq - 1
        self._tail.extend(entries)
        self._tail_bytes += sum(entry.size for entry in entries)
        self.last_seq = entries[-1].seq
        while len(self._tail) > MAX_TAIL or self._tail_bytes > MAX_TAIL_BYTES:
            oldest = self._tail.popleft()
            self._tail_bytes -= oldest.size
            self._floor = oldest.seq
        self._news.set()
        self._news = asyncio.Event()

    async def append(self, entries: list[NewLogEntry], now: datetime) -> list[LogEntry]:
        """Commit entries made at the hub itself."""
        fresh = await self._database.write(lambda c: append(c, entries, now))
        self.committed(fresh)
        return fresh

    async def read(self, after: int, limit: int) -> list[LogEntry]:
        """See ``LogReader.read``. An unreadable row is counted and left out.

        Raises:
            StorageError: the database cannot be read.
        """
        if after >= self.last_seq:
            return []
        if after >= self._floor:
            # Numbers may be missing: a repeat that was not inserted uses one up.
            start = bisect_right(self._tail, after, key=attrgetter("seq"))
            end = min(len(self._tail), start + limit)
            return [self._tail[i] for i in range(start, end)]
        asked = after
        if after == self._barren[0]:
            after = self._barren[1]
        while True:
            query = select(log).where(log.c.seq > after).order_by(log.c.seq)
            found = query.limit(limit)
            rows = await self._database.read(partial(_fetch, query=found))
            entries = self._decode(rows)
            if entries or not rows:
                return entries
            after = rows[-1].seq
            self._barren = (asked, after)

    def _decode(self, rows: Sequence[Row[Any]]) -> list[LogEntry]:
        entries: list[LogEntry] = []
        for row in rows:
            try:
                body = decode_entry(row.type, row.body)
            except WireError:
                if len(self._unreadable) < MAX_UNREADABLE:
                    self._unreadable.add(row.seq)
                continue
            entries.append(
                LogEntry(
                    seq=row.seq,
                    id=UUID(bytes=row.id),
                    type=row.type,
                    station=row.station,
                    received_at=from_us(row.received_us),
                    body=body,
                    size=len(row.body),
                )
            )
        return entries

    async def wait_beyond(self, seq: int) -> None:
        """See ``LogReader.wait_beyond``."""
        while self.last_seq <= seq:
            await self._news.wait()
