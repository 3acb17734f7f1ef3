"""Heart Rate service 0x180D: 2A37, 2A38 and 2A39.

Heart Rate Measurement 2A37::

    +-------+------------+------------------+----------------------------+
    | flags | heart rate | energy expended  | RR intervals, 16 each, to  |
    |   8   |  8 or 16   |      16, kJ      | the end, in 1/1024 second  |
    +-------+------------+------------------+----------------------------+
            16 if bit 0       if bit 3                if bit 4
    flags bit 1: contact detected, counts only if bit 2 (contact supported) is set;
    bits 5-7 reserved

Body Sensor Location 2A38: location u8. Heart Rate Control Point 2A39: command u8.

Source: Bluetooth SIG Heart Rate Service 1.0, sections 3.1 to 3.3.
"""

from dataclasses import dataclass
from typing import Final, Self

from firmware_protocols.codes import Code
from firmware_protocols.gatt.octets import (
    OctetReader,
    Octets,
    OctetWriter,
    reserved_bits,
)

_WIDE = 1 << 0
_CONTACT_DETECTED = 1 << 1
_CONTACT_SUPPORTED = 1 << 2
_ENERGY = 1 << 3
_RR_INTERVALS = 1 << 4
_RESERVED = 0b1110_0000

RR_TICKS_PER_SECOND = 1024
"""Resolution of the RR intervals; reading them as milliseconds is 2.4 % off."""


class BodySensorLocation(Code):
    """Where the sensor is worn."""

    __slots__ = ()

    OTHER: Final = 0
    CHEST: Final = 1
    WRIST: Final = 2
    FINGER: Final = 3
    HAND: Final = 4
    EAR_LOBE: Final = 5
    FOOT: Final = 6


class HeartRateCommand(Code):
    """What the control point understands."""

    __slots__ = ()

    RESET_ENERGY_EXPENDED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartRateMeasurement:
    """One value of 2A37.

    Attributes:
        heart_rate: Beats per minute.
        energy_expended: Kilojoule since the last reset; 65535 = as much or more.
        rr_intervals: In 1/1024 s, oldest first; None where the device sends none,
            empty where it had none for this value.
        wide: The rate was sent in 16 bits.
        contact_detected: Means nothing unless contact is supported.
        reserved_flags: Bits 5 to 7 of the flags as they were sent.
    """

    heart_rate: int
    energy_expended: int | None = None
    rr_intervals: tuple[int, ...] | None = None
    wide: bool = False
    contact_detected: bool = False
    contact_supported: bool = False
    reserved_flags: int = 0
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A37.

        Raises:
            TruncatedError: A field is missing, or the last RR interval is halved.
        """
        reader = OctetReader(data)
        flags = reader.u8("flags")
        read = reader.u16 if flags & _WIDE else reader.u8
        heart_rate = read("heart_rate")
        energy = reader.u16("energy_expended") if flags & _ENERGY else None
        intervals: tuple[int, ...] | None = None
        if flags & _RR_INTERVALS:
            count = (reader.left() + 1) // 2
            intervals = tuple(reader.u16("rr_interval") for _ in range(count))
        return cls(
            heart_rate=heart_rate,
            energy_expended=energy,
            rr_intervals=intervals,
            wide=bool(flags & _WIDE),
            contact_detected=bool(flags & _CONTACT_DETECTED),
            contact_supported=bool(flags & _CONTACT_SUPPORTED),
            reserved_flags=flags & _RESERVED,
            trailing=reader.rest(),
        )

    @property
    def contact(self) -> bool | None:
        """Return whether the sensor touches the skin, or None if it cannot tell."""
        return self.contact_detected if self.contact_supported else None

    @property
    def flags(self) -> int:
        """Return the flags octet."""
        return (
            (_WIDE if self.wide else 0)
            | (_CONTACT_DETECTED if self.contact_detected else 0)
            | (_CONTACT_SUPPORTED if self.contact_supported else 0)
            | (_ENERGY if self.energy_expended is not None else 0)
            | (_RR_INTERVALS if self.rr_intervals is not None else 0)
            | reserved_bits(self.reserved_flags, _RESERVED)
        )

    def to_bytes(self) -> bytes:
        """Encode 2A37.

        Raises:
            ValueError: There are octets after RR intervals.
            OverflowError: A field does not fit; a rate above 255 needs ``wide``.
        """
        if self.rr_intervals is not None and self.trailing:
            raise ValueError("RR intervals reach to the end of the value")
        writer = OctetWriter().u8(self.flags)
        writer.unsigned(self.heart_rate, 2 if self.wide else 1)
        if self.energy_expended is not None:
            writer.u16(self.energy_expended)
        for interval in self.rr_intervals or ():
            writer.u16(interval)
        return writer.octets(self.trailing).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorLocation:
    """The value of 2A38."""

    location: BodySensorLocation
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A38.

        Raises:
            TruncatedError: The value is empty.
        """
        reader = OctetReader(data)
        location = BodySensorLocation(reader.u8("location"))
        return cls(location=location, trailing=reader.rest())

    def to_bytes(self) -> bytes:
        """Encode 2A38."""
        return OctetWriter().u8(self.location).octets(self.trailing).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartRateControlPoint:
    """A write to 2A39."""

    command: HeartRateCommand
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A39.

        Raises:
            TruncatedError: The value is empty.
        """
        reader = OctetReader(data)
        command = HeartRateCommand(reader.u8("command"))
        return cls(command=command, trailing=reader.rest())

    def to_bytes(self) -> bytes:
        """Encode 2A39."""
        return OctetWriter().u8(self.command).octets(self.trailing).value()
