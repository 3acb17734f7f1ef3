"""Reading and writing the fields of a GATT value, one after the other.

All numbers are little-endian. A reader raises ``TruncatedError`` with the name of the
field where the value ended, so that a decoder is only the list of its fields.
"""

import struct
from struct import Struct
from typing import Self, TypeAlias

from firmware_protocols.errors import TruncatedError
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.ieee11073.floats import (
    SFLOATS,
    Number,
    decode_float,
    encode_float,
    encode_sfloat,
)

Octets: TypeAlias = bytes | bytearray | memoryview

_U8 = Struct("<B")
_S8 = Struct("<b")
_U16 = Struct("<H")
_S16 = Struct("<h")
_U24 = Struct("<HB")
_U32 = Struct("<I")


class OctetReader:
    """A position in a value; each method reads one field and moves on."""

    __slots__ = ("data", "offset")

    def __init__(self, data: Octets) -> None:
        self.data = bytes(data)
        self.offset = 0

    def _truncated(self, field: str, size: int) -> TruncatedError:
        left = len(self.data) - self.offset
        return TruncatedError(field, f"needs {size} bytes, {left} left", self.data)

    def u8(self, field: str) -> int:
        """Read an unsigned octet.

        Raises:
            TruncatedError: The value ends here. So do all methods below.
        """
        try:
            value = self.data[self.offset]
        except IndexError:
            raise self._truncated(field, 1) from None
        self.offset += 1
        return value

    def _unpack(self, wire: Struct, field: str) -> int:
        try:
            (value,) = wire.unpack_from(self.data, self.offset)
        except struct.error:
            raise self._truncated(field, wire.size) from None
        self.offset += wire.size
        return int(value)

    def s8(self, field: str) -> int:
        """Read a signed octet."""
        return self._unpack(_S8, field)

    def u16(self, field: str) -> int:
        """Read an unsigned number of two octets."""
        return self._unpack(_U16, field)

    def s16(self, field: str) -> int:
        """Read a signed number of two octets."""
        return self._unpack(_S16, field)

    def u16_big_endian(self, field: str) -> int:
        """Read two octets, high one first: some vendors' mistake."""
        swapped = self.u16(field)
        return (swapped & 0xFF) << 8 | swapped >> 8

    def u24(self, field: str) -> int:
        """Read an unsigned number of three octets."""
        try:
            low, high = _U24.unpack_from(self.data, self.offset)
        except struct.error:
            raise self._truncated(field, 3) from None
        self.offset += 3
        return int(high << 16 | low)

    def u32(self, field: str) -> int:
        """Read an unsigned number of four octets."""
        return self._unpack(_U32, field)

    def unsigned(self, field: str, size: int) -> int:
        """Read an unsigned number of ``size`` octets."""
        return int.from_bytes(self.take(field, size), "little")

    def sfloat(self, field: str) -> Number:
        """Read an 11073 SFLOAT of two octets."""
        try:
            (raw,) = _U16.unpack_from(self.data, self.offset)
        except struct.error:
            raise self._truncated(field, 2) from None
        self.offset += 2
        return SFLOATS[raw]

    def float(self, field: str) -> Number:
        """Read an 11073 FLOAT of four octets."""
        return decode_float(self._unpack(_U32, field))

    def date_time(self, field: str) -> DateTime:
        """Read a date and time of seven octets."""
        offset = self.offset
        if len(self.data) - offset < DateTime.SIZE:
            raise self._truncated(field, DateTime.SIZE)
        self.offset = offset + DateTime.SIZE
        return DateTime.unpack(self.data, offset)

    def take(self, field: str, size: int) -> bytes:
        """Read ``size`` octets as they are."""
        end = self.offset + size
        if end > len(self.data):
            raise self._truncated(field, size)
        taken = self.data[self.offset : end]
        self.offset = end
        return taken

    def left(self) -> int:
        """Return how many octets are still unread."""
        return len(self.data) - self.offset

    def rest(self) -> bytes:
        """Return the octets after the last field and move to the end."""
        rest = self.data[self.offset :]
        self.offset = len(self.data)
        return rest


class OctetWriter:
    """The counterpart of the reader: append fields, then take ``value()``.

    Every method raises ``ValueError`` or ``OverflowError`` where a number does not fit
    its field: that is the caller's mistake, not a device's.
    """

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def unsigned(self, value: int, size: int) -> Self:
        """Append an unsigned number of ``size`` octets."""
        self._parts.append(int(value).to_bytes(size, "little"))
        return self

    def u8(self, value: int) -> Self:
        """Append an unsigned octet."""
        return self.unsigned(value, 1)

    def s8(self, value: int) -> Self:
        """Append a signed octet."""
        self._parts.append(int(value).to_bytes(1, "little", signed=True))
        return self

    def u16(self, value: int) -> Self:
        """Append an unsigned number of two octets."""
        return self.unsigned(value, 2)

    def s16(self, value: int) -> Self:
        """Append a signed number of two octets."""
        self._parts.append(int(value).to_bytes(2, "little", signed=True))
        return self

    def sfloat(self, value: Number) -> Self:
        """Append an 11073 SFLOAT."""
        return self.unsigned(encode_sfloat(value), 2)

    def float(self, value: Number) -> Self:
        """Append an 11073 FLOAT."""
        return self.unsigned(encode_float(value), 4)

    def date_time(self, value: DateTime) -> Self:
        """Append a date and time."""
        return self.octets(value.to_bytes())

    def octets(self, value: bytes) -> Self:
        """Append octets as they are."""
        self._parts.append(value)
        return self

    def value(self) -> bytes:
        """Return everything appended so far."""
        return b"".join(self._parts)


def reserved_bits(value: int, mask: int) -> int:
    """Return ``value`` for the reserved bits of a flags octet.

    Raises:
        ValueError: It sets a bit which has a meaning.
    """
    if value & ~mask:
        raise ValueError("reserved flags may only hold the reserved bits")
    return value


def split_nibbles(octet: int) -> tuple[int, int]:
    """Return the low and the high nibble of an octet."""
    return octet & 0x0F, octet >> 4


def join_nibbles(low: int, high: int) -> int:
    """Return the octet of two nibbles.

    Raises:
        ValueError: One of them has more than four bits.
    """
    if not 0 <= low <= 0x0F or not 0 <= high <= 0x0F:  # noqa: PLR2004 - four bits
        raise ValueError("a code of four bits is needed")
    return high << 4 | low
