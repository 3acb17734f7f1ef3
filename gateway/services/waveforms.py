"""Recordings: which there are, and their samples as 16-bit integers with gaps named."""

import asyncio
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from gateway.database.engine import Database
from gateway.database.tables import waveform
from gateway.database.tables.base import from_us, to_us
from gateway.errors import NotFoundError
from gateway.model.waveform import WaveformChunk, unpack_samples
from gateway.ports.series import SeriesStore
from gateway.records.access import Grant, Viewer
from gateway.services.access import Access

# Recordings of one list; a resident records a few a day.
MAX_RECORDINGS: Final = 200
# Seconds of one answer: 20 minutes of one lead stay within the 180 chunks that the
# series store returns, and at 500 Hz within 1.2 MB.
MAX_SECONDS: Final = 1200
_INT16: Final = (-32_768, 32_767)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One lead of one recording. ``samples`` counts what is held, without gaps."""

    stream: str
    kind: str
    start: datetime
    end: datetime
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """``missing`` samples that never came, before sample ``at`` of the answer."""

    at: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Samples of one lead.

    Attributes:
        samples: little-endian signed 16-bit counts.
        rate: samples per second.
        scale: physical units per count.
        baseline: count that stands for zero.
        gaps: missing samples, by their place; nothing is filled.
        next: where the recording goes on; None at its end.
    """

    stream: str
    kind: str
    samples: bytes
    count: int
    rate: float
    scale: float
    baseline: int
    unit: str
    start: datetime
    gaps: tuple[Gap, ...]
    next: datetime | None


class Waveforms:
    """Recordings of residents."""

    def __init__(self, database: Database, access: Access, series: SeriesStore) -> None:
        self._database = database
        self._access = access
        self._series = series

    async def list(self, viewer: Viewer, resident: str) -> "list[Recording]":
        """A resident's recordings, newest first.

        Raises:
            NotFoundError: no such resident, or not theirs.
        """
        _, leave = await self._access.grant(viewer, resident)
        query = (
            select(
                waveform.c.stream,
                waveform.c.kind,
                func.min(waveform.c.start_us).label("start"),
                func.max(waveform.c.end_us).label("finish"),
                func.count().label("chunks"),
            )
            .where(waveform.c.resident == resident)
            .group_by(waveform.c.stream, waveform.c.kind)
            .order_by(func.min(waveform.c.start_us).desc(), waveform.c.kind)
            .limit(MAX_RECORDINGS)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [
            Recording(
                stream=row.stream,
                kind=row.kind,
                start=from_us(row.start),
                end=from_us(row.finish),
                chunks=row.chunks,
            )
            for row in rows
            if leave.since is None or from_us(row.start) >= leave.since
        ]

    async def strip(
        self, viewer: Viewer, stream: str, kind: str, *, start: datetime | None
    ) -> Strip:
        """Up to ``MAX_SECONDS`` of one lead, from ``start`` or its beginning.

        Raises:
            NotFoundError: no such recording or lead, nothing from ``start`` on, or not
                theirs to see.
        """
        query = (
            select(
                waveform.c.resident,
                func.min(waveform.c.start_us).label("start"),
                func.max(waveform.c.end_us).label("finish"),
            )
            .where(waveform.c.stream == stream, waveform.c.kind == kind)
            .group_by(waveform.c.resident)
            .limit(1)
        )
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None or not row.resident:
            raise _no_recording()
        try:
            _, leave = await self._access.grant(viewer, row.resident)
        except NotFoundError as error:
            raise _no_recording() from error
        if not _covers(leave, from_us(row.start)):
            raise _no_recording()
        begin = from_us(max(row.start, to_us(start) if start else row.start))
        finish = from_us(row.finish)
        until = min(finish, begin + timedelta(seconds=MAX_SECONDS))
        held = await self._series.waveforms(row.resident, kind, begin, until)
        chunks = sorted((c for c in held if c.stream == stream), key=lambda c: c.index)
        if not chunks:
            raise _no_recording()
        return await asyncio.to_thread(join_chunks, chunks, finish)


def join_chunks(chunks: list[WaveformChunk], finish: datetime) -> Strip:
    """One strip of chunks in order of index; ``finish`` is the recording's end.

    Ends early where rate, scale, unit or baseline change: the rest is the next strip.

    Raises:
        ValueError: a stored chunk is damaged.
    """
    first = chunks[0]
    values: list[int] = []
    gaps: list[Gap] = []
    expected = first.index
    following: datetime | None = None
    end = first.t0
    for chunk in chunks:
        if _form(chunk) != _form(first):
            following = chunk.t0
            break
        counts = unpack_samples(chunk.samples, chunk.count)
        if chunk.index > expected:
            gaps.append(Gap(at=len(values), missing=chunk.index - expected))
        # What two chunks both hold is taken once.
        repeated = max(0, expected - chunk.index)
        values.extend(counts[repeated:])
        expected = max(expected, chunk.index + chunk.count)
        end = chunk.t0 + timedelta(seconds=chunk.count / chunk.rate)
    # Half a sample: times are rounded to microseconds.
    if following is None and finish - end > timedelta(seconds=0.5 / first.rate):
        following = end
    samples, shift, factor = to_int16(values)
    return Strip(
        stream=first.stream,
        kind=first.kind,
        samples=samples,
        count=len(values),
        rate=first.rate,
        scale=first.scale * factor,
        baseline=round((first.baseline - shift) / factor),
        unit=first.unit,
        start=first.t0,
        gaps=tuple(gaps),
        next=following,
    )


def to_int16(values: list[int]) -> tuple[bytes, int, int]:
    """(bytes, shift, factor) with ``value = count * factor + shift``.

    Exact while the values span less than 65 536 counts; wider ones (24-bit converters)
    are divided by the smallest whole factor that makes them fit.
    """
    if not values:
        return b"", 0, 1
    low, high = min(values), max(values)
    if low >= _INT16[0] and high <= _INT16[1]:
        return struct.pack(f"<{len(values)}h", *values), 0, 1
    factor = -(-(high - low) // (_INT16[1] - _INT16[0])) or 1
    shift = (low + high) // 2
    scaled = [
        min(_INT16[1], max(_INT16[0], round((value - shift) / factor)))
        for value in values
    ]
    return struct.pack(f"<{len(scaled)}h", *scaled), shift, factor


def _form(chunk: WaveformChunk) -> tuple[float, float, int, str]:
    return chunk.rate, chunk.scale, chunk.baseline, chunk.unit


def _covers(leave: Grant, at: datetime) -> bool:
    return leave.since is None or at >= leave.since


def _no_recording() -> NotFoundError:
    return NotFoundError("recording: not found.")
