"""The decimal floating point numbers of IEEE 11073-20601: SFLOAT and FLOAT.

SFLOAT, 16 bits ("medfloat16")::

    bit  15      12 11                          0
        +----------+-----------------------------+
        | exponent |  mantissa, two's complement |   value = mantissa x 10^exponent
        +----------+-----------------------------+
          -8 .. 7          -2048 .. 2047

FLOAT, 32 bits ("medfloat32")::

    bit  31      24 23                          0
        +----------+-----------------------------+
        | exponent |  mantissa, two's complement |
        +----------+-----------------------------+
         -128 .. 127    -8388608 .. 8388607

Five mantissas with exponent 0 are no numbers: they stand for NaN, NRes (not at this
resolution), both infinities and a reserved value. With any other exponent the same
mantissa is a plain number: 0x87FF is 2047e-8.

A value is a ``Decimal`` with the exponent of the wire, so that 36.4 stays 36.4 and an
encoder can return the very bytes; or a member of ``Special``. Nothing here turns a
special value into a number.

Source: Bluetooth SIG Personal Health Devices Transcoding White Paper;
IEEE 11073-20601, FLOAT-Type and SFLOAT-Type.
"""

from decimal import Decimal
from enum import Enum
from typing import TypeAlias

_SFLOAT_BITS = 12
_SFLOAT_EXPONENTS = range(-8, 8)
_FLOAT_BITS = 24
_FLOAT_EXPONENTS = range(-128, 128)


class Special(Enum):
    """What a SFLOAT or FLOAT can hold besides a number."""

    NAN = "NaN"
    NRES = "NRes"
    POSITIVE_INFINITY = "+INF"
    NEGATIVE_INFINITY = "-INF"
    RESERVED = "RFU"


Number: TypeAlias = Decimal | Special
"""A number as the wire has it, or the reason why there is none."""


def _specials(bits: int) -> dict[int, Special]:
    """The raw values of the special numbers with a mantissa of so many bits."""
    top = 1 << (bits - 1)
    return {
        top - 2: Special.POSITIVE_INFINITY,
        top - 1: Special.NAN,
        top: Special.NRES,
        top + 1: Special.RESERVED,
        top + 2: Special.NEGATIVE_INFINITY,
    }


_SFLOAT_SPECIALS = _specials(_SFLOAT_BITS)
_FLOAT_SPECIALS = _specials(_FLOAT_BITS)
_SFLOAT_CODES = {special: raw for raw, special in _SFLOAT_SPECIALS.items()}
_FLOAT_CODES = {special: raw for raw, special in _FLOAT_SPECIALS.items()}


def _number(mantissa: int, exponent: int) -> Decimal:
    """Build the exact decimal; the arithmetic context plays no part in it."""
    digits = tuple(int(digit) for digit in str(abs(mantissa)))
    return Decimal((int(mantissa < 0), digits, exponent))


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


class _SfloatTable(dict[int, Number]):
    """Every SFLOAT met so far; at most the 65,536 that exist."""

    def __missing__(self, raw: int) -> Number:
        value: Number | None = _SFLOAT_SPECIALS.get(raw)
        if value is None:
            mantissa = _signed(raw & 0x0FFF, _SFLOAT_BITS)
            value = _number(mantissa, _signed(raw >> _SFLOAT_BITS, 4))
        self[raw] = value
        return value


SFLOATS: dict[int, Number] = _SfloatTable()
"""Raw SFLOAT, 0 .. 65535, to its value: index it. Filled as values are met."""


def decode_sfloat(raw: int) -> Number:
    """Return the value of a raw 16-bit SFLOAT.

    Raises:
        ValueError: ``raw`` is not in 0 .. 65535.
    """
    if not 0 <= raw <= 0xFFFF:  # noqa: PLR2004 - the range of 16 bits
        raise ValueError("a raw SFLOAT has 16 bits")
    return SFLOATS[raw]


def decode_float(raw: int) -> Number:
    """Return the value of a raw 32-bit FLOAT.

    Raises:
        ValueError: ``raw`` is not in 0 .. 2**32 - 1.
    """
    if not 0 <= raw <= 0xFFFF_FFFF:  # noqa: PLR2004 - the range of 32 bits
        raise ValueError("a raw FLOAT has 32 bits")
    special = _FLOAT_SPECIALS.get(raw)
    if special is not None:
        return special
    mantissa = _signed(raw & 0x00FF_FFFF, _FLOAT_BITS)
    return _number(mantissa, _signed(raw >> _FLOAT_BITS, 8))


def encode_sfloat(value: Number) -> int:
    """Return the raw SFLOAT of a value, with the value's own exponent if it fits.

    Raises:
        ValueError: No SFLOAT has exactly this value; 2047 and 0.12345 are examples.
            Rounding is the caller's decision.
    """
    if isinstance(value, Special):
        return _SFLOAT_CODES[value]
    return _encode(value, _SFLOAT_BITS, _SFLOAT_EXPONENTS, _SFLOAT_SPECIALS)


def encode_float(value: Number) -> int:
    """Return the raw FLOAT of a value, with the value's own exponent if it fits.

    Raises:
        ValueError: No FLOAT has exactly this value.
    """
    if isinstance(value, Special):
        return _FLOAT_CODES[value]
    return _encode(value, _FLOAT_BITS, _FLOAT_EXPONENTS, _FLOAT_SPECIALS)


def _encode(
    value: Decimal, bits: int, exponents: range, specials: dict[int, Special]
) -> int:
    if not value.is_finite():
        raise ValueError("NaN and infinity are members of Special, not of Decimal")
    sign, digits, shift = value.as_tuple()
    exponent = int(shift)
    mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
    top = 1 << (bits - 1)
    # A decimal such as 1E+9 or 120.00000000 may fit after moving its exponent.
    while mantissa and mantissa % 10 == 0 and exponent < exponents.start:
        mantissa, exponent = mantissa // 10, exponent + 1
    while mantissa % 10 == 0 and abs(mantissa) >= top - 2 and exponent in exponents:
        mantissa, exponent = mantissa // 10, exponent + 1
    while mantissa and exponent >= exponents.stop and abs(mantissa) < top:
        mantissa, exponent = mantissa * 10, exponent - 1
    if not mantissa:
        exponent = min(max(exponent, exponents.start), exponents.stop - 1)
    if exponent not in exponents or not -top <= mantissa < top:
        raise ValueError("no 11073 number of this size has exactly this value")
    raw = (exponent % len(exponents)) << bits | mantissa % (1 << bits)
    if raw in specials:
        raise ValueError("this number's code is taken by a special value")
    return raw
