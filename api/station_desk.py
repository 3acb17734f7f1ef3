"""What the station's own API asks of the station; ``gateway.station`` implements it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.model.observation import Observation
from gateway.model.session import IdentifiedBy, MeasurementSession
from gateway.ports.journal import JournalState
from gateway.wire.batch import DeviceStatus


class LiveReading(Protocol):
    """A passing value of a device, such as the cuff's pressure."""

    @property
    def device(self) -> str:
        """Stable device id."""

    @property
    def name(self) -> str:
        """Of the value."""

    @property
    def value(self) -> str:
        """As text."""

    @property
    def unit(self) -> str:
        """UCUM."""

    @property
    def at(self) -> datetime:
        """When it came."""


class SetAside(Protocol):
    """Bytes that no decoder accepts."""

    @property
    def id(self) -> int:
        """Its number at this station."""

    @property
    def device(self) -> str:
        """Where they came from."""

    @property
    def reason(self) -> str:
        """Stable token."""

    @property
    def raw(self) -> bytes:
        """The bytes."""

    @property
    def last_at(self) -> datetime:
        """When they last came."""

    @property
    def count(self) -> int:
        """How often."""


class StationSnapshot(Protocol):
    """Everything the operator's screen shows."""

    @property
    def station(self) -> str:
        """Its id."""

    @property
    def connected(self) -> bool:
        """Whether a broker has accepted us."""

    @property
    def journal(self) -> JournalState:
        """What is unsent, since when, and how full the disk is."""

    @property
    def session(self) -> MeasurementSession | None:
        """Who is being measured."""

    @property
    def devices(self) -> Sequence[DeviceStatus]:
        """Every device and its state."""

    @property
    def conditions(self) -> Sequence[str]:
        """Technical conditions that are active."""

    @property
    def live(self) -> Sequence[LiveReading]:
        """Passing values."""

    @property
    def recent(self) -> Sequence[Observation]:
        """Committed readings, newest last."""

    @property
    def dead_letters(self) -> Sequence[SetAside]:
        """The newest ones."""


class StationDesk(Protocol):
    """Snapshot and acts of the operator at the station."""

    async def snapshot(self) -> StationSnapshot:
        """Everything the operator's screen shows.

        Raises:
            StorageError: the journal cannot be read.
        """

    async def open_session(
        self, *, resident: str, identified_by: IdentifiedBy, by: str
    ) -> MeasurementSession:
        """Open a session; the one before is closed.

        Raises:
            StorageError: the journal cannot be written.
        """

    async def open_session_by_card(self, card: str, *, by: str) -> MeasurementSession:
        """Open the session of a card's holder, by the card's salted hash.

        Raises:
            NotFoundError: the card is not known; the open session was closed.
            StorageError: the journal cannot be written.
        """

    async def close_session(self, *, abort: bool = False) -> MeasurementSession | None:
        """Close the open session, if one is.

        Raises:
            StorageError: the journal cannot be written.
        """

    async def command(self, device: str, name: str, *, by: str) -> None:
        """Have a device do something, audited.

        Raises:
            ConflictError: the device cannot; the message says why.
            StorageError: the journal cannot be written.
        """
