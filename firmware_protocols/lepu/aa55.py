r"""Framing of the Lepu ``AA 55`` protocol: bytes in, frames and noise out.

::

    +----+----+-------+-----+------+-----------+-----+
    | AA | 55 | token | len | type | data 0..n | crc |
    +----+----+-------+-----+------+-----------+-----+
                            \______ len bytes _______/

``len`` counts type, data and CRC, so a frame has len + 4 bytes and at least 6. The CRC
(``crc8``) covers everything before it. The data may itself contain ``AA 55``.

Source: public hosts of the PC-300 and PC-60FW families (viatomEcho/LepuBle and seven
independent ones), confirmed by captured frames.

A header is believed only when the CRC behind it fits. Otherwise the search goes on with
the next byte, so that a stray ``AA 55`` costs itself only. A stray header that
announces bytes which have not come yet could hold good frames back; therefore a frame
must be complete within ``frame_seconds`` of its first byte. A frame which is late
but valid when its last byte is handed in is still taken: being read late is no fault.

Every byte received ends in exactly one ``Frame`` or one ``Noise``, in order.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from firmware_protocols.errors import ChecksumError, LayoutError, TruncatedError
from firmware_protocols.lepu.crc8 import CRC8_TABLE, crc8

HEADER: Final = b"\xaa\x55"
_HEADER_FIRST: Final = HEADER[0]

# token and len follow the header; type and crc are the least that len may count.
_LENGTH_AT: Final = 3
_LENGTH_END: Final = 4
_MIN_LENGTH: Final = 2
_MIN_FRAME: Final = _LENGTH_END + _MIN_LENGTH
_MAX_LENGTH: Final = 0xFF

MAX_DATA: Final = _MAX_LENGTH - _MIN_LENGTH
"""Most data bytes in one frame; one length byte counts type, data and CRC."""

MAX_PENDING: Final = _LENGTH_END + _MAX_LENGTH - 1
"""Most bytes that a framer holds back: the largest frame without its last byte."""

FRAME_SECONDS: Final = 0.5
"""Default time in which a frame must be complete.

The largest frame takes 0.27 s at 9600 baud, the slowest speed in use; an ECG frame
comes as three notifications over BLE, which a busy link spreads over 0.2 s.
"""


class NoiseReason(StrEnum):
    """Why bytes are not part of a frame."""

    NO_HEADER = "no_header"
    """Between frames, and no ``AA 55`` among them."""
    BAD_LENGTH = "bad_length"
    """A header with an impossible length."""
    BAD_CRC = "bad_crc"
    """A whole frame by its length, but its CRC does not fit."""
    TIMEOUT = "timeout"
    """The beginning of a frame whose rest did not come in time."""
    CLOSED = "closed"
    """The beginning of a frame whose rest did not come before the link ended."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame.

    Attributes:
        raw: All its bytes, from header to CRC. What a framer or ``from_bytes`` returns
            has been verified; ``build`` makes the length and the CRC itself.
    """

    raw: bytes

    @property
    def token(self) -> int:
        """The function group, such as 0x53 for oximetry values."""
        return self.raw[2]

    @property
    def type(self) -> int:
        """What the frame is within its group."""
        return self.raw[4]

    @property
    def data(self) -> bytes:
        """The bytes between type and CRC."""
        return self.raw[5:-1]

    @classmethod
    def build(cls, *, token: int, type: int, data: bytes = b"") -> "Frame":  # noqa: A002 - the field's name on the wire
        """Make a frame around ``data``.

        Raises:
            ValueError: ``data`` is longer than ``MAX_DATA``, or token or type does not
                fit a byte; the caller's mistake.
        """
        if len(data) > MAX_DATA:
            msg = f"data: {len(data)} bytes, a frame takes {MAX_DATA}"
            raise ValueError(msg)
        body = HEADER + bytes((token, len(data) + _MIN_LENGTH, type)) + data
        return cls(body + bytes((crc8(body),)))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Frame":
        """Verify one frame without anything before or behind it.

        Raises:
            TruncatedError: Fewer bytes than the length byte announces.
            LayoutError: No header, an impossible length, or bytes behind the CRC.
            ChecksumError: The CRC does not fit.
        """
        if not raw.startswith(HEADER[: len(raw)]):
            raise LayoutError("frame", "does not begin with AA 55", raw)
        if len(raw) < _MIN_FRAME:
            raise TruncatedError("frame", "ends inside the header", raw)
        if raw[_LENGTH_AT] < _MIN_LENGTH:
            raise LayoutError("frame", "length leaves no room for type and CRC", raw)
        size = _LENGTH_END + raw[_LENGTH_AT]
        if len(raw) < size:
            raise TruncatedError("frame", "ends before its CRC", raw)
        if len(raw) > size:
            raise LayoutError("frame", "bytes behind the CRC", raw)
        if crc8(raw) != 0:
            raise ChecksumError("frame", "CRC-8 does not fit", raw)
        return cls(raw)


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that belong to no frame.

    Bytes that arrive in one piece and share a reason come as one ``Noise``; a frame
    with a bad CRC is therefore one ``Noise`` unless good frames were found inside.
    """

    data: bytes
    reason: NoiseReason


