"""Commands of the host to a PC-100/200/300 that carry an argument.

::

    FF/03  YY MM DD hh mm ss   set time, YY = year - 2000
    FF/20  id, little endian   set customer id
    50/02  0|1                 SpO2 upload off, on
    40/03  0|1|2               NIBP mode adult, neonate, child
    72/02  mode                thermometer mode, see ``temperature``
    E3/type  00                glucometer type
    E0/03  0|1                 glucose unit mmol/L, mg/dL (Benecheck only)
    30/05  1|2                 ECG samples of 8, 12 bit

Source: viatomEcho/LepuBle and one or two independent hosts for each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from firmware_protocols.errors import FieldError
from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pc300.commands import CommandName
from firmware_protocols.lepu.pc300.glucose import (
    GLUCOMETER_TYPES,
    GLUCOSE_UNITS,
    GlucometerType,
    GlucoseUnit,
)
from firmware_protocols.lepu.pc300.nibp import NIBP_MODES, NibpMode
from firmware_protocols.lepu.pc300.system import CUSTOMER_ID_SIZE
from firmware_protocols.lepu.pc300.temperature import (
    TemperatureMode,
    TemperatureUnit,
    mode_from_byte,
    mode_to_byte,
)
from firmware_protocols.lepu.record import code_of, data_of, named

_EPOCH_YEAR: Final = 2000
_LAST_YEAR: Final = _EPOCH_YEAR + 0xFF
_TIME_SIZE: Final = 6
_BITS_CODES: Final[Mapping[int, int]] = {1: 8, 2: 12}
_SWITCH: Final[Mapping[int, bool]] = {0: False, 1: True}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTime:
    """FF/03: set the clock; wall-clock time of the place, without a zone."""

    kind: ClassVar[str] = "command"
    name: ClassVar[CommandName] = CommandName.SET_TIME

    time: datetime

    @classmethod
    def from_frame(cls, frame: Frame) -> "SetTime":
        """Read the time.

        Raises:
            TruncatedError: Fewer than six data bytes.
            FieldError: No such date or time.
        """
        year, *rest = data_of(frame, cls.name, _TIME_SIZE)[:_TIME_SIZE]
        try:
            time = datetime(_EPOCH_YEAR + year, *rest)  # type: ignore[arg-type] # noqa: DTZ001 - five ints; the wire carries no zone
        except ValueError:
            raise FieldError("set_time.time", "no such time", frame.raw) from None
        return cls(time=time)

    def to_frame(self) -> Frame:
        """FF/03.

        Raises:
            ValueError: A year before 2000 or after 2255; the caller's mistake.
        """
        time = self.time
        if not _EPOCH_YEAR <= time.year <= _LAST_YEAR:
            msg = "the year does not fit"
            raise ValueError(msg)
        date = (time.year - _EPOCH_YEAR, time.month, time.day)
        data = bytes((*date, time.hour, time.minute, time.second))
        return Frame.build(token=0xFF, type=0x03, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCustomerId:
    """FF/20: give the device a number of one's own."""

    kind: ClassVar[str] = "command"
    name: ClassVar[CommandName] = CommandName.SET_CUSTOMER_ID

    customer_id: int
    size: int = CUSTOMER_ID_SIZE

    @classmethod
    def from_frame(cls, frame: Frame) -> "SetCustomerId":
        """Read the number.

        Raises:
            TruncatedError: No data.
        """
        data = data_of(frame, cls.name, 1)
        return cls(customer_id=int.from_bytes(data, "little"), size=len(data))

    def to_frame(self) -> Frame:
        """FF/20."""
        data = self.customer_id.to_bytes(self.size, "little")
        return Frame.build(token=0xFF, type=0x20, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spo2Upload:
    """50/02: have oximetry sent, or not."""

    kind: ClassVar[str] = "command"
    name: ClassVar[CommandName] = CommandName.SPO2_UPLOAD

    enable: bool

    @classmethod
    def from_frame(cls, frame: Frame) -> "Spo2Upload":
        """Read the switch.

        Raises:
            TruncatedError: No data.
            FieldError: Neither 0 nor 1.
        """
        byte = data_of(frame, cls.name, 1)[0]
        return cls(enable=named(frame, "spo2_upload.enable", byte, _SWITCH))

    def to_frame(self) -> Frame:
        """50/02."""
        return Frame.build(token=0x50, type=0x02, data=bytes((self.enable,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNibpMode:
    """40/03: whose arm the cuff is on."""

    kind: ClassVar[str] = "command"
    name: ClassVar[CommandName] = CommandName.SET_NIBP_MODE

    mode: NibpMode

    @classmethod
    def from_frame(cls, frame: Frame) -> "SetNibpMode":
        """Read the mode.

        Raises:
            TruncatedError: No data.
            FieldError: A mode that no source names.
        """
        byte = data_of(frame, cls.name, 1)[0]
        return cls(mode=named(frame, "set_nibp_mode.mode", byte, NIBP_MODES))

    def to_frame(self) -> Frame:
        """40/03."""
        mode = code_of(self.mode, NIBP_MODES)
        return Frame.build(token=0x40, type=0x03, data=bytes((mode,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTemperatureMode:
    """72/02: where the thermometer is pointed at, and the unit of its display."""

    kind: ClassVar[str] = "command"
    name: ClassVar[CommandName] = CommandName.SET_TEMPERATURE_MODE

    mode: TemperatureMode
    unit: TemperatureUnit

    @classmethod
    def from_frame(cls, frame: Frame) -> "SetTemperatureMode":
        """Read mode and unit.

        Raises:
            TruncatedError: No data.
            FieldError: A mode or unit that no source names.
        """
        mode, unit = mode_from_byte(frame, data_of(frame, cls.name, 1)[0])
        return cls(mode=mode, unit=unit)

    def to_frame(self) -> Frame:
        """72/02."""
        byte = mode_to_byte(self.mode, self.unit)
        return Frame.build(token=0x72, type=0x02, data=bytes((byte,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetGlucometerType:
    """E3/type: which meter is plugged in."""

    kind: ClassVar[str] = "command"
    name: ClassVar[CommandName] = CommandName.SET_GLUCOMETER_TYPE

    meter: GlucometerType

    @classmethod
    def from_frame(cls, frame: Frame) -> "SetGlucometerType":
        """Read the type, which is the frame's type.

        Raises:
            FieldError: A type that no source names.
        """
        field = "set_glucometer_type.meter"
        return cls(meter=named(frame, field, frame.type, GLUCOMETER_TYPES))

    def to_frame(self) -> Frame:
        """E3/type."""
        meter = code_of(self.meter, GLUCOMETER_TYPES)
        return Frame.build(token=0xE3, type=meter, data=b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetGlucoseUnit:
    """E0/03: unit of a Benecheck meter."""

    kind: ClassVar[str] = "command"
    name: ClassVar[CommandName] = CommandName.SET_GLUCOSE_UNIT

    unit: GlucoseUnit

    @classmethod
    def from_frame(cls, frame: Frame) -> "SetGlucoseUnit":
        """Read the unit.

        Raises:
            TruncatedError: No data.
            FieldError: A unit that no source names.
        """
        byte = data_of(frame, cls.name, 1)[0]
        return cls(unit=named(frame, "set_glucose_unit.unit", byte, GLUCOSE_UNITS))

    def to_frame(self) -> Frame:
        """E0/03."""
        unit = code_of(self.unit, GLUCOSE_UNITS)
        return Frame.build(token=0xE0, type=0x03, data=bytes((unit,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EcgSampleBits:
    """30/05: width of ECG samples, 8 or 12 bits."""

    kind: ClassVar[str] = "command"
    name: ClassVar[CommandName] = CommandName.ECG_SAMPLE_BITS

    bits: int

    @classmethod
    def from_frame(cls, frame: Frame) -> "EcgSampleBits":
        """Read the width.

        Raises:
            TruncatedError: No data.
            FieldError: A code that no source names.
        """
        byte = data_of(frame, cls.name, 1)[0]
        return cls(bits=named(frame, "ecg_sample_bits.bits", byte, _BITS_CODES))

    def to_frame(self) -> Frame:
        """30/05.

        Raises:
            ValueError: ``bits`` is neither 8 nor 12; the caller's mistake.
        """
        for code, bits in _BITS_CODES.items():
            if bits == self.bits:
                return Frame.build(token=0x30, type=0x05, data=bytes((code,)))
        msg = "bits is 8 or 12"
        raise ValueError(msg)
