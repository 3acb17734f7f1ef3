"""Blood Pressure service 0x1810: 2A35, 2A36 and 2A49.

Blood Pressure Measurement 2A35 and Intermediate Cuff Pressure 2A36::

    +-------+----------+-----------+--------+-----------+--------+------+--------+
    | flags | systolic | diastolic |  MAP   | timestamp | pulse  | user | status |
    |   8   |  SFLOAT  |  SFLOAT   | SFLOAT |  7 octets | SFLOAT |  8   |   16   |
    +-------+----------+-----------+--------+-----------+--------+------+--------+
                                             if bit 1    if bit 2 bit 3   bit 4
    flags bit 0: 0 = mmHg, 1 = kPa; bits 5-7 reserved, set by real devices, ignored

2A36 has the same layout; its first value is the current cuff pressure and the other
two are NaN. A failed measurement arrives as NaN in all values.

Octets after the last field are an error here, unlike elsewhere: the known frames that
have them (Beurer) are of another layout, under which the fields before mean something
else. Such a device needs a ``BloodPressureLayout`` by its model, never by guessing.

Blood Pressure Feature 2A49::

    +-------------+
    | features 16 |
    +-------------+

Source: Bluetooth SIG Blood Pressure Service 1.1.1, sections 3.1 to 3.3; the deviating
layout from recordings of a Beurer BM85 (derdilla/blood-pressure-monitor-fl #735).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from firmware_protocols.codes import BitField
from firmware_protocols.errors import LayoutError
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.octets import (
    OctetReader,
    Octets,
    OctetWriter,
    reserved_bits,
)
from firmware_protocols.ieee11073.floats import Number, encode_sfloat

_KPA = 1 << 0
_TIMESTAMP = 1 << 1
_PULSE_RATE = 1 << 2
_USER_ID = 1 << 3
_STATUS = 1 << 4
_RESERVED = 0b1110_0000

USER_UNKNOWN = 0xFF
"""The user id of a device that does not know who was measured."""

_PULSE_RANGE_SHIFT = 3
_PULSE_RANGE_MASK = 0b11 << _PULSE_RANGE_SHIFT


class PressureUnit(Enum):
    """Unit of the three pressures."""

    MMHG = "mmHg"
    KPA = "kPa"


class PulseRange(Enum):
    """Where the pulse rate lay, as the device judged it."""

    WITHIN = "within"
    ABOVE_UPPER = "above_upper"
    BELOW_LOWER = "below_lower"
    RESERVED = "reserved"


_PULSE_RANGES = tuple(PulseRange)


class BloodPressureStatus(BitField, fields=_PULSE_RANGE_MASK):
    """Measurement status; bits 3 and 4 are the pulse range."""

    __slots__ = ()

    BODY_MOVEMENT: Final = 1 << 0
    CUFF_TOO_LOOSE: Final = 1 << 1
    IRREGULAR_PULSE: Final = 1 << 2
    IMPROPER_POSITION: Final = 1 << 5

    @property
    def pulse_range(self) -> PulseRange:
        """Return the pulse range in bits 3 and 4."""
        return _PULSE_RANGES[(self & _PULSE_RANGE_MASK) >> _PULSE_RANGE_SHIFT]


class BloodPressureFeatures(BitField):
    """What the cuff can report; bits 6 to 8 since version 1.1 of the service."""

    __slots__ = ()

    BODY_MOVEMENT: Final = 1 << 0
    CUFF_FIT: Final = 1 << 1
    IRREGULAR_PULSE: Final = 1 << 2
    PULSE_RANGE: Final = 1 << 3
    POSITION: Final = 1 << 4
    MULTIPLE_BOND: Final = 1 << 5
    E2E_CRC: Final = 1 << 6
    USER_DATA_SERVICE: Final = 1 << 7
    USER_FACING_TIME: Final = 1 << 8


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodPressureLayout:
    """How a model's frames deviate from the specification.

    Attributes:
        big_endian_pulse: The pulse rate is sent high octet first.
        big_endian_status: The measurement status is sent high octet first.
        user_id_always: The user id is there although its flag is clear.
    """

    big_endian_pulse: bool = False
    big_endian_status: bool = False
    user_id_always: bool = False


SIG: Final = BloodPressureLayout()
"""The specification's layout."""

