"""A recording played back as a link, through the real driver.

Causes stay before effects: what the device sent after a write comes only when the
driver has written. What the driver does otherwise than in the recording is no error but
a ``Difference``, because a newer driver may rightly ask for more; a clock that is set
differs at each run.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.errors import (
    CommandRefusedError,
    LinkClosedError,
    LinkError,
    LinkRefusedError,
    LinkTimeoutError,
)
from gateway.ports.clock import Clock
from gateway.ports.devices import LinkKind, Peer, Received
from gateway.transports.recording_file import Line, Recording

MAX_WAITS_FOR_A_WRITE: Final = 3
"""So often may a driver ask for data where the recording expects a write; then the
write is taken to be missing and the playback goes on."""

_ERRORS: Final[dict[str, type[LinkError]]] = {
    kind.__name__: kind
    for kind in (
        LinkClosedError,
        LinkTimeoutError,
        LinkRefusedError,
        CommandRefusedError,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that the driver did otherwise than in the recording.

    Attributes:
        kind: ``missing-write``, ``changed-write``, ``extra-write``, ``extra-read``
            or ``unread``.
        channel: characteristic; empty on a byte link.
        recorded: hex of what the recording has, empty for an extra write.
        actual: hex of what the driver sent, empty for a missing write.
    """

    kind: str
    channel: str
    recorded: str = ""
    actual: str = ""


class Playback:
    """What both kinds of replayed links share.

    Args:
        recording: what to play.
        clock: with it, values come with the recorded pauses; without, at once.

    Attributes:
        differences: what the driver did otherwise, so far.
    """

    def __init__(self, recording: Recording, *, clock: Clock | None = None) -> None:
        self.differences: list[Difference] = []
        self._clock = clock
        self._began = clock.monotonic() if clock is not None else 0.0
        self._started = recording.started
        self._events = [
            line for line in recording.lines if line.dir in ("rx", "tx", "close")
        ]
        self._next = 0
        self._matched: set[int] = set()
        self._waits = 0
        self._answers: dict[tuple[str, str], list[Line]] = {}
        for line in recording.lines:
            if line.dir in ("read", "has", "sub"):
                self._answers.setdefault((line.dir, line.channel), []).append(line)
        peer = recording.header.peer
        self._peer = Peer(
            address=f"replay:{peer.address_hash}",
            name=peer.name,
            services=peer.services,
            usb=peer.usb,
            serial_number=peer.serial_number,
        )
        self._channels = {line.channel for line in recording.lines}

    @property
    def peer(self) -> Peer:
        """Who was recorded."""
        return self._peer

    def _play_write(self, channel: str, sent: str) -> None:
        """Compare a write with the recorded ones; fails where it failed then."""
        ahead = [
            index
            for index in range(self._next, len(self._events))
            if self._events[index].dir == "tx"
            and not self._events[index].error
            and index not in self._matched
        ]
        same = [
            i
            for i in ahead
            if self._events[i].channel == channel and self._events[i].hex == sent
        ]
        # The one that the recording expects next stands in for a changed value on the
        # same channel, such as a clock; anything else is extra.
        blocking = ahead[:1]
        if same:
            self._matched.add(same[0])
        elif blocking and self._events[blocking[0]].channel == channel:
            line = self._events[blocking[0]]
            self._matched.add(blocking[0])
            self._differ("changed-write", line, sent)
        else:
            self.differences.append(
                Difference(kind="extra-write", channel=channel, actual=sent)
            )
        self._waits = 0
        self._raise_write_failure(same[0] if same else None)

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        """The next recorded value, when what came before it has been done.

        Raises:
            LinkClosedError: The recording is at its end.
        """
        self._skip_done()
        if self._next >= len(self._events):
            raise LinkClosedError("the recording is at its end")
        line = self._events[self._next]
        if line.dir == "tx":
            await self._wait_for_write(line, timeout)
            return None
        if not await self._reached(line.t, timeout):
            return None
        self._next += 1
        if line.dir == "close":
            self._next = len(self._events)
            raise LinkClosedError(line.detail or "the recording ends here")
        return Received(
            data=bytes.fromhex(line.hex),
            at=self._started + timedelta(seconds=line.t),
            channel=line.channel,
        )

    async def close(self) -> None:
        """End; values not yet taken and writes not made are differences."""
        self._skip_done()
        for line in self._events[self._next :]:
            if line.dir == "rx":
                self._differ("unread", line, "")
            elif line.dir == "tx" and not line.error:
                self._differ("missing-write", line, "")
        self._next = len(self._events)

    def _skip_done(self) -> None:
        while self._next < len(self._events) and (
            self._next in self._matched or self._is_failure(self._next)
        ):
            self._next += 1

    def _is_failure(self, index: int) -> bool:
        line = self._events[index]
        return line.dir == "tx" and bool(line.error)

    async def _wait_for_write(self, line: Line, timeout: float) -> None:  # noqa: ASYNC109 - port
        self._waits += 1
        if self._waits >= MAX_WAITS_FOR_A_WRITE:
            self._waits = 0
            self._matched.add(self._next)
            self._differ("missing-write", line, "")
        if self._clock is not None:
            await self._clock.sleep(timeout)

    async def _reached(self, t: float, timeout: float) -> bool:  # noqa: ASYNC109 - port
        """Wait for a line's time; False when the caller's patience ends first."""
        if self._clock is None:
            return True
        left = t - (self._clock.monotonic() - self._began)
        if left > timeout:
            await self._clock.sleep(timeout)
            return False
        if left > 0:
            await self._clock.sleep(left)
        return True

    def _answer(self, direction: str, channel: str) -> Line | None:
        answers = self._answers.get((direction, channel))
        if not answers:
            return None
        line = answers.pop(0) if len(answers) > 1 else answers[0]
        if line.error:
            raise _ERRORS.get(line.error, LinkError)(line.detail)
        return line

    def _raise_write_failure(self, index: int | None) -> None:
        if index is None or index + 1 >= len(self._events):
            return
        if self._is_failure(index + 1):
            line = self._events[index + 1]
            raise _ERRORS.get(line.error, LinkError)(line.detail)

    def _differ(self, kind: str, line: Line, actual: str) -> None:
        self.differences.append(
            Difference(
                kind=kind, channel=line.channel, recorded=line.hex, actual=actual
            )
        )


