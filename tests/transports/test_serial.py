"""Serial links on real ptys, and on TCP."""

import asyncio
import contextlib
import fcntl
import os
import termios
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.clock import ManualClock, SystemClock
from gateway.errors import (
    ConfigurationError,
    LinkClosedError,
    LinkRefusedError,
    LinkTimeoutError,
)
from gateway.ports.devices import Peer
from gateway.transports.serial_limits import SerialLimits
from gateway.transports.serial_link import SerialLink, SerialOpener, open_serial

CLOCK = SystemClock()
QUICK = SerialLimits(write_s=0.3, open_s=2.0, close_s=2.0)


@dataclass
class Pty:
    """A device's end of a pseudo-terminal."""

    master: int
    slave: int
    path: str
    open_ends: set[int] = field(default_factory=set)

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.master, data) :]

    def unplug(self) -> None:
        for end in list(self.open_ends):
            os.close(end)
            self.open_ends.discard(end)


@pytest.fixture
def pty() -> Iterator[Pty]:
    master, slave = os.openpty()
    tty.setraw(slave)
    made = Pty(master, slave, os.ttyname(slave), {master, slave})
    yield made
    made.unplug()


async def collect(link: SerialLink, size: int) -> bytes:
    got = bytearray()
    async with asyncio.timeout(10):
        while len(got) < size:
            value = await link.receive(1)
            if value is not None:
                assert value.channel == ""
                got += value.data
    return bytes(got)


