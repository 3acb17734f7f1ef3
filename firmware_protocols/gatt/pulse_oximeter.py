"""Pulse Oximeter service 0x1822: 2A5E, 2A5F and 2A60.

PLX Spot-check Measurement 2A5E::

    +-------+--------+--------+-----------+-------------+--------+-------------+
    | flags |  SpO2  |  pulse | timestamp | measurement | device | pulse ampl. |
    |   8   | SFLOAT | SFLOAT | 7 octets  |  status 16  |   24   | index SFLOAT|
    +-------+--------+--------+-----------+-------------+--------+-------------+
                                if bit 0     if bit 1    if bit 2   if bit 3
    flags bit 4: the device's clock is not set; bits 5-7 reserved

PLX Continuous Measurement 2A5F (its flags are others)::

    +-------+------+-------+-----------+-----------+-------------+--------+-------+
    | flags | SpO2 | pulse | fast pair | slow pair | measurement | device |  PAI  |
    |   8   |   SFLOAT x 2 | SFLOAT x2 | SFLOAT x2 |  status 16  |   24   | SFLOAT|
    +-------+------+-------+-----------+-----------+-------------+--------+-------+
                              if bit 0    if bit 1     if bit 2   if bit 3 if bit 4

PLX Features 2A60: features u16, then the supported measurement status u16 if bit 0 is
set and the supported device and sensor status u24 if bit 1 is.

SpO2 and the pulse amplitude index are percentages, pulse rates beats per minute. Both
values of a probe without a finger are NaN; some proprietary sentinels (127 %, 255/min)
leak through and are kept as sent.

Source: Bluetooth SIG Pulse Oximeter Service 1.0.1, sections 3.1 to 3.3.
"""

from dataclasses import dataclass
from typing import Final, Self

from firmware_protocols.codes import BitField
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.octets import (
    OctetReader,
    Octets,
    OctetWriter,
    reserved_bits,
)
from firmware_protocols.ieee11073.floats import Number

_SPOT_TIMESTAMP = 1 << 0
_SPOT_MEASUREMENT_STATUS = 1 << 1
_SPOT_DEVICE_STATUS = 1 << 2
_SPOT_AMPLITUDE = 1 << 3
_SPOT_CLOCK_NOT_SET = 1 << 4

_CONTINUOUS_FAST = 1 << 0
_CONTINUOUS_SLOW = 1 << 1
_CONTINUOUS_MEASUREMENT_STATUS = 1 << 2
_CONTINUOUS_DEVICE_STATUS = 1 << 3
_CONTINUOUS_AMPLITUDE = 1 << 4

_RESERVED = 0b1110_0000
_U24 = 3


class OximeterMeasurementStatus(BitField):
    """How far the measurement has come and what it is good for; bits 5 to 15."""

    __slots__ = ()

    MEASUREMENT_ONGOING: Final = 1 << 5
    EARLY_ESTIMATE: Final = 1 << 6
    VALIDATED: Final = 1 << 7
    FULLY_QUALIFIED: Final = 1 << 8
    FROM_STORAGE: Final = 1 << 9
    DEMO: Final = 1 << 10
    TEST: Final = 1 << 11
    CALIBRATION_ONGOING: Final = 1 << 12
    UNAVAILABLE: Final = 1 << 13
    QUESTIONABLE: Final = 1 << 14
    INVALID: Final = 1 << 15


class OximeterDeviceStatus(BitField):
    """State of the device and its sensor; bits 16 to 23 are reserved."""

    __slots__ = ()

    EXTENDED_DISPLAY_UPDATE: Final = 1 << 0
    EQUIPMENT_MALFUNCTION: Final = 1 << 1
    SIGNAL_PROCESSING_IRREGULARITY: Final = 1 << 2
    INADEQUATE_SIGNAL: Final = 1 << 3
    POOR_SIGNAL: Final = 1 << 4
    LOW_PERFUSION: Final = 1 << 5
    ERRATIC_SIGNAL: Final = 1 << 6
    NONPULSATILE_SIGNAL: Final = 1 << 7
    QUESTIONABLE_PULSE: Final = 1 << 8
    SIGNAL_ANALYSIS_ONGOING: Final = 1 << 9
    SENSOR_INTERFERENCE: Final = 1 << 10
    SENSOR_UNCONNECTED_TO_USER: Final = 1 << 11
    UNKNOWN_SENSOR: Final = 1 << 12
    SENSOR_DISPLACED: Final = 1 << 13
    SENSOR_MALFUNCTIONING: Final = 1 << 14
    SENSOR_DISCONNECTED: Final = 1 << 15


