"""Health Thermometer service 0x1809: 2A1C, 2A1E, 2A1D and 2A21.

Temperature Measurement 2A1C and Intermediate Temperature 2A1E::

    +-------+-------------+-----------+------+
    | flags | temperature | timestamp | type |
    |   8   |    FLOAT    |  7 octets |   8  |
    +-------+-------------+-----------+------+
                            if bit 1   if bit 2
    flags bit 0: 0 = Celsius, 1 = Fahrenheit; bits 3-7 reserved

Temperature Type 2A1D: type u8, where it never changes (then flag 2 is clear).
Measurement Interval 2A21: seconds u16, 0 = no periodic measurement.

Source: Bluetooth SIG Health Thermometer Service 1.0, sections 3.1 to 3.4.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from firmware_protocols.codes import Code
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.octets import (
    OctetReader,
    Octets,
    OctetWriter,
    reserved_bits,
)
from firmware_protocols.ieee11073.floats import Number

_FAHRENHEIT = 1 << 0
_TIMESTAMP = 1 << 1
_TYPE = 1 << 2
_RESERVED = 0b1111_1000


class TemperatureUnit(Enum):
    """Unit on the wire; it says nothing about the display."""

    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class TemperatureType(Code):
    """Where on the body the temperature was taken."""

    __slots__ = ()

    ARMPIT: Final = 1
    BODY: Final = 2
    EAR: Final = 3
    FINGER: Final = 4
    GASTROINTESTINAL_TRACT: Final = 5
    MOUTH: Final = 6
    RECTUM: Final = 7
    TOE: Final = 8
    TYMPANUM: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureMeasurement:
    """One value of 2A1C or 2A1E.

    Attributes:
        temperature: In ``unit``.
        temperature_type: None where 2A1D says it.
        reserved_flags: Bits 3 to 7 of the flags as they were sent.
    """

    unit: TemperatureUnit
    temperature: Number
    timestamp: DateTime | None = None
    temperature_type: TemperatureType | None = None
    reserved_flags: int = 0
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A1C or 2A1E.

        Raises:
            TruncatedError: A field is missing.
        """
        reader = OctetReader(data)
        flags = reader.u8("flags")
        return cls(
            unit=TemperatureUnit.FAHRENHEIT
            if flags & _FAHRENHEIT
            else TemperatureUnit.CELSIUS,
            temperature=reader.float("temperature"),
            timestamp=reader.date_time("timestamp") if flags & _TIMESTAMP else None,
            temperature_type=TemperatureType(reader.u8("temperature_type"))
            if flags & _TYPE
            else None,
            reserved_flags=flags & _RESERVED,
            trailing=reader.rest(),
        )

    @property
    def flags(self) -> int:
        """Return the flags octet."""
        return (
            (_FAHRENHEIT if self.unit is TemperatureUnit.FAHRENHEIT else 0)
            | (_TIMESTAMP if self.timestamp is not None else 0)
            | (_TYPE if self.temperature_type is not None else 0)
            | reserved_bits(self.reserved_flags, _RESERVED)
        )

    def to_bytes(self) -> bytes:
        """Encode 2A1C or 2A1E.

        Raises:
            ValueError: A field does not fit.
        """
        writer = OctetWriter().u8(self.flags).float(self.temperature)
        if self.timestamp is not None:
            writer.date_time(self.timestamp)
        if self.temperature_type is not None:
            writer.u8(self.temperature_type)
        return writer.octets(self.trailing).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticTemperatureType:
    """The value of 2A1D."""

    temperature_type: TemperatureType
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A1D.

        Raises:
            TruncatedError: The value is empty.
        """
        reader = OctetReader(data)
        temperature_type = TemperatureType(reader.u8("temperature_type"))
        return cls(temperature_type=temperature_type, trailing=reader.rest())

    def to_bytes(self) -> bytes:
        """Encode 2A1D."""
        return OctetWriter().u8(self.temperature_type).octets(self.trailing).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementInterval:
    """The value of 2A21: seconds between measurements, 0 = only on demand."""

    interval: int
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A21.

        Raises:
            TruncatedError: There are fewer than two octets.
        """
        reader = OctetReader(data)
        return cls(interval=reader.u16("interval"), trailing=reader.rest())

    def to_bytes(self) -> bytes:
        """Encode 2A21."""
        return OctetWriter().u16(self.interval).octets(self.trailing).value()