def fill(descriptor: int) -> int:
    """Write until nothing fits; how many octets did."""
    written = 0
    for size in (1000, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                written += os.write(descriptor, bytes(size))
    return written


async def flood(link: SerialLink) -> None:
    for _ in range(1000):
        await link.write(bytes(1000))


async def test_every_octet_passes_unchanged_both_ways(pty: Pty) -> None:
    link = await open_serial(pty.path, clock=CLOCK)
    everything = bytes(range(256)) * 4
    pty.send(everything)
    assert await collect(link, len(everything)) == everything
    await link.write(everything)
    assert os.read(pty.master, 4096) == everything
    await link.close()


async def test_pieces_come_as_they_come_and_noise_is_no_matter(pty: Pty) -> None:
    link = await open_serial(pty.path, clock=CLOCK)
    noise = os.urandom(300) + b"\xaa\x55\x00" + os.urandom(50)

    async def dribble() -> None:
        for octet in noise:
            pty.send(bytes([octet]))
            await asyncio.sleep(0)

    sending = asyncio.create_task(dribble())
    assert await collect(link, len(noise)) == noise
    await sending
    await link.close()


async def test_silence_is_none_and_not_the_end(pty: Pty) -> None:
    link = await open_serial(pty.path, clock=CLOCK)
    assert await link.receive(0.01) is None
    assert await link.receive(0) is None
    pty.send(b"x")
    assert await collect(link, 1) == b"x"
    await link.close()


async def test_unplugging_delivers_what_came_and_then_says_closed(pty: Pty) -> None:
    link = await open_serial(pty.path, clock=CLOCK)
    pty.send(b"last words")
    assert await collect(link, 4)
    pty.unplug()
    with pytest.raises(LinkClosedError):
        await collect(link, 1000)
    assert link.closed
    with pytest.raises(LinkClosedError):
        await link.write(b"x")
    await link.close()
    await link.close()


async def test_unplugging_wakes_a_waiting_reader(pty: Pty) -> None:
    link = await open_serial(pty.path, clock=CLOCK)
    reading = asyncio.create_task(link.receive(30))
    await asyncio.sleep(0.02)
    pty.unplug()
    with pytest.raises(LinkClosedError):
        await reading
    await link.close()


async def test_a_device_that_does_not_read_hits_the_write_deadline(pty: Pty) -> None:
    link = await open_serial(pty.path, clock=CLOCK, limits=QUICK)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    with pytest.raises(LinkTimeoutError):
        await flood(link)
    ticking.cancel()
    # The loop lived on while the kernel's buffer was full.
    assert ticks > 3
    with pytest.raises(LinkClosedError):
        await link.write(b"x")
    await link.close()


async def test_a_full_kernel_buffer_does_not_stop_the_loop(pty: Pty) -> None:
    link = await open_serial(pty.path, clock=CLOCK, limits=QUICK)
    os.set_blocking(pty.slave, False)
    # The kernel moves what it holds from one buffer to the next for a while.
    while fill(pty.slave):
        await asyncio.sleep(0.05)
    # Nothing fits at all: pyserial by itself would now try for ever.
    with pytest.raises(LinkTimeoutError):
        await link.write(b"x")
    await link.close()


async def test_a_write_that_the_kernel_takes_in_parts_is_whole(pty: Pty) -> None:
    link = await open_serial(pty.path, clock=CLOCK)
    wanted = os.urandom(200_000)
    got = bytearray()
    os.set_blocking(pty.master, False)
    writing = asyncio.create_task(link.write(wanted))
    async with asyncio.timeout(20):
        while len(got) < len(wanted):
            try:
                got += os.read(pty.master, 65_536)
            except BlockingIOError:
                await asyncio.sleep(0.001)
        await writing
    assert bytes(got) == wanted
    await link.close()


async def test_a_driver_that_lags_holds_the_sender_back_and_loses_nothing(
    pty: Pty,
) -> None:
    limits = SerialLimits(held_bytes=4096)
    link = await open_serial(pty.path, clock=CLOCK, limits=limits)
    wanted = os.urandom(100_000)
    os.set_blocking(pty.master, False)
    rest = wanted

    async def push() -> None:
        nonlocal rest
        while rest:
            try:
                rest = rest[os.write(pty.master, rest) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)

    pushing = asyncio.create_task(push())
    await asyncio.sleep(0.1)
    assert link.stalls == 1
    assert rest, "the whole stream was taken into memory"
    assert await collect(link, len(wanted)) == wanted
    await pushing
    await link.close()


async def test_a_port_is_opened_by_one_only(pty: Pty) -> None:
    link = await open_serial(pty.path, clock=CLOCK)
    with pytest.raises(LinkRefusedError, match="in use"):
        await open_serial(pty.path, clock=CLOCK)
    await link.close()
    again = await open_serial(pty.path, clock=CLOCK)
    await again.close()


async def test_settings_reach_the_line(pty: Pty) -> None:
    opener = SerialOpener(clock=CLOCK)
    link = await opener(
        Peer(address=pty.path, name="board"),
        quirks={"baudrate": 9600, "stopbits": 2, "clock": "ignored"},
    )
    assert link.peer.name == "board"
    flags = termios.tcgetattr(pty.slave)
    assert flags[4] == termios.B9600
    assert flags[2] & termios.CSTOPB
    await link.close()


async def test_what_cannot_be_opened_says_why(tmp_path: Path, pty: Pty) -> None:
    with pytest.raises(LinkClosedError):
        await open_serial(str(tmp_path / "none"), clock=CLOCK)
    with pytest.raises(ConfigurationError, match="parity"):
        await open_serial(pty.path, clock=CLOCK, parity="Q")
    for address in ("tcp://", "tcp://host", "tcp://host:port", "tcp://:1"):
        with pytest.raises(ConfigurationError, match="tcp://host:port"):
            await open_serial(address, clock=CLOCK)


async def test_opening_leaves_no_descriptor_behind(pty: Pty) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        link = await open_serial(pty.path, clock=CLOCK)
        await link.close()
    after = len(list(Path("/proc/self/fd").iterdir()))
    assert after <= before + 1
    fcntl.flock(pty.slave, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_tcp_is_a_byte_link() -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(5))[::-1])
        await writer.drain()
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    link = await open_serial(address, clock=CLOCK)
    assert link.peer == Peer(address=address)
    await link.write(b"hello")
    assert await collect(link, 5) == b"olleh"
    ended.set()
    with pytest.raises(LinkClosedError):
        await link.receive(5)
    await link.close()
    server.close()
    await server.wait_closed()
    with pytest.raises(LinkClosedError):
        await open_serial(address, clock=CLOCK)


async def test_the_time_of_reception_is_the_clocks(pty: Pty) -> None:
    clock = ManualClock(CLOCK.now().replace(year=2031))
    link = await open_serial(pty.path, clock=clock)
    pty.send(b"x")
    value = await link.receive(2)
    assert value is not None
    assert value.at == clock.now()
    await link.close()
