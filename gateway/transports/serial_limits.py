"""The deadlines and sizes of serial and TCP links, each with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialLimits:
    """How long a byte link waits and how much it holds.

    Attributes:
        open_s: opening a port or a TCP connection. A USB adapter answers at once; one
            whose firmware hangs never does.
        write_s: until the last byte has left to the kernel. At 9600 baud 5 s are
            4,800 bytes, far more than any command; then the device has stopped
            taking data.
        close_s: until the port is closed.
        held_bytes: received and not taken by the driver. At 115,200 baud it is 5 s of
            silence on the driver's side, which is a slow commit. When it is full,
            reading pauses and the kernel's own buffer and flow control take over.
        held_chunks: the same in pieces, since a piece of one byte costs a hundred.
    """

    open_s: float = 10.0
    write_s: float = 5.0
    close_s: float = 5.0
    held_bytes: int = 65_536
    held_chunks: int = 8_192


DEFAULT_SERIAL_LIMITS = SerialLimits()
