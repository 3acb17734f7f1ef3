"""The embedded series store: points, newest values and waveforms in the hub's database.

As a consumer it projects the log, effect and cursor in one transaction. Everything here
can be rebuilt from the log; the log itself is never changed. An attribution (a claim, a
re-assignment, an aborted session) moves a reading between series.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import (
    Connection,
    Float,
    Row,
    and_,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database.engine import Database
from gateway.database.tables import latest, log, point, waveform
from gateway.database.tables.base import from_us, to_us
from gateway.errors import StorageError
from gateway.model.observation import Absent, Observation
from gateway.model.session import Attribution
from gateway.model.waveform import WaveformChunk
from gateway.ports.log import LogEntry
from gateway.ports.series import Point, Window
from gateway.wire.batch import decode_body

# Points one query returns; a screen shows fewer, an export asks in slices.
MAX_POINTS: Final = 50_000
# Chunks one query returns: 30 minutes of one lead in ten-second chunks.
MAX_CHUNKS: Final = 180

_NIL: Final = UUID(int=0)
_DIGITS: Final = Decimal("0.001")


class SqlSeries:
    """Implements ``SeriesStore`` and ``TransactionalConsumer``."""

    name = "series"

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- consumer -------------------------------------------------------------------

    def apply(self, connection: Connection, entries: list[LogEntry]) -> None:
        """Project log entries; the same entries again change nothing."""
        run_observations: list[Observation] = []
        run_chunks: list[WaveformChunk] = []
        for entry in entries:
            body = entry.body
            if isinstance(body, Observation):
                run_observations.append(body)
            elif isinstance(body, WaveformChunk):
                run_chunks.append(body)
            elif isinstance(body, Attribution):
                # What came before must be in place before it can be moved.
                _store(connection, run_observations, run_chunks)
                run_observations, run_chunks = [], []
                _move(connection, body)
        _store(connection, run_observations, run_chunks)

    def committed(self, result: object) -> None:
        """Nothing to announce: readers ask."""

    # --- store ----------------------------------------------------------------------

    async def write(
        self, observations: list[Observation], chunks: list[WaveformChunk]
    ) -> None:
        """See ``SeriesStore.write``."""
        await self._database.write(lambda c: _store(c, observations, chunks))

    async def points(
        self, resident: str, metric: str, start: datetime, end: datetime, limit: int
    ) -> list[Point]:
        """See ``SeriesStore.points``; ``limit`` is capped at ``MAX_POINTS``."""
        query = (
            select(point)
            .where(
                point.c.resident == resident,
                point.c.metric == metric,
                point.c.at_us >= to_us(start),
                point.c.at_us < to_us(end),
            )
            .order_by(point.c.at_us, point.c.observation)
            .limit(min(limit, MAX_POINTS))
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [_point(row) for row in rows]

    async def windows(
        self, resident: str, metric: str, start: datetime, end: datetime, width_s: int
    ) -> list[Window]:
        """See ``SeriesStore.windows``.

        Raises:
            StorageError: ``width_s`` is not positive.
        """
        if width_s <= 0:
            raise StorageError("width: must be at least one second.")
        width = width_s * 1_000_000
        bucket = (point.c.at_us - point.c.at_us % width).label("bucket")
        number = cast(point.c.value, Float)
        query = (
            select(
                bucket,
                func.count().label("n"),
                func.min(number).label("low"),
                func.max(number).label("high"),
                func.avg(number).label("mean"),
            )
            .where(
                point.c.resident == resident,
                point.c.metric == metric,
                point.c.at_us >= to_us(start),
                point.c.at_us < to_us(end),
                point.c.value.is_not(None),
                point.c.quality.in_(("ok", "questionable")),
            )
            .group_by(bucket)
            .order_by(bucket)
            .limit(MAX_POINTS)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [
            Window(
                start=from_us(row.bucket),
                count=row.n,
                minimum=_decimal(row.low),
                maximum=_decimal(row.high),
                mean=_decimal(row.mean),
            )
            for row in rows
        ]

    async def latest(self, resident: str) -> dict[str, Point]:
        """See ``SeriesStore.latest``."""
        query = select(latest).where(latest.c.resident == resident)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return {row.metric: _point(row) for row in rows}

    async def waveforms(
        self, resident: str, kind: str, start: datetime, end: datetime
    ) -> list[WaveformChunk]:
        """See ``SeriesStore.waveforms``; at most ``MAX_CHUNKS``, newest kept."""
        query = (
            select(waveform.c.body, waveform.c.stream, waveform.c.first)
            .where(
                waveform.c.resident == resident,
                waveform.c.kind == kind,
                waveform.c.start_us < to_us(end),
                waveform.c.end_us > to_us(start),
            )
            .order_by(waveform.c.start_us.desc())
            .limit(MAX_CHUNKS)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        chunks = [_CHUNKS.decode(row.body) for row in rows]
        return sorted(chunks, key=lambda chunk: (chunk.t0, chunk.stream, chunk.index))


_CHUNKS = msgspec.msgpack.Decoder(WaveformChunk)


def _decimal(value: float) -> Decimal:
    """A REAL of SQL as a decimal of three places, without trailing zeros."""
    rounded = Decimal(repr(value)).quantize(_DIGITS).normalize()
    exponent = rounded.as_tuple().exponent
    # 1E+2 reads badly on a screen and in JSON.
    return rounded.quantize(Decimal(1)) if int(exponent) > 0 else rounded


def _point(row: Row[Any]) -> Point:
    return Point(
        at=from_us(row.at_us),
        value=None if row.value is None else Decimal(row.value),
        absent=row.absent,
        quality=row.quality,
        observation=UUID(bytes=row.observation),
        kind=row.kind,
        flags=tuple(json.loads(row.flags)),
    )


def _point_rows(observation: Observation, resident: str) -> Iterable[dict[str, object]]:
    flags = json.dumps(observation.flags)
    for component in observation.components:
        quantity = component.quantity
        absent = quantity.absent or (Absent.UNKNOWN if quantity.value is None else None)
        yield {
            "resident": resident,
            "metric": component.name,
            "at_us": to_us(observation.taken_at),
            "observation": observation.id.bytes,
            "value": None if quantity.value is None else str(quantity.value),
            "absent": "" if absent is None else absent.value,
            "quality": observation.quality.value,
            "kind": observation.kind,
            "flags": flags,
        }


def _store(
    connection: Connection,
    observations: list[Observation],
    chunks: list[WaveformChunk],
) -> None:
    rows = [
        row
        for observation in observations
        if observation.subject
        for row in _point_rows(observation, observation.subject)
    ]
    if rows:
        connection.execute(_insert_new(connection, point), rows)
        _raise_latest(connection, rows)
    if chunks:
        connection.execute(
            _insert_new(connection, waveform), [_chunk_row(chunk) for chunk in chunks]
        )


def _chunk_row(chunk: WaveformChunk) -> dict[str, object]:
    end = chunk.t0 + timedelta(seconds=chunk.count / chunk.rate)
    return {
        "id": chunk.id.bytes,
        # An unclaimed recording is kept under the empty name until it is claimed.
        "resident": chunk.subject or "",
        "kind": chunk.kind,
        "stream": chunk.stream,
        "first": chunk.index,
        "start_us": to_us(chunk.t0),
        "end_us": to_us(end),
        "body": msgspec.msgpack.encode(chunk),
    }


def _insert_new(connection: Connection, table: Any) -> Any:  # noqa: ANN401 - dialects
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def _raise_latest(connection: Connection, rows: list[dict[str, object]]) -> None:
    newest: dict[tuple[object, object], dict[str, object]] = {}
    for row in rows:
        key = (row["resident"], row["metric"])
        known = newest.get(key)
        if known is None or _order(known) <= _order(row):
            newest[key] = row
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(latest)
    fresh = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["resident", "metric"],
        set_={
            name: getattr(fresh, name)
            for name in (
                "at_us",
                "observation",
                "value",
                "absent",
                "quality",
                "kind",
                "flags",
            )
        },
        where=latest.c.at_us <= fresh.at_us,
    )
    connection.execute(statement, list(newest.values()))


def _order(row: dict[str, object]) -> int:
    at = row["at_us"]
    return at if isinstance(at, int) else 0


def _move(connection: Connection, attribution: Attribution) -> None:
    if attribution.stream:
        connection.execute(
            update(waveform)
            .where(waveform.c.stream == attribution.stream)
            .values(resident=attribution.resident)
        )
        return
    if attribution.observation == _NIL:
        return
    digest = attribution.observation.bytes
    stale = connection.execute(
        select(point.c.resident, point.c.metric).where(point.c.observation == digest)
    ).all()
    connection.execute(delete(point).where(point.c.observation == digest))
    for resident, metric in stale:
        _recompute_latest(connection, resident, metric)
    if not attribution.resident:
        return
    row = connection.execute(
        select(log.c.type, log.c.body).where(log.c.id == digest)
    ).one_or_none()
    if row is None:
        return  # claimed before it arrived: the claim names a reading not held here
    body = decode_body(row.type, row.body)
    if isinstance(body, Observation):
        rows = list(_point_rows(body, attribution.resident))
        connection.execute(_insert_new(connection, point), rows)
        _raise_latest(connection, rows)


def _recompute_latest(connection: Connection, resident: str, metric: str) -> None:
    connection.execute(
        delete(latest).where(
            and_(latest.c.resident == resident, latest.c.metric == metric)
        )
    )
    row = (
        connection.execute(
            select(point)
            .where(point.c.resident == resident, point.c.metric == metric)
            .order_by(point.c.at_us.desc())
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    if row is not None:
        connection.execute(insert(latest), dict(row))
