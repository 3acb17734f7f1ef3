r"""Weight Scale service 0x181D: 2A9D and 2A9E.

Weight Measurement 2A9D::

    +-------+--------+-----------+------+-----+--------+
    | flags | weight | timestamp | user | BMI | height |
    |   8   |   16   |  7 octets |   8  |  16 |   16   |
    +-------+--------+-----------+------+-----+--------+
                        if bit 1  bit 2  \__ if bit 3 _/
    flags bit 0: 0 = kilogram and metre, 1 = pound and inch; bits 4-7 reserved
    weight in 0.005 kg or 0.01 lb, 0xFFFF = measurement unsuccessful
    BMI in 0.1 kg/m2, height in 0.001 m or 0.1 in

Weight Scale Feature 2A9E::

    bit   31      10 9     7 6      3    2     1       0
         +----------+-------+--------+-----+-------+-----------+
         | reserved | height| weight | BMI | users | timestamp |
         +----------+-------+--------+-----+-------+-----------+

The two resolutions of the feature are what the display shows; the measurement's are
fixed, and multiplying by the feature's is a known mistake of other programs.

Source: Bluetooth SIG Weight Scale Service 1.0.1, sections 3.1 and 3.2.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final, Self

from firmware_protocols.codes import BitField
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.octets import (
    OctetReader,
    Octets,
    OctetWriter,
    reserved_bits,
)

_IMPERIAL = 1 << 0
_TIMESTAMP = 1 << 1
_USER_ID = 1 << 2
_BODY_SIZE = 1 << 3
_RESERVED = 0b1111_0000

_UNSUCCESSFUL = 0xFFFF

USER_UNKNOWN = 0xFF
"""The user id of a scale that does not know who stood on it."""

_KILOGRAM = Decimal("0.005")
_POUND = Decimal("0.01")
_METRE = Decimal("0.001")
_INCH = Decimal("0.1")
_BMI = Decimal("0.1")

_WEIGHT_RESOLUTION_SHIFT = 3
_WEIGHT_RESOLUTION_MASK = 0b1111 << _WEIGHT_RESOLUTION_SHIFT
_HEIGHT_RESOLUTION_SHIFT = 7
_HEIGHT_RESOLUTION_MASK = 0b111 << _HEIGHT_RESOLUTION_SHIFT


class WeightUnits(Enum):
    """Units of weight and height."""

    METRIC = "metric"
    IMPERIAL = "imperial"

    @property
    def weight(self) -> str:
        """Return the unit of the weight: kg or lb."""
        return "kg" if self is WeightUnits.METRIC else "lb"

    @property
    def height(self) -> str:
        """Return the unit of the height: m or in."""
        return "m" if self is WeightUnits.METRIC else "in"


class WeightScaleFeatures(
    BitField, fields=_WEIGHT_RESOLUTION_MASK | _HEIGHT_RESOLUTION_MASK
):
    """What the scale can report, and how finely it shows it."""

    __slots__ = ()

    TIMESTAMP: Final = 1 << 0
    MULTIPLE_USERS: Final = 1 << 1
    BMI: Final = 1 << 2

    @property
    def weight_resolution(self) -> int:
        """Return the code of the display's weight resolution: 0 unknown, 1 .. 7."""
        return (self & _WEIGHT_RESOLUTION_MASK) >> _WEIGHT_RESOLUTION_SHIFT

    @property
    def height_resolution(self) -> int:
        """Return the code of the display's height resolution: 0 unknown, 1 .. 3."""
        return (self & _HEIGHT_RESOLUTION_MASK) >> _HEIGHT_RESOLUTION_SHIFT


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySize:
    """Body mass index in kg/m2, and height in metre or inch."""

    bmi: Decimal
    height: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightMeasurement:
    """One value of 2A9D.

    Attributes:
        units: Of weight and height.
        weight: Kilogram or pound; None = the scale could not measure.
        user_id: Number of the scale's user, 255 = unknown.
        reserved_flags: Bits 4 to 7 of the flags as they were sent.
    """

    units: WeightUnits
    weight: Decimal | None
    timestamp: DateTime | None = None
    user_id: int | None = None
    body_size: BodySize | None = None
    reserved_flags: int = 0
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A9D.

        Raises:
            TruncatedError: A field is missing.
        """
        reader = OctetReader(data)
        flags = reader.u8("flags")
        imperial = bool(flags & _IMPERIAL)
        raw = reader.u16("weight")
        timestamp = reader.date_time("timestamp") if flags & _TIMESTAMP else None
        user_id = reader.u8("user_id") if flags & _USER_ID else None
        body_size = None
        if flags & _BODY_SIZE:
            body_size = BodySize(
                bmi=reader.u16("bmi") * _BMI,
                height=reader.u16("height") * (_INCH if imperial else _METRE),
            )
        return cls(
            units=WeightUnits.IMPERIAL if imperial else WeightUnits.METRIC,
            weight=None
            if raw == _UNSUCCESSFUL
            else raw * (_POUND if imperial else _KILOGRAM),
            timestamp=timestamp,
            user_id=user_id,
            body_size=body_size,
            reserved_flags=flags & _RESERVED,
            trailing=reader.rest(),
        )

    @property
    def flags(self) -> int:
        """Return the flags octet."""
        return (
            (_IMPERIAL if self.units is WeightUnits.IMPERIAL else 0)
            | (_TIMESTAMP if self.timestamp is not None else 0)
            | (_USER_ID if self.user_id is not None else 0)
            | (_BODY_SIZE if self.body_size is not None else 0)
            | reserved_bits(self.reserved_flags, _RESERVED)
        )

    def to_bytes(self) -> bytes:
        """Encode 2A9D.

        Raises:
            ValueError: A value is no multiple of the resolution.
            OverflowError: A field does not fit.
        """
        imperial = self.units is WeightUnits.IMPERIAL
        writer = OctetWriter().u8(self.flags)
        if self.weight is None:
            writer.u16(_UNSUCCESSFUL)
        else:
            raw = _steps(self.weight, _POUND if imperial else _KILOGRAM)
            if raw == _UNSUCCESSFUL:
                raise OverflowError("this weight's code means no measurement")
            writer.u16(raw)
        if self.timestamp is not None:
            writer.date_time(self.timestamp)
        if self.user_id is not None:
            writer.u8(self.user_id)
        if self.body_size is not None:
            writer.u16(_steps(self.body_size.bmi, _BMI))
            writer.u16(_steps(self.body_size.height, _INCH if imperial else _METRE))
        return writer.octets(self.trailing).value()


def _steps(value: Decimal, resolution: Decimal) -> int:
    """Return how many steps of the resolution a value has.

    Raises:
        ValueError: It is no multiple.
    """
    steps = value / resolution
    if steps != int(steps):
        raise ValueError("the value is no multiple of the wire's resolution")
    return int(steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightScaleFeature:
    """The value of 2A9E."""

    features: WeightScaleFeatures
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A9E.

        Raises:
            TruncatedError: There are fewer than four octets.
        """
        reader = OctetReader(data)
        features = WeightScaleFeatures(reader.u32("features"))
        return cls(features=features, trailing=reader.rest())

    def to_bytes(self) -> bytes:
        """Encode 2A9E."""
        return OctetWriter().unsigned(self.features, 4).octets(self.trailing).value()
