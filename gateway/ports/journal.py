"""The station's journal: nothing is shown, sent or forgotten before it is here."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class EntryType(enum.StrEnum):
    """What an entry's body holds."""

    READING = "reading"
    WAVEFORM = "waveform"
    SESSION = "session"
    EVENT = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """To be appended. ``key`` makes a second append of the same thing harmless.

    ``body`` is the encoded struct: JSON, MessagePack for waveforms.
    """

    type: EntryType
    key: bytes
    body: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A committed entry and its sequence number."""

    seq: int
    type: EntryType
    body: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalState:
    """For the operator: how much is unsent, how old, and how full the disk is."""

    epoch: str
    depth: int
    oldest_at: datetime | None
    last_seq: int
    acknowledged: int
    bytes_used: int
    bytes_quota: int
    refused_waveforms: int
    refused_readings: int


class Journal(Protocol):
    """Durable, append-only, bounded by quota."""

    @property
    def epoch(self) -> str:
        """Changes when the disk was replaced."""

    async def append(self, entries: list[NewEntry]) -> list[int | None]:
        """Commit; the seq of each entry, None for one whose key is already held.

        Raises:
            QuotaExceededError: the disk quota is used up; nothing was appended.
        """

    async def fresh(self, after: int, limit: int) -> list[Entry]:
        """Unacknowledged entries with ``seq > after``, oldest first."""

    async def acknowledge(
        self, epoch: str, upto: int, ranges: list[tuple[int, int]]
    ) -> None:
        """Free entries that the hub holds: all up to ``upto``, and inclusive ranges."""

    async def state(self) -> JournalState:
        """Depth, age and fill."""
