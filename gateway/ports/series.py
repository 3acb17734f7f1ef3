"""The time-series port: same contract for every store (tests/stores/contract)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from gateway.model.observation import Observation
from gateway.model.waveform import WaveformChunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of one metric of one person. ``value`` is None for HI and LO."""

    at: datetime
    value: Decimal | None
    absent: str
    quality: str
    observation: UUID
    kind: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Statistics of one metric in ``[start, start + width)``; only numbers count."""

    start: datetime
    count: int
    minimum: Decimal
    maximum: Decimal
    mean: Decimal


class SeriesStore(Protocol):
    """Where readings are kept by person, metric and time. Writes are idempotent."""

    async def write(
        self, observations: list[Observation], chunks: list[WaveformChunk]
    ) -> None:
        """Store; writing the same again changes nothing. Unclaimed ones are skipped.

        Raises:
            StorageError: not stored; try again.
        """

    async def points(
        self, resident: str, metric: str, start: datetime, end: datetime, limit: int
    ) -> list[Point]:
        """Raw points of ``[start, end)``, oldest first."""

    async def windows(
        self, resident: str, metric: str, start: datetime, end: datetime, width_s: int
    ) -> list[Window]:
        """Windows aligned to the epoch, empty ones left out, oldest first."""

    async def latest(self, resident: str) -> dict[str, Point]:
        """The newest point of each metric."""

    async def waveforms(
        self, resident: str, kind: str, start: datetime, end: datetime
    ) -> list[WaveformChunk]:
        """Chunks that overlap ``[start, end)``, by stream and index."""