BEURER: Final = BloodPressureLayout(
    big_endian_pulse=True, big_endian_status=True, user_id_always=True
)
"""Beurer BM48, BM59, BM85 and ELITE 900."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodPressureMeasurement:
    """One value of 2A35, or of 2A36.

    Attributes:
        unit: Unit of the three pressures.
        systolic: In 2A36 the current cuff pressure.
        mean_arterial: Several devices send 0 or NaN for "not measured".
        timestamp: The device's local time; None where the device sent none.
        pulse_rate: Beats per minute.
        user_id: Number of the device's user, 255 = unknown.
        reserved_flags: Bits 5 to 7 of the flags as they were sent.
    """

    unit: PressureUnit
    systolic: Number
    diastolic: Number
    mean_arterial: Number
    timestamp: DateTime | None = None
    pulse_rate: Number | None = None
    user_id: int | None = None
    status: BloodPressureStatus | None = None
    reserved_flags: int = 0

    @classmethod
    def from_bytes(cls, data: Octets, *, layout: BloodPressureLayout = SIG) -> Self:
        """Decode 2A35 or 2A36.

        Args:
            data: The value.
            layout: The model's layout; only a catalogue of models may choose it.

        Raises:
            TruncatedError: A field is missing.
            LayoutError: Octets are left over: the value is not of this layout.
        """
        reader = OctetReader(data)
        flags = reader.u8("flags")
        systolic = reader.sfloat("systolic")
        diastolic = reader.sfloat("diastolic")
        mean_arterial = reader.sfloat("mean_arterial")
        timestamp = pulse_rate = user_id = status = None
        if flags & _TIMESTAMP:
            timestamp = reader.date_time("timestamp")
        if flags & _PULSE_RATE:
            pulse_rate = (
                _swapped_sfloat(reader)
                if layout.big_endian_pulse
                else reader.sfloat("pulse_rate")
            )
        if flags & _USER_ID or layout.user_id_always:
            user_id = reader.u8("user_id")
        if flags & _STATUS:
            read = reader.u16_big_endian if layout.big_endian_status else reader.u16
            status = BloodPressureStatus(read("status"))
        if reader.left():
            raise LayoutError(
                "blood_pressure_measurement",
                "bytes are left over; is this a vendor's layout?",
                reader.data,
            )
        return cls(
            unit=PressureUnit.KPA if flags & _KPA else PressureUnit.MMHG,
            systolic=systolic,
            diastolic=diastolic,
            mean_arterial=mean_arterial,
            timestamp=timestamp,
            pulse_rate=pulse_rate,
            user_id=user_id,
            status=status,
            reserved_flags=flags & _RESERVED,
        )

    @property
    def flags(self) -> int:
        """Return the flags octet of the specification's layout."""
        return (
            (_KPA if self.unit is PressureUnit.KPA else 0)
            | (_TIMESTAMP if self.timestamp is not None else 0)
            | (_PULSE_RATE if self.pulse_rate is not None else 0)
            | (_USER_ID if self.user_id is not None else 0)
            | (_STATUS if self.status is not None else 0)
            | reserved_bits(self.reserved_flags, _RESERVED)
        )

    def to_bytes(self, *, layout: BloodPressureLayout = SIG) -> bytes:
        """Encode the value.

        Raises:
            ValueError: A field does not fit, or the layout needs a user id.
        """
        flags = self.flags
        if layout.user_id_always:
            if self.user_id is None:
                raise ValueError("this layout always has a user id")
            flags &= ~_USER_ID
        writer = OctetWriter().u8(flags)
        writer.sfloat(self.systolic).sfloat(self.diastolic).sfloat(self.mean_arterial)
        if self.timestamp is not None:
            writer.date_time(self.timestamp)
        if self.pulse_rate is not None:
            writer.octets(
                encode_sfloat(self.pulse_rate).to_bytes(
                    2, "big" if layout.big_endian_pulse else "little"
                )
            )
        if self.user_id is not None:
            writer.u8(self.user_id)
        if self.status is not None:
            writer.octets(
                self.status.to_bytes(2, "big" if layout.big_endian_status else "little")
            )
        return writer.value()


def _swapped_sfloat(reader: OctetReader) -> Number:
    raw = reader.u16_big_endian("pulse_rate")
    return OctetReader(raw.to_bytes(2, "little")).sfloat("pulse_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntermediateCuffPressure:
    """One value of 2A36: the cuff's pressure while it measures.

    ``frame`` is the value in the layout of 2A35, with the pressures that mean nothing.
    """

    frame: BloodPressureMeasurement

    @classmethod
    def from_bytes(cls, data: Octets, *, layout: BloodPressureLayout = SIG) -> Self:
        """Decode 2A36; raises as ``BloodPressureMeasurement.from_bytes``."""
        return cls(frame=BloodPressureMeasurement.from_bytes(data, layout=layout))

    @property
    def cuff_pressure(self) -> Number:
        """Return the current pressure in ``frame.unit``."""
        return self.frame.systolic

    def to_bytes(self, *, layout: BloodPressureLayout = SIG) -> bytes:
        """Encode 2A36; raises as ``BloodPressureMeasurement.to_bytes``."""
        return self.frame.to_bytes(layout=layout)


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodPressureFeature:
    """The value of 2A49."""

    features: BloodPressureFeatures
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A49.

        Raises:
            TruncatedError: There are fewer than two octets.
        """
        reader = OctetReader(data)
        features = BloodPressureFeatures(reader.u16("features"))
        return cls(features=features, trailing=reader.rest())

    def to_bytes(self) -> bytes:
        """Encode 2A49."""
        return OctetWriter().u16(self.features).octets(self.trailing).value()
