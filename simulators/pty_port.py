"""Runs a simulated serial device on a real pseudo terminal.

The only part of a serial simulator with I/O. The host opens ``PtyPort.path`` as it
would open a USB serial adapter; ``unplug`` pulls that adapter out.
"""

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, ParamSpec, Protocol

P = ParamSpec("P")

_READ_SIZE: Final = 4096
_PIECE_GAP_SECONDS: Final = 0.002
"""Between the pieces of a split write, so that the host reads them one by one."""
_MIN_SLEEP_SECONDS: Final = 0.001
"""No shorter sleeps, so that a high speed factor cannot starve the other tasks."""


class SerialDevice(Protocol):
    """A sans-I/O device, such as ``KioskBoard``."""

    def receive(self, data: bytes, now: float) -> None:
        """Take what the host wrote."""

    def poll(self, now: float) -> list[bytes]:
        """What the device writes by ``now``, in pieces."""

    def next_deadline(self) -> float | None:
        """When to poll again."""


class PtyPort:
    """A device plugged in; made by ``serve_on_pty``.

    Attributes:
        path: The slave's device file, for the host to open.
        lost_bytes: Written while the terminal's buffer was full, as nobody read.
    """

    def __init__(self, device: SerialDevice, *, speed: float) -> None:
        self._device = device
        self._speed = speed
        self._loop = asyncio.get_running_loop()
        self._begin = self._loop.time()
        self._wake = asyncio.Event()
        self._master, self._slave = pty.openpty()
        self._open = True
        self.lost_bytes = 0
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._loop.add_reader(self._master, self._read)

    def now(self) -> float:
        """The device's time in seconds, ``speed`` times as fast as the real one."""
        return (self._loop.time() - self._begin) * self._speed

    def act(
        self, action: Callable[P, None], *arguments: P.args, **keywords: P.kwargs
    ) -> None:
        """Do something to the device, and let it answer at once."""
        action(*arguments, **keywords)
        self._wake.set()

    def unplug(self) -> None:
        """Pull the adapter out: the host's file reads and writes errors from now on."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._master)
            os.close(self._master)
            os.close(self._slave)
            self._wake.set()

    async def run(self) -> None:
        """Let the device live until it is unplugged."""
        while self._open:
            self._wake.clear()
            for piece in self._device.poll(self.now()):
                self._write(piece)
                await asyncio.sleep(_PIECE_GAP_SECONDS / self._speed)
            if self._open and not self._wake.is_set():
                await self._sleep()

    async def _sleep(self) -> None:
        deadline = self._device.next_deadline()
        delay = None
        if deadline is not None:
            delay = (deadline - self.now()) / self._speed
            delay = max(_MIN_SLEEP_SECONDS, delay)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), delay)

    def _read(self) -> None:
        try:
            data = os.read(self._master, _READ_SIZE)
        except BlockingIOError:
            return
        self._device.receive(data, self.now())
        self._wake.set()

    def _write(self, data: bytes) -> None:
        if not self._open:
            return
        try:
            written = os.write(self._master, data)
        except BlockingIOError:
            written = 0
        self.lost_bytes += len(data) - written


@asynccontextmanager
async def serve_on_pty(
    device: SerialDevice, *, speed: float = 1.0
) -> AsyncIterator[PtyPort]:
    """Plug ``device`` in; it is unplugged when the context ends.

    Raises:
        ValueError: ``speed`` is not above 0.
    """
    if speed <= 0:
        msg = "speed must be above 0"
        raise ValueError(msg)
    port = PtyPort(device, speed=speed)
    task = asyncio.create_task(port.run(), name=f"simulated device on {port.path}")
    try:
        yield port
    finally:
        port.unplug()
        await task
