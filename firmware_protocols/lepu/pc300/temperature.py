"""Temperature frames of the PC-100/200/300.

::

    72/01  b0 Thi Tlo   b0 bits 5-6 state, bit 4 probe off; T in hundredths of a degree
                        above 30 °C, from 0520 on over range; T may be missing
    72/03  mode         high nibble where, low nibble unit

Source: viatomEcho/LepuBle and three independent hosts; 72/01 confirmed by a captured
frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final

from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.record import code_of, data_of, named

_BASE_CELSIUS: Final = 30
_OVER_RANGE: Final = 0x0520
_STATE_SHIFT: Final = 5
_STATE_MASK: Final = 0x03
_PROBE_OFF: Final = 0x10
_WITH_VALUE: Final = 3


class TemperatureState(StrEnum):
    """How far the measurement is."""

    IDLE = "idle"
    MEASURING = "measuring"
    DONE = "done"
    TIMEOUT = "timeout"


_STATES: Final[Mapping[int, TemperatureState]] = dict(enumerate(TemperatureState))


class TemperatureMode(StrEnum):
    """Where the thermometer is pointed at."""

    EAR = "ear"
    ADULT_FOREHEAD = "adult_forehead"
    CHILD_FOREHEAD = "child_forehead"
    OBJECT = "object"


class TemperatureUnit(StrEnum):
    """What its display shows; the protocol always carries degrees Celsius."""

    CELSIUS = "C"
    FAHRENHEIT = "F"


_MODES: Final[Mapping[int, TemperatureMode]] = dict(enumerate(TemperatureMode, start=1))
_UNITS: Final[Mapping[int, TemperatureUnit]] = dict(enumerate(TemperatureUnit, start=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """72/01: a body temperature, or how its measurement goes.

    Attributes:
        state: Only ``DONE`` carries a result; ``MEASURING`` what is seen so far.
        probe_off: The sensor touches nothing.
        centikelvin_above_30: Hundredths of a degree above 30 °C; None in short frames.
    """

    kind: ClassVar[str] = "temperature"
    derived: ClassVar[tuple[str, ...]] = ("celsius", "over_range")

    state: TemperatureState
    probe_off: bool = False
    centikelvin_above_30: int | None = None

    @property
    def over_range(self) -> bool:
        """Too hot for the thermometer, above 43.1 °C."""
        return (self.centikelvin_above_30 or 0) >= _OVER_RANGE

    @property
    def celsius(self) -> Decimal | None:
        """The temperature; None when there is none: missing, 0, over range, timeout."""
        value = self.centikelvin_above_30
        if not value or self.over_range or self.state is TemperatureState.TIMEOUT:
            return None
        return _BASE_CELSIUS + Decimal(value) / 100

    @classmethod
    def of_celsius(
        cls, celsius: Decimal, state: TemperatureState = TemperatureState.DONE
    ) -> "Temperature":
        """The record for a temperature from 30.01 °C on."""
        above = int((celsius - _BASE_CELSIUS) * 100)
        return cls(state=state, centikelvin_above_30=above)

    @classmethod
    def from_frame(cls, frame: Frame) -> "Temperature":
        """Read state and value.

        Raises:
            TruncatedError: No data.
        """
        data = data_of(frame, cls.kind, 1)
        value = int.from_bytes(data[1:3], "big") if len(data) >= _WITH_VALUE else None
        return cls(
            state=_STATES[data[0] >> _STATE_SHIFT & _STATE_MASK],
            probe_off=bool(data[0] & _PROBE_OFF),
            centikelvin_above_30=value,
        )

    def to_frame(self) -> Frame:
        """72/01."""
        state = code_of(self.state, _STATES) << _STATE_SHIFT
        data = bytes((state | self.probe_off * _PROBE_OFF,))
        if self.centikelvin_above_30 is not None:
            data += self.centikelvin_above_30.to_bytes(2, "big")
        return Frame.build(token=0x72, type=0x01, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureModeReport:
    """72/03: what the thermometer is set to."""

    kind: ClassVar[str] = "temperature_mode"

    mode: TemperatureMode
    unit: TemperatureUnit

    @classmethod
    def from_frame(cls, frame: Frame) -> "TemperatureModeReport":
        """Read mode and unit.

        Raises:
            TruncatedError: No data.
            FieldError: A mode or unit that no source names.
        """
        mode, unit = mode_from_byte(frame, data_of(frame, cls.kind, 1)[0])
        return cls(mode=mode, unit=unit)

    def to_frame(self) -> Frame:
        """72/03."""
        byte = mode_to_byte(self.mode, self.unit)
        return Frame.build(token=0x72, type=0x03, data=bytes((byte,)))


def mode_from_byte(frame: Frame, byte: int) -> tuple[TemperatureMode, TemperatureUnit]:
    """Mode and unit of a mode byte.

    Raises:
        FieldError: A mode or unit that no source names.
    """
    return (
        named(frame, "temperature_mode.mode", byte >> 4, _MODES),
        named(frame, "temperature_mode.unit", byte & 0x0F, _UNITS),
    )


def mode_to_byte(mode: TemperatureMode, unit: TemperatureUnit) -> int:
    """The mode byte of mode and unit."""
    return code_of(mode, _MODES) << 4 | code_of(unit, _UNITS)