class ReplayGattLink(Playback):
    """A recording of a ``GattLink``."""

    def has(self, characteristic: str) -> bool:
        """As recorded; where it was not asked, whether anything was done with it."""
        answers = self._answers.get(("has", characteristic.lower()))
        if answers:
            return answers[0].hex == "01"
        return characteristic.lower() in self._channels

    async def read(self, characteristic: str) -> bytes:
        """The recorded values in order; the last one again when asked more often.

        Raises:
            LinkRefusedError: Never read in the recording.
            LinkError: As recorded.
        """
        channel = characteristic.lower()
        line = self._answer("read", channel)
        if line is None:
            self.differences.append(Difference(kind="extra-read", channel=channel))
            raise LinkRefusedError("read: the recording has no value of it")
        return bytes.fromhex(line.hex)

    async def subscribe(self, characteristic: str) -> None:
        """Fails where it failed in the recording."""
        self._answer("sub", characteristic.lower())

    async def write(
        self, characteristic: str, data: bytes, *, response: bool = True
    ) -> None:
        """Compare with the recorded writes.

        Raises:
            LinkError: As recorded.
        """
        del response
        self._play_write(characteristic.lower(), data.hex())


class ReplayByteLink(Playback):
    """A recording of a ``ByteLink``."""

    async def write(self, data: bytes) -> None:
        """Compare with the recorded writes; raises as recorded."""
        self._play_write("", data.hex())


def replay_link(
    recording: Recording, *, clock: Clock | None = None
) -> ReplayGattLink | ReplayByteLink:
    """The link of the recording's kind; see ``Playback``."""
    if recording.header.link is LinkKind.GATT:
        return ReplayGattLink(recording, clock=clock)
    return ReplayByteLink(recording, clock=clock)
