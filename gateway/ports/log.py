"""The hub's log as its consumers see it.

Everything behind the log is a consumer with a cursor of its own. Where effect and
cursor share the database, they move in one transaction (``TransactionalConsumer``);
elsewhere the effect is idempotent (``ExternalConsumer``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable
from uuid import UUID

from sqlalchemy import Connection

from gateway.model.observation import Observation
from gateway.model.session import Attribution, MeasurementSession, TechnicalEvent
from gateway.model.waveform import WaveformChunk

LogBody = (
    Observation | WaveformChunk | MeasurementSession | TechnicalEvent | Attribution
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One committed entry, decoded; ``size`` is the encoded body's, in bytes."""

    seq: int
    id: UUID
    type: str
    station: str
    received_at: datetime
    body: LogBody
    size: int = 0


@runtime_checkable
class TransactionalConsumer(Protocol):
    """A consumer whose effect lives in the hub's database."""

    @property
    def name(self) -> str:
        """Names its cursor; never changes."""

    def apply(self, connection: Connection, entries: list[LogEntry]) -> object:
        """Take effect inside the transaction that also moves the cursor.

        Runs in the database's writer thread. May run again for the same entries when
        the transaction was not committed; then nothing of the first run remains.
        """

    def committed(self, result: object) -> None:
        """Called in the event loop after the commit, with what ``apply`` returned."""


class ExternalConsumer(Protocol):
    """A consumer whose effect lives elsewhere."""

    @property
    def name(self) -> str:
        """Names its cursor; never changes."""

    async def apply(self, entries: list[LogEntry]) -> None:
        """Take effect, idempotently; the cursor moves after it returns.

        Raises:
            StorageError: not done; it is tried again with back-off.
        """


class LogReader(Protocol):
    """The log, for consumers that keep their own place in it."""

    async def read(self, after: int, limit: int) -> list[LogEntry]:
        """Entries with ``seq > after``, in order."""

    async def wait_beyond(self, seq: int) -> None:
        """Return once the log holds an entry beyond ``seq``."""
