"""Writing a device session into a file; the format is in ``recording_file``."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Self

import msgspec

from gateway import errors
from gateway.errors import LinkClosedError, LinkError
from gateway.ports.clock import Clock
from gateway.ports.devices import ByteLink, GattLink, LinkKind, Peer, Received
from gateway.transports.recording_file import (
    IDENTIFYING,
    MAX_RECORDING_BYTES,
    SCHEMA,
    Direction,
    Header,
    Line,
    RecordedPeer,
)


class Recorder:
    """Writes one session.

    Args:
        file: opened for writing text in UTF-8; closed by ``close``.
        peer: who is recorded.
        link: kind of link.
        driver: label of the driver.
        clock: times of the lines.
        salt: the station's secret for hashing addresses, so that a station knows its
            own devices again and nobody else can try out all addresses.
        strip: leave out what identifies the device.
        limit: size in bytes at which the recording ends.
    """

    def __init__(
        self,
        file: IO[str],
        *,
        peer: Peer,
        link: LinkKind,
        driver: str,
        clock: Clock,
        salt: bytes,
        strip: bool = False,
        limit: int = MAX_RECORDING_BYTES,
    ) -> None:
        self.full = False
        self._file = file
        self._clock = clock
        self._strip = strip
        self._left = limit
        self._start = clock.monotonic()
        self._write(
            Header(
                vitalgate_recording=SCHEMA,
                link=link,
                driver=driver,
                started=clock.now().isoformat(timespec="microseconds"),
                peer=_peer(peer, salt=salt, strip=strip),
                stripped=strip,
            )
        )

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        peer: Peer,
        link: LinkKind,
        driver: str,
        clock: Clock,
        salt: bytes,
        strip: bool = False,
    ) -> Self:
        """Begin a new file, readable by its owner only.

        Raises:
            OSError: It exists already, or cannot be written.
        """
        path.touch(mode=0o600, exist_ok=False)
        return cls(
            path.open("w", encoding="utf-8", newline="\n"),
            peer=peer,
            link=link,
            driver=driver,
            clock=clock,
            salt=salt,
            strip=strip,
        )

    def add(
        self,
        direction: Direction,
        *,
        channel: str = "",
        data: bytes = b"",
        response: bool = True,
        error: Exception | None = None,
    ) -> None:
        """Append a line; nothing once the recording is full or closed."""
        if self.full or self._file.closed:
            return
        channel = channel.lower()
        if self._strip and channel in IDENTIFYING:
            data = bytes(len(data))
        line = Line(
            t=round(self._clock.monotonic() - self._start, 6),
            dir=direction,
            channel=channel,
            hex=data.hex(),
            response=response,
            error="" if error is None else _documented(error),
            detail="" if error is None else str(error),
        )
        self._write(line)
        if self._left <= 0:
            self.full = True
            self._write(Line(t=line.t, dir="full"))

    def close(self) -> None:
        """End the file; closing twice does nothing."""
        self._file.close()

    def _write(self, line: Header | Line) -> None:
        text = msgspec.json.encode(line).decode()
        self._left -= len(text) + 1
        self._file.write(text + "\n")
        # A recording is wanted most when the process is about to die.
        self._file.flush()


def _documented(error: Exception) -> str:
    """The name of the error in ``gateway.errors``, not of a transport's refinement."""
    return next(
        (k.__name__ for k in type(error).__mro__ if k.__module__ == errors.__name__),
        type(error).__name__,
    )


def _peer(peer: Peer, *, salt: bytes, strip: bool) -> RecordedPeer:
    if strip:
        return RecordedPeer(services=peer.services, usb=peer.usb)
    return RecordedPeer(
        address_hash=hashlib.sha256(salt + peer.address.encode()).hexdigest()[:16],
        name=peer.name,
        services=peer.services,
        usb=peer.usb,
        serial_number=peer.serial_number,
    )


class _Recorded:
    """What both recording links share."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._ended = False

    async def _received(
        self,
        receive: Callable[[float], Awaitable[Received | None]],
        timeout: float,  # noqa: ASYNC109 - port
    ) -> Received | None:
        try:
            value = await receive(timeout)
        except LinkClosedError as error:
            self._end(error)
            raise
        if value is not None:
            self._recorder.add("rx", channel=value.channel, data=value.data)
        return value

    def _end(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended = True
            self._recorder.add("close", error=error)
            self._recorder.close()


class RecordingGattLink(_Recorded):
    """A ``GattLink`` that is recorded."""

    def __init__(self, link: GattLink, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._link = link

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._link.peer

    def has(self, characteristic: str) -> bool:
        """Whether the peripheral offers the characteristic."""
        offered = self._link.has(characteristic)
        self._recorder.add("has", channel=characteristic, data=bytes([offered]))
        return offered

    async def read(self, characteristic: str) -> bytes:
        """Read; raises as the link does."""
        try:
            data = await self._link.read(characteristic)
        except LinkError as error:
            self._recorder.add("read", channel=characteristic, error=error)
            raise
        self._recorder.add("read", channel=characteristic, data=data)
        return data

    async def write(
        self, characteristic: str, data: bytes, *, response: bool = True
    ) -> None:
        """Write; raises as the link does.

        The line is written before the data goes out, so that the device's answer
        never stands before the question.
        """
        self._recorder.add("tx", channel=characteristic, data=data, response=response)
        try:
            await self._link.write(characteristic, data, response=response)
        except LinkError as error:
            self._recorder.add(
                "tx", channel=characteristic, response=response, error=error
            )
            raise

    async def subscribe(self, characteristic: str) -> None:
        """Subscribe; raises as the link does."""
        try:
            await self._link.subscribe(characteristic)
        except LinkError as error:
            self._recorder.add("sub", channel=characteristic, error=error)
            raise
        self._recorder.add("sub", channel=characteristic)

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        """The next value; raises as the link does."""
        return await self._received(self._link.receive, timeout)

    def finish(self) -> None:
        """End the recording; the link is its opener's to close."""
        self._end(None)


class RecordingByteLink(_Recorded):
    """A ``ByteLink`` that is recorded."""

    def __init__(self, link: ByteLink, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._link = link

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._link.peer

    async def write(self, data: bytes) -> None:
        """Write; raises as the link does."""
        self._recorder.add("tx", data=data)
        try:
            await self._link.write(data)
        except LinkError as error:
            self._recorder.add("tx", error=error)
            raise

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        """The next bytes; raises as the link does."""
        return await self._received(self._link.receive, timeout)

    def finish(self) -> None:
        """End the recording; the link is its opener's to close."""
        self._end(None)
