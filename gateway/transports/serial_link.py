"""Serial ports, ptys and raw TCP (``tcp://host:port``) as ``ByteLink``.

pyserial opens and configures, pyserial-asyncio-fast carries the stream. Bytes are
delivered as they come, in pieces of any size: framing is the codec's task.
"""

import asyncio
import errno
import os
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

import serial
import serial_asyncio_fast

from gateway.errors import (
    ConfigurationError,
    LinkClosedError,
    LinkError,
    LinkRefusedError,
    LinkTimeoutError,
)
from gateway.ports.clock import Clock
from gateway.ports.devices import Peer, Received
from gateway.transports.receive_queue import ReceiveQueue
from gateway.transports.serial_limits import DEFAULT_SERIAL_LIMITS, SerialLimits

TCP_SCHEME: Final = "tcp"
_BUSY: Final = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM})


class _Port(serial.Serial):
    """A port whose write says that the kernel is full instead of trying for ever.

    pyserial 3.5 loops without a pause when a non-blocking write gets EAGAIN, which
    would stop the event loop until the device reads again.
    """

    def write(self, data: Any, /) -> int | None:  # noqa: ANN401 - as pyserial's
        """Write what fits.

        Raises:
            BlockingIOError: Nothing fits.
            SerialException: The port is gone.
        """
        try:
            return os.write(self.fileno(), data)
        except BlockingIOError:
            raise
        except OSError as error:
            raise serial.SerialException(f"write failed: {error}") from error


class _Stream(asyncio.Protocol):
    """Received bytes into the queue; readiness to write out of the transport."""

    def __init__(self, clock: Clock, limits: SerialLimits) -> None:
        self.queue = ReceiveQueue(
            max_values=limits.held_chunks, max_bytes=limits.held_bytes
        )
        self.stalls = 0
        self.ended = asyncio.Event()
        self._clock = clock
        self._paused = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        value = Received(data=bytes(data), at=self._clock.now())
        if not self.queue.put(value) and not self.queue.ended:
            # Cannot happen while the transport honours the pause; were it to happen,
            # a stream with a hole is worse than an ended one.
            self.queue.end("more came than the station could take")
            return
        if self.queue.full and not self._paused and self._transport is not None:
            self._paused = True
            self.stalls += 1
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.queue.end("the port is gone" if exc else "the other end closed")
        self._writable.set()
        self.ended.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def drain(self) -> None:
        await self._writable.wait()

    def resume_reading(self) -> None:
        """Read on once half of the buffer is free again."""
        if not self._paused or self._transport is None or self.queue.ended:
            return
        if not self.queue.half_empty:
            return
        self._paused = False
        self._transport.resume_reading()


class SerialLink:
    """An open port; made by ``open_serial``.

    Attributes:
        peer: who is at the other end.
    """

    def __init__(
        self,
        peer: Peer,
        transport: asyncio.Transport,
        stream: _Stream,
        limits: SerialLimits,
    ) -> None:
        self._peer = peer
        self._transport = transport
        self._stream = stream
        self._limits = limits
        self._writing = asyncio.Lock()
        # Without a limit of 0 "resumed" would not mean "written".
        transport.set_write_buffer_limits(high=0)

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._peer

    @property
    def stalls(self) -> int:
        """How often reading paused because the driver lagged behind."""
        return self._stream.stalls

    @property
    def closed(self) -> bool:
        """Whether the port is gone, though bytes may still wait."""
        return self._stream.queue.ended

    async def write(self, data: bytes) -> None:
        """Write all of it to the kernel; one writer at a time.

        Raises:
            LinkTimeoutError: The other end does not take it; the link is ended, since
                a part of it may have gone out.
            LinkClosedError: The port is gone.
        """
        if not data:
            return
        async with self._writing:
            self._require_open()
            try:
                async with asyncio.timeout(self._limits.write_s):
                    self._transport.write(data)
                    await self._stream.drain()
            except TimeoutError as error:
                self._stream.queue.end("the other end does not take data")
                self._transport.abort()
                raise LinkTimeoutError("write: the device takes no data") from error
            self._require_open()

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        """The next bytes; None after ``timeout`` seconds.

        Raises:
            LinkClosedError: The port is gone and everything received is taken.
        """
        try:
            return await self._stream.queue.next(timeout)
        finally:
            self._stream.resume_reading()

    async def close(self) -> None:
        """Close in bounded time; never raises because the port is gone.

        What was written has left to the kernel already, so nothing is waited for:
        draining a port whose device does not read would take for ever.
        """
        self._stream.queue.end("the link was closed")
        if self._stream.ended.is_set():
            return
        if not self._transport.is_closing():
            self._transport.abort()
        try:
            async with asyncio.timeout(self._limits.close_s):
                await self._stream.ended.wait()
        except TimeoutError:
            # A driver of the kernel holds the close back; the descriptor is left to
            # its thread, and the next open says whether the port is usable.
            return

    def _require_open(self) -> None:
        if self._stream.queue.ended or self._transport.is_closing():
            raise LinkClosedError("the port is gone")


