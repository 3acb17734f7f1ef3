"""Between the supervisor, the registry that picks drivers, and the event pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.ports.devices import (
    ByteDriver,
    DriverEvent,
    GattDriver,
    Identified,
    LinkKind,
    Peer,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which driver takes a peer, or why none does.

    Attributes:
        driver: None when no driver takes it.
        reason: stable token: ``configured``, ``catalogue`` or ``match`` when a driver
            was chosen; ``no-match``, ``name-needed``, ``ambiguous``,
            ``proprietary-protocol``, ``driver-unknown``, ``port-not-configured`` or
            ``wrong-link`` when not.
        detail: for a person: names of drivers or models, never of people.
        model: the catalogue's id of the model; empty when unknown.
        quirks: of the model as far as the advertised name tells it.
    """

    driver: GattDriver | ByteDriver | None
    reason: str
    detail: str = ""
    model: str = ""
    quirks: Mapping[str, object] = field(default_factory=dict)


class DriverChooser(Protocol):
    """The registry, as the supervisor uses it."""

    def choose(self, peer: Peer, *, link: LinkKind, configured: str = "") -> Choice:
        """The driver for a peer; ``configured`` names one and wins."""

    def quirks(
        self, driver: str, *, name: str, identified: Identified | None
    ) -> Mapping[str, object]:
        """The quirks of a model by advertised name and what it says it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """Which device an event came from.

    Attributes:
        device: stable device id (``dev-…``).
        driver: ``DriverSpec.label``.
        link: this connection's number at this station; new at every connection, so
            that clock readings and waveforms of two connections are never mixed.
        name: what a person calls it: model or advertised name.
    """

    device: str
    driver: str
    link: int
    name: str = ""


class EventSink(Protocol):
    """The pipeline: what it has taken is committed."""

    async def take(self, source: EventSource, event: DriverEvent) -> None:
        """Return once the event is durable; raises nothing for what a device sent."""

    async def link_ended(self, source: EventSource) -> None:
        """The connection is over: commit what is buffered of it."""


class BookmarkStore(Protocol):
    """Where the pipeline keeps ``Bookmark`` events."""

    async def bookmarks(self, device: str) -> Mapping[str, str]:
        """All bookmarks of a device."""
