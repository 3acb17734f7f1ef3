"""Hot-plug on a clock that the test moves."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from gateway.clock import ManualClock
from gateway.errors import ConfigurationError
from gateway.transports.serial_ports import PortChange, SerialPorts


def port(path: str, *, serial: str = "EX-1", vid: int | None = 0x10C4) -> ListPortInfo:
    info = ListPortInfo(path)
    info.vid, info.pid = vid, None if vid is None else 0xEA60
    info.serial_number, info.product = serial, "Example bridge"
    return info


class Machine:
    """A machine whose ports the test plugs and pulls."""

    def __init__(self, **options: object) -> None:
        self.clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
        self.listed: list[ListPortInfo] = []
        self.ports = SerialPorts(
            clock=self.clock,
            list_ports=lambda: list(self.listed),
            **options,  # type: ignore[arg-type] # the tests' own options
        )
        self._watch = self.ports.watch()
        self._next: asyncio.Task[PortChange] | None = None

    async def changes(self) -> list[tuple[str, bool]]:
        """What came and went since the last call."""
        seen: list[tuple[str, bool]] = []
        for _ in range(3):
            self.clock.advance(1)
            while True:
                if self._next is None:
                    self._next = asyncio.ensure_future(anext(self._watch))
                await asyncio.wait({self._next}, timeout=0.05)
                if not self._next.done():
                    break
                change = self._next.result()
                self._next = None
                seen.append((change.peer.address, change.present))
        return seen

    async def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)


async def test_what_is_there_comes_first_and_then_each_change() -> None:
    machine = Machine()
    machine.listed = [port("/dev/ttyUSB0")]
    assert await machine.changes() == [("/dev/ttyUSB0", True)]
    assert await machine.changes() == []
    machine.listed.append(port("/dev/ttyUSB1"))
    assert await machine.changes() == [("/dev/ttyUSB1", True)]
    machine.listed.pop(0)
    assert await machine.changes() == [("/dev/ttyUSB0", False)]
    await machine.stop()


async def test_another_adapter_at_the_same_path_goes_and_comes() -> None:
    machine = Machine()
    machine.listed = [port("/dev/ttyUSB0")]
    await machine.changes()
    machine.listed = [port("/dev/ttyUSB0", serial="EX-2")]
    assert await machine.changes() == [
        ("/dev/ttyUSB0", False),
        ("/dev/ttyUSB0", True),
    ]
    await machine.stop()


async def test_a_peer_tells_the_usb_identity() -> None:
    machine = Machine()
    machine.listed = [port("/dev/ttyUSB0"), port("/dev/ttyS0", vid=None, serial="")]
    peers = await machine.ports.now()
    assert peers["/dev/ttyUSB0"].usb == (0x10C4, 0xEA60)
    assert peers["/dev/ttyUSB0"].serial_number == "EX-1"
    assert peers["/dev/ttyUSB0"].name == "Example bridge"
    assert peers["/dev/ttyS0"].usb is None


async def test_configured_paths_come_and_go_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "board"
    machine = Machine(configured=(str(path), "tcp://127.0.0.1:4001"))
    assert await machine.changes() == [("tcp://127.0.0.1:4001", True)]
    path.touch()
    assert await machine.changes() == [(str(path), True)]
    path.unlink()
    assert await machine.changes() == [(str(path), False)]
    await machine.stop()


async def test_a_stable_link_replaces_the_port_that_it_leads_to(
    tmp_path: Path,
) -> None:
    device = tmp_path / "ttyUSB0"
    device.touch()
    link = tmp_path / "by-id"
    link.symlink_to(device)
    machine = Machine(configured=(str(link),))
    machine.listed = [port(str(device))]
    peers = await machine.ports.now()
    assert list(peers) == [str(link)]
    assert peers[str(link)].serial_number == "EX-1"


async def test_only_what_is_configured(tmp_path: Path) -> None:
    machine = Machine(configured=("/dev/ttyUSB1",), only_configured=True)
    machine.listed = [port("/dev/ttyUSB0"), port("/dev/ttyUSB1")]
    assert list(await machine.ports.now()) == ["/dev/ttyUSB1"]
    del tmp_path


async def test_a_bad_address_is_found_at_once() -> None:
    with pytest.raises(ConfigurationError):
        Machine(configured=("tcp://nowhere",))
