"""What people tell stations: sessions and commands, sealed with the hub's key."""

from typing import Protocol

import msgspec

from gateway.model.people import Station
from gateway.ports.messaging import MessageBus
from gateway.wire.batch import SessionCommand, StationCommand
from gateway.wire.seal import Signer
from gateway.wire.topics import StationTopics


class StationLink(Protocol):
    """Reaches stations."""

    async def session(self, station: Station, command: SessionCommand) -> None:
        """Open or close a session.

        Raises:
            LinkClosedError: the broker cannot be reached; nothing was sent.
        """

    async def command(self, station: Station, command: StationCommand) -> None:
        """Have a device do something.

        Raises:
            LinkClosedError: the broker cannot be reached; nothing was sent.
        """


class MqttStationLink:
    """Publishes to ``down/session`` and ``down/command`` at QoS 1, never retained."""

    def __init__(self, bus: MessageBus, signer: Signer) -> None:
        self._bus = bus
        self._signer = signer

    async def session(self, station: Station, command: SessionCommand) -> None:
        """See ``StationLink.session``."""
        await self._send(station, "session", msgspec.json.encode(command))

    async def command(self, station: Station, command: StationCommand) -> None:
        """See ``StationLink.command``."""
        await self._send(station, "command", msgspec.json.encode(command))

    async def _send(self, station: Station, name: str, body: bytes) -> None:
        topic = StationTopics(station.site, station.id).down(name)
        await self._bus.publish(topic, self._signer.seal(topic, body))
