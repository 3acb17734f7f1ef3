"""What a bad cable, a cheap USB bridge or a busy radio does to a byte stream.

Sans-I/O and seeded: the same seed spoils the same bytes.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

MAX_NOISE_BYTES: Final = 12
"""Longest burst of noise between two messages; longer ones are several bursts."""

_HEADER_NOISE: Final = (b"\xaa", b"\xaa\x55", b"\xaa\x55\x52\x40")
"""Noise that looks like the start of a frame is what breaks weak parsers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How often each fault happens, for one message, from 0 to 1.

    Attributes:
        noise: Random bytes before the message.
        header_noise: Bytes before it that look like the start of another.
        flipped_bit: One bit of it is wrong.
        dropped_byte: One byte of it is missing.
        max_piece: It is written in pieces of at most this many bytes; 0 for whole.
    """

    noise: float = 0.0
    header_noise: float = 0.0
    flipped_bit: float = 0.0
    dropped_byte: float = 0.0
    max_piece: int = 0


class LineFaults:
    """The line between a simulated device and its host.

    Attributes:
        silent: Nothing gets through at all.
        spoiled: Messages so far that did not arrive as they were sent.
    """

    def __init__(self, rates: FaultRates | None = None, *, seed: int = 0) -> None:
        self.rates = rates or FaultRates()
        self.silent = False
        self.spoiled = 0
        self._random = Random(seed)  # noqa: S311 - a simulation, no secret

    def carry(self, message: bytes) -> list[bytes]:
        """What arrives of ``message``, in the pieces in which it is written."""
        if self.silent:
            self.spoiled += 1
            return []
        return self._pieces(self._before() + self._spoil(message))

    def _before(self) -> bytes:
        noise = b""
        if self._happens(self.rates.noise):
            noise += self._random.randbytes(self._random.randint(1, MAX_NOISE_BYTES))
        if self._happens(self.rates.header_noise):
            noise += self._random.choice(_HEADER_NOISE)
        return noise

    def _spoil(self, message: bytes) -> bytes:
        if message and self._happens(self.rates.flipped_bit):
            at = self._random.randrange(len(message))
            flipped = message[at] ^ 1 << self._random.randrange(8)
            self.spoiled += 1
            return message[:at] + bytes((flipped,)) + message[at + 1 :]
        if message and self._happens(self.rates.dropped_byte):
            at = self._random.randrange(len(message))
            self.spoiled += 1
            return message[:at] + message[at + 1 :]
        return message

    def _pieces(self, data: bytes) -> list[bytes]:
        if self.rates.max_piece <= 0:
            return [data] if data else []
        pieces = []
        while data:
            size = self._random.randint(1, self.rates.max_piece)
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate
