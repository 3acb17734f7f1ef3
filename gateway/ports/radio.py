"""Where devices come from: the radio and the serial ports, as the supervisor sees them.

``gateway.transports`` implements these; ``gateway.station`` uses them. A sighting is
generic, because only the radio that made it knows what it needs to connect.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol, TypeVar

from gateway.ports.devices import ByteLink, GattLink, Peer


class Sighting(Protocol):
    """An advertisement of a peripheral in reach."""

    @property
    def peer(self) -> Peer:
        """Who advertises."""

    @property
    def rssi(self) -> int:
        """Signal strength, dBm."""


class PortChange(Protocol):
    """A serial port that came or went."""

    @property
    def peer(self) -> Peer:
        """The port."""

    @property
    def present(self) -> bool:
        """True when it came, False when it went."""


class OpenGattLink(GattLink, Protocol):
    """A GATT link that its opener must close."""

    async def close(self) -> None:
        """Disconnect; never raises because the peer is gone already."""


class OpenByteLink(ByteLink, Protocol):
    """A byte link that its opener must close."""

    async def close(self) -> None:
        """Close the port; never raises because it is gone already."""


SightingT = TypeVar("SightingT", bound=Sighting)
PortChangeT_co = TypeVar("PortChangeT_co", bound=PortChange, covariant=True)


class Radio(Protocol[SightingT]):
    """A BLE adapter that scans all the time."""

    def sightings(self) -> AsyncIterator[SightingT]:
        """Advertisements as they are heard, without end."""

    async def connect(
        self, sighting: SightingT, *, quirks: Mapping[str, object]
    ) -> OpenGattLink:
        """Connect and discover.

        Raises:
            LinkError: closed, timed out, or refused.
        """


class Ports(Protocol[PortChangeT_co]):
    """The machine's serial ports."""

    def watch(self) -> AsyncIterator[PortChangeT_co]:
        """Every port present now, then each that comes or goes, without end."""


class PortOpener(Protocol):
    """Opens a serial port with a model's settings (``baudrate``, ``parity`` …)."""

    async def __call__(
        self, peer: Peer, *, quirks: Mapping[str, object]
    ) -> OpenByteLink:
        """Open the port.

        Raises:
            LinkError: it is gone, busy, or may not be opened.
        """