class OximeterFeatures(BitField):
    """What the oximeter can report."""

    __slots__ = ()

    MEASUREMENT_STATUS: Final = 1 << 0
    DEVICE_SENSOR_STATUS: Final = 1 << 1
    MEASUREMENT_STORAGE: Final = 1 << 2
    TIMESTAMP: Final = 1 << 3
    SPO2PR_FAST: Final = 1 << 4
    SPO2PR_SLOW: Final = 1 << 5
    PULSE_AMPLITUDE_INDEX: Final = 1 << 6
    MULTIPLE_BOND: Final = 1 << 7


def _status_fields(
    reader: OctetReader, *, measurement: int, device: int, amplitude: int
) -> tuple[
    OximeterMeasurementStatus | None, OximeterDeviceStatus | None, Number | None
]:
    """Read the three optional fields that end both measurements."""
    return (
        OximeterMeasurementStatus(reader.u16("measurement_status"))
        if measurement
        else None,
        OximeterDeviceStatus(reader.u24("device_sensor_status")) if device else None,
        reader.sfloat("pulse_amplitude_index") if amplitude else None,
    )


def _write_status_fields(
    writer: OctetWriter,
    record: "SpotCheckMeasurement | ContinuousMeasurement",
) -> OctetWriter:
    if record.measurement_status is not None:
        writer.u16(record.measurement_status)
    if record.device_sensor_status is not None:
        writer.unsigned(record.device_sensor_status, _U24)
    if record.pulse_amplitude_index is not None:
        writer.sfloat(record.pulse_amplitude_index)
    return writer.octets(record.trailing)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCheckMeasurement:
    """One value of 2A5E.

    Attributes:
        spo2: Percent.
        pulse_rate: Beats per minute.
        pulse_amplitude_index: Percent.
        clock_not_set: The time stamp, if there is one, is fabricated.
        reserved_flags: Bits 5 to 7 of the flags as they were sent.
    """

    spo2: Number
    pulse_rate: Number
    timestamp: DateTime | None = None
    measurement_status: OximeterMeasurementStatus | None = None
    device_sensor_status: OximeterDeviceStatus | None = None
    pulse_amplitude_index: Number | None = None
    clock_not_set: bool = False
    reserved_flags: int = 0
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A5E.

        Raises:
            TruncatedError: A field is missing.
        """
        reader = OctetReader(data)
        flags = reader.u8("flags")
        spo2 = reader.sfloat("spo2")
        pulse_rate = reader.sfloat("pulse_rate")
        timestamp = reader.date_time("timestamp") if flags & _SPOT_TIMESTAMP else None
        measurement_status, device_status, amplitude = _status_fields(
            reader,
            measurement=flags & _SPOT_MEASUREMENT_STATUS,
            device=flags & _SPOT_DEVICE_STATUS,
            amplitude=flags & _SPOT_AMPLITUDE,
        )
        return cls(
            spo2=spo2,
            pulse_rate=pulse_rate,
            timestamp=timestamp,
            measurement_status=measurement_status,
            device_sensor_status=device_status,
            pulse_amplitude_index=amplitude,
            clock_not_set=bool(flags & _SPOT_CLOCK_NOT_SET),
            reserved_flags=flags & _RESERVED,
            trailing=reader.rest(),
        )

    @property
    def flags(self) -> int:
        """Return the flags octet."""
        return (
            (_SPOT_TIMESTAMP if self.timestamp is not None else 0)
            | (_SPOT_MEASUREMENT_STATUS if self.measurement_status is not None else 0)
            | (_SPOT_DEVICE_STATUS if self.device_sensor_status is not None else 0)
            | (_SPOT_AMPLITUDE if self.pulse_amplitude_index is not None else 0)
            | (_SPOT_CLOCK_NOT_SET if self.clock_not_set else 0)
            | reserved_bits(self.reserved_flags, _RESERVED)
        )

    def to_bytes(self) -> bytes:
        """Encode 2A5E.

        Raises:
            ValueError: A field does not fit.
        """
        writer = OctetWriter().u8(self.flags).sfloat(self.spo2).sfloat(self.pulse_rate)
        if self.timestamp is not None:
            writer.date_time(self.timestamp)
        return _write_status_fields(writer, self).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpO2PulseRate:
    """A pair of SpO2 (percent) and pulse rate (per minute)."""

    spo2: Number
    pulse_rate: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuousMeasurement:
    """One value of 2A5F.

    Attributes:
        normal: Values of the device's usual averaging.
        fast: Values averaged over a shorter time.
        slow: Values averaged over a longer time.
        pulse_amplitude_index: Percent.
        reserved_flags: Bits 5 to 7 of the flags as they were sent.
    """

    normal: SpO2PulseRate
    fast: SpO2PulseRate | None = None
    slow: SpO2PulseRate | None = None
    measurement_status: OximeterMeasurementStatus | None = None
    device_sensor_status: OximeterDeviceStatus | None = None
    pulse_amplitude_index: Number | None = None
    reserved_flags: int = 0
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A5F.

        Raises:
            TruncatedError: A field is missing.
        """
        reader = OctetReader(data)
        flags = reader.u8("flags")
        normal = _read_pair(reader, "")
        fast = _read_pair(reader, "_fast") if flags & _CONTINUOUS_FAST else None
        slow = _read_pair(reader, "_slow") if flags & _CONTINUOUS_SLOW else None
        measurement_status, device_status, amplitude = _status_fields(
            reader,
            measurement=flags & _CONTINUOUS_MEASUREMENT_STATUS,
            device=flags & _CONTINUOUS_DEVICE_STATUS,
            amplitude=flags & _CONTINUOUS_AMPLITUDE,
        )
        return cls(
            normal=normal,
            fast=fast,
            slow=slow,
            measurement_status=measurement_status,
            device_sensor_status=device_status,
            pulse_amplitude_index=amplitude,
            reserved_flags=flags & _RESERVED,
            trailing=reader.rest(),
        )

    @property
    def flags(self) -> int:
        """Return the flags octet."""
        measurement, device = self.measurement_status, self.device_sensor_status
        return (
            (_CONTINUOUS_FAST if self.fast is not None else 0)
            | (_CONTINUOUS_SLOW if self.slow is not None else 0)
            | (_CONTINUOUS_MEASUREMENT_STATUS if measurement is not None else 0)
            | (_CONTINUOUS_DEVICE_STATUS if device is not None else 0)
            | (_CONTINUOUS_AMPLITUDE if self.pulse_amplitude_index is not None else 0)
            | reserved_bits(self.reserved_flags, _RESERVED)
        )

    def to_bytes(self) -> bytes:
        """Encode 2A5F.

        Raises:
            ValueError: A field does not fit.
        """
        writer = OctetWriter().u8(self.flags)
        for pair in (self.normal, self.fast, self.slow):
            if pair is not None:
                writer.sfloat(pair.spo2).sfloat(pair.pulse_rate)
        return _write_status_fields(writer, self).value()


