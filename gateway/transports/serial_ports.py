"""Which serial ports there are, and which come and go."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from gateway.ports.clock import Clock
from gateway.ports.devices import Peer
from gateway.transports.serial_link import tcp_address

POLL_INTERVAL_S: Final = 1.0
"""A person who plugs a device in looks at the screen within a second or two; a look at
the ports costs a millisecond."""

ListPorts = Callable[[], Iterable[ListPortInfo]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortChange:
    """A port that came (``present``) or went.

    A port whose USB identity changed goes and comes again.
    """

    peer: Peer
    present: bool


class SerialPorts:
    """The machine's serial ports and those that the configuration names.

    Args:
        clock: what the polling sleeps on.
        configured: paths (ptys, UARTs) and ``tcp://`` addresses looked at besides what
            pyserial lists. A TCP address is always present: whether somebody listens
            shows when it is opened.
        interval_s: seconds between two looks.
        only_configured: leave out what was not named.
        list_ports: pyserial's list, or another.

    Raises:
        ConfigurationError: A configured TCP address is none.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        configured: tuple[str, ...] = (),
        interval_s: float = POLL_INTERVAL_S,
        only_configured: bool = False,
        list_ports: ListPorts = list_ports.comports,
    ) -> None:
        self._clock = clock
        self._tcp = tuple(a for a in configured if tcp_address(a) is not None)
        self._paths = tuple(a for a in configured if a not in self._tcp)
        self._interval_s = interval_s
        self._only_configured = only_configured
        self._list_ports = list_ports

    async def now(self) -> dict[str, Peer]:
        """The ports present, by address."""
        return await asyncio.to_thread(self._look)

    async def watch(self) -> AsyncIterator[PortChange]:
        """Every port present now, then each that comes or goes, without end."""
        known: dict[str, Peer] = {}
        while True:
            present = await self.now()
            for address, peer in known.items():
                if present.get(address) != peer:
                    yield PortChange(peer=peer, present=False)
            for address, peer in present.items():
                if known.get(address) != peer:
                    yield PortChange(peer=peer, present=True)
            known = present
            await self._clock.sleep(self._interval_s)

    def _look(self) -> dict[str, Peer]:
        listed = {info.device: _peer(info) for info in self._list_ports()}
        found = {} if self._only_configured else dict(listed)
        for path in self._paths:
            # A stable link such as /dev/serial/by-id leads to a listed device.
            real = str(Path(path).resolve())
            known = listed.get(path) or listed.get(real)
            if known is not None or Path(path).exists():
                found.pop(real, None)
                found[path] = _renamed(known, path)
        for address in self._tcp:
            found[address] = Peer(address=address)
        return found


def _peer(info: ListPortInfo) -> Peer:
    usb = None if info.vid is None or info.pid is None else (info.vid, info.pid)
    return Peer(
        address=info.device,
        name=info.product or "",
        usb=usb,
        serial_number=info.serial_number or "",
    )


def _renamed(peer: Peer | None, path: str) -> Peer:
    if peer is None:
        return Peer(address=path)
    return Peer(
        address=path,
        name=peer.name,
        usb=peer.usb,
        serial_number=peer.serial_number,
    )