async def open_serial(
    address: str,
    *,
    clock: Clock,
    baudrate: int = 115_200,
    bytesize: int = 8,
    parity: str = "N",
    stopbits: float = 1,
    peer: Peer | None = None,
    limits: SerialLimits = DEFAULT_SERIAL_LIMITS,
) -> SerialLink:
    """Open a port exclusively, or connect to ``tcp://host:port``.

    Args:
        address: path of the port or pty, or a TCP address.
        clock: time of reception.
        baudrate: bits per second; nothing on TCP, like the other settings.
        bytesize: 5 to 8 data bits.
        parity: ``N``, ``E``, ``O``, ``M`` or ``S``.
        stopbits: 1, 1.5 or 2.
        peer: what is known of the device; by default only the address.
        limits: deadlines and sizes.

    Raises:
        LinkRefusedError: In use by another program, or not permitted to us.
        LinkClosedError: There is no such port or nobody listens.
        LinkTimeoutError: It did not open in time.
        ConfigurationError: The address or a setting has no sense.
    """
    peer = peer or Peer(address=address)
    stream = _Stream(clock, limits)
    host_port = tcp_address(address)
    try:
        async with asyncio.timeout(limits.open_s):
            if host_port is not None:
                loop = asyncio.get_running_loop()
                transport, _ = await loop.create_connection(lambda: stream, *host_port)
            else:
                settings = {
                    "baudrate": baudrate,
                    "bytesize": bytesize,
                    "parity": parity,
                    "stopbits": stopbits,
                }
                transport = await _open_port(address, stream, settings)
    except TimeoutError as error:
        raise LinkTimeoutError("open: the port does not answer") from error
    except OSError as error:  # serial.SerialException is one
        raise _open_failure(error) from error
    return SerialLink(peer, transport, stream, limits)


async def _open_port(
    path: str, stream: _Stream, settings: Mapping[str, Any]
) -> asyncio.Transport:
    """Open in a thread, since an open can hang, and close what comes too late."""
    loop = asyncio.get_running_loop()
    try:
        opening = loop.run_in_executor(
            None, lambda: _Port(path, exclusive=True, timeout=0, **settings)
        )
        port = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_late)
        raise
    except ValueError as error:
        raise ConfigurationError(
            f"serial settings of {path}: {error}",
            remedy="Correct baudrate, bytesize, parity or stopbits.",
        ) from error
    transport, _ = await serial_asyncio_fast.connection_for_serial(
        loop, lambda: stream, port
    )
    return cast("asyncio.Transport", transport)


def _close_late(opening: asyncio.Future[_Port]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def tcp_address(address: str) -> tuple[str, int] | None:
    """Host and port of ``tcp://host:port``; None for a path.

    Raises:
        ConfigurationError: It begins like a TCP address and is none.
    """
    if not address.startswith(f"{TCP_SCHEME}://"):
        return None
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise ConfigurationError(
            f"{address!r} is no TCP address", remedy="Write tcp://host:port."
        )
    return host, port


def _open_failure(error: OSError) -> LinkError:
    # pyserial puts the number into the text's exception, not always into errno.
    cause = error.__context__ if isinstance(error.__context__, OSError) else error
    number = error.errno or cause.errno
    if number in _BUSY:
        return LinkRefusedError("open: the port is in use by another program")
    if number in _FORBIDDEN:
        return LinkRefusedError(
            "open: no permission for the port",
            remedy="Add the gateway's user to the group of the port (dialout).",
        )
    return LinkClosedError("open: there is nothing at the port")


class SerialOpener:
    """``open_serial`` with the settings in a model's quirks.

    The quirks looked at are ``baudrate``, ``bytesize``, ``parity`` and ``stopbits``.
    """

    def __init__(
        self, *, clock: Clock, limits: SerialLimits = DEFAULT_SERIAL_LIMITS
    ) -> None:
        self._clock = clock
        self._limits = limits

    async def __call__(self, peer: Peer, *, quirks: Mapping[str, object]) -> SerialLink:
        """Open the peer's port; raises as ``open_serial``."""
        names = ("baudrate", "bytesize", "parity", "stopbits")
        settings: dict[str, Any] = {n: quirks[n] for n in names if n in quirks}
        return await open_serial(
            peer.address,
            clock=self._clock,
            peer=peer,
            limits=self._limits,
            **settings,
        )