def _read_pair(reader: OctetReader, suffix: str) -> SpO2PulseRate:
    return SpO2PulseRate(
        spo2=reader.sfloat(f"spo2{suffix}"),
        pulse_rate=reader.sfloat(f"pulse_rate{suffix}"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OximeterFeature:
    """The value of 2A60.

    Attributes:
        features: Bits 0 and 1 say whether the two masks follow.
        measurement_status_support: Which bits the oximeter can set.
        device_sensor_status_support: Which bits the oximeter can set.
    """

    features: OximeterFeatures
    measurement_status_support: OximeterMeasurementStatus | None = None
    device_sensor_status_support: OximeterDeviceStatus | None = None
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A60.

        Raises:
            TruncatedError: A field is missing.
        """
        reader = OctetReader(data)
        features = OximeterFeatures(reader.u16("features"))
        measurement = device = None
        if features & OximeterFeatures.MEASUREMENT_STATUS:
            measurement = OximeterMeasurementStatus(
                reader.u16("measurement_status_support")
            )
        if features & OximeterFeatures.DEVICE_SENSOR_STATUS:
            device = OximeterDeviceStatus(reader.u24("device_sensor_status_support"))
        return cls(
            features=features,
            measurement_status_support=measurement,
            device_sensor_status_support=device,
            trailing=reader.rest(),
        )

    def to_bytes(self) -> bytes:
        """Encode 2A60.

        Raises:
            ValueError: Feature bits and masks disagree, or a field does not fit.
        """
        measurement = self.measurement_status_support
        device = self.device_sensor_status_support
        claims = self.features & (
            OximeterFeatures.MEASUREMENT_STATUS | OximeterFeatures.DEVICE_SENSOR_STATUS
        )
        if claims != (measurement is not None) | (device is not None) << 1:
            raise ValueError("feature bits 0 and 1 disagree with the masks")
        writer = OctetWriter().u16(self.features)
        if measurement is not None:
            writer.u16(measurement)
        if device is not None:
            writer.unsigned(device, _U24)
        return writer.octets(self.trailing).value()