Event: TypeAlias = Frame | Noise


class Aa55Framer:
    """The receiving side of one link; give it everything that arrives, in order.

    Times are seconds of any one steady clock; the framer reads none itself.
    """

    __slots__ = ("_arrivals", "_frame_seconds", "_pending")

    def __init__(self, *, frame_seconds: float = FRAME_SECONDS) -> None:
        self._frame_seconds = frame_seconds
        self._pending = b""
        # Where each piece of what is pending begins, and when it arrived. Never more
        # entries than pending bytes.
        self._arrivals: list[tuple[int, float]] = []

    @property
    def pending(self) -> bytes:
        """The beginning of a frame held back; never more than ``MAX_PENDING`` bytes."""
        return self._pending

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take what arrived at ``now``; return what is decided by it."""
        if not data:
            return self.expire(now)
        events: list[Event] = []
        if self._pending:
            self._arrivals.append((len(self._pending), now))
            data = self._pending + data
        else:
            self._arrivals = [(0, now)]
        self._hold(data, _scan(data, events))
        if self._pending:
            self._release(now, events)
        return events

    def next_deadline(self) -> float | None:
        """When ``expire`` has something to do, or None."""
        return self._arrivals[0][1] + self._frame_seconds if self._arrivals else None

    def expire(self, now: float) -> list[Event]:
        """Give up frames that should have been complete by ``now``."""
        events: list[Event] = []
        self._release(now, events)
        return events

    def close(self) -> list[Event]:
        """Give up everything pending, because the link has ended."""
        events: list[Event] = []
        while self._pending:
            held = self._pending
            self._hold(held, _scan(held, events, NoiseReason.CLOSED))
        return events

    def _release(self, now: float, events: list[Event]) -> None:
        while (deadline := self.next_deadline()) is not None and now >= deadline:
            held = self._pending
            self._hold(held, _scan(held, events, NoiseReason.TIMEOUT))

    def _hold(self, data: bytes, start: int) -> None:
        """Keep ``data[start:]``, and when its pieces arrived."""
        self._pending = data[start:]
        if not self._pending:
            self._arrivals = []
        elif start:
            arrivals = self._arrivals
            first = max(i for i, (at, _) in enumerate(arrivals) if at <= start)
            self._arrivals = [(0, arrivals[first][1])]
            self._arrivals += [(at - start, t) for at, t in arrivals[first + 1 :]]


def _scan(data: bytes, events: list[Event], give_up: NoiseReason | None = None) -> int:
    """Append what ``data`` holds to ``events``; return where the undecided rest begins.

    With ``give_up``, ``data`` begins with a frame that shall not be waited for.
    """
    table = CRC8_TABLE
    find = data.find
    size = len(data)
    origin = 0  # bytes from here to the next header are noise, for this reason:
    reason = give_up or NoiseReason.NO_HEADER
    search = 0 if give_up is None else 1
    while True:
        start = find(HEADER, search)
        if start < 0:
            # The last byte may be the first half of a header.
            half = size > search and data[-1] == _HEADER_FIRST
            start = size - 1 if half else size
        if start > origin:
            events.append(Noise(data[origin:start], reason))
        if start + _LENGTH_END > size:
            return start
        origin = start
        search = start + 1
        length = data[start + _LENGTH_AT]
        if length < _MIN_LENGTH:
            reason = NoiseReason.BAD_LENGTH
            continue
        end = start + _LENGTH_END + length
        if end > size:
            return start
        raw = data[start:end]
        crc = 0
        for byte in raw:
            crc = table[crc ^ byte]
        if crc:
            reason = NoiseReason.BAD_CRC
            continue
        events.append(Frame(raw))
        origin = search = end
        reason = NoiseReason.NO_HEADER
