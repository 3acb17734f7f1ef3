"""Blood pressure frames of the PC-100/200/300.

::

    40/01               measurement started         40/02   ended
    40/03  mode         patient mode
    41/01  state        PC-100: module state, see ``system.ModuleState``
    42/01  b0 b1        cuff pressure (b0 & 0F) << 8 | b1 mmHg; b0 bit 4 heart beat,
                        bits 6-7 mode
    43/01  b0 b1 MAP DIA PR   SYS (b0 & 7F) << 8 | b1 mmHg; b0 bit 7 irregular pulse
    43/02  err          bit 7 module maker, bits 0-6 code

Source: viatomEcho/LepuBle (vendor's SDK) and four independent hosts; 43/01 confirmed by
a captured frame, whose MAP is 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.record import code_of, data_of, named


class NibpMode(StrEnum):
    """Whose arm the cuff is on; it decides the first inflation pressure."""

    ADULT = "adult"
    NEONATE = "neonate"
    CHILD = "child"


NIBP_MODES: Final[Mapping[int, NibpMode]] = {
    0: NibpMode.ADULT,
    1: NibpMode.NEONATE,
    2: NibpMode.CHILD,
}


class NibpModule(StrEnum):
    """Maker of the cuff module inside, which decides the error codes."""

    JINGXINHAO = "jingxinhao"
    KRK = "KRK"


class NibpFault(StrEnum):
    """Why a measurement gave no result, in words for a log; screens translate."""

    CUFF_LOOSE = "cuff not wrapped (under 30 mmHg after 7 s)"
    OVERPRESSURE = "over-pressure protection (above 295 mmHg)"
    NO_PULSE = "no valid pulse"
    MOTION = "motion or talking during the measurement"
    RESULT_FAULT = "result out of range"
    LEAK = "air leak"
    SELF_TEST = "self-test failed (sensor or A/D)"
    VALVE = "valve does not open"
    SATURATION = "signal saturated by motion"
    LEAK_TEST = "leak found in the leak test"
    SYSTEM = "system failure (pump, A/D or sensor)"
    TIMEOUT = "measurement timeout"
    LOW_BATTERY = "low battery"


_PC300_FAULTS: Final[Mapping[int, NibpFault]] = {
    1: NibpFault.CUFF_LOOSE,
    2: NibpFault.OVERPRESSURE,
    3: NibpFault.NO_PULSE,
    4: NibpFault.MOTION,
    5: NibpFault.RESULT_FAULT,
    6: NibpFault.LEAK,
    7: NibpFault.SELF_TEST,
    8: NibpFault.VALVE,
    9: NibpFault.SATURATION,
    10: NibpFault.LEAK_TEST,
    11: NibpFault.SYSTEM,
    12: NibpFault.TIMEOUT,
    14: NibpFault.LOW_BATTERY,
}
_PC100_JINGXINHAO_FAULTS: Final[Mapping[int, NibpFault]] = {
    0: NibpFault.NO_PULSE,
    1: NibpFault.CUFF_LOOSE,
    2: NibpFault.RESULT_FAULT,
    3: NibpFault.OVERPRESSURE,
    4: NibpFault.MOTION,
    15: NibpFault.LOW_BATTERY,
}
_PC100_KRK_FAULTS: Final[Mapping[int, NibpFault]] = {
    **{code: fault for code, fault in _PC300_FAULTS.items() if code <= 6},  # noqa: PLR2004 - the last code the PC-100's host names
    15: NibpFault.LOW_BATTERY,
}

_BEAT: Final = 0x10
_MODE_SHIFT: Final = 6
_MODE_MASK: Final = 0x03
_IRREGULAR: Final = 0x80
_KRK: Final = 0x80
_CODE: Final = 0x7F


@dataclass(frozen=True, slots=True, kw_only=True)
class NibpStarted:
    """40/01: the cuff begins to inflate."""

    kind: ClassVar[str] = "nibp_started"

    @classmethod
    def from_frame(cls, _frame: Frame) -> "NibpStarted":
        """Nothing is in it."""
        return cls()

    def to_frame(self) -> Frame:
        """40/01."""
        return Frame.build(token=0x40, type=0x01)


@dataclass(frozen=True, slots=True, kw_only=True)
class NibpEnded:
    """40/02: the measurement has ended, with or without a result."""

    kind: ClassVar[str] = "nibp_ended"

    @classmethod
    def from_frame(cls, _frame: Frame) -> "NibpEnded":
        """Nothing is in it."""
        return cls()

    def to_frame(self) -> Frame:
        """40/02."""
        return Frame.build(token=0x40, type=0x02)


@dataclass(frozen=True, slots=True, kw_only=True)
class NibpModeReport:
    """40/03: the patient mode in force."""

    kind: ClassVar[str] = "nibp_mode"

    mode: NibpMode

    @classmethod
    def from_frame(cls, frame: Frame) -> "NibpModeReport":
        """Read the mode.

        Raises:
            TruncatedError: No data.
            FieldError: A mode that no source names.
        """
        data = data_of(frame, cls.kind, 1)
        return cls(mode=named(frame, "nibp_mode.mode", data[0], NIBP_MODES))

    def to_frame(self) -> Frame:
        """40/03."""
        mode = code_of(self.mode, NIBP_MODES)
        return Frame.build(token=0x40, type=0x03, data=bytes((mode,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CuffPressure:
    """42/01: the pressure in the cuff while it inflates and deflates.

    Attributes:
        mmhg: 0 to 4095.
        beat: A heart beat was felt.
        mode: 0 to 3; only KRK modules fill it, and no source explains it.
    """

    kind: ClassVar[str] = "cuff_pressure"

    mmhg: int
    beat: bool
    mode: int = 0

    @classmethod
    def from_frame(cls, frame: Frame) -> "CuffPressure":
        """Read pressure and beat.

        Raises:
            TruncatedError: Fewer than two data bytes.
        """
        data = data_of(frame, cls.kind, 2)
        return cls(
            mmhg=(data[0] & 0x0F) << 8 | data[1],
            beat=bool(data[0] & _BEAT),
            mode=data[0] >> _MODE_SHIFT,
        )

    def to_frame(self) -> Frame:
        """42/01."""
        high, low = divmod(self.mmhg, 0x100)
        if not 0 <= high <= 0x0F:  # noqa: PLR2004 - the width of the field
            msg = "mmhg does not fit 12 bits"
            raise ValueError(msg)
        high |= self.beat * _BEAT | (self.mode & _MODE_MASK) << _MODE_SHIFT
        return Frame.build(token=0x42, type=0x01, data=bytes((high, low)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NibpResult:
    """43/01: a blood pressure.

    Attributes:
        systolic_mmhg: 0 to 32767.
        map_mmhg: Mean arterial pressure; None when the module gives none (0).
        diastolic_mmhg: 0 to 255.
        pulse_bpm: None when the module gives none (0).
        irregular: The pulse was irregular.
    """

    kind: ClassVar[str] = "nibp_result"

    systolic_mmhg: int
    map_mmhg: int | None
    diastolic_mmhg: int
    pulse_bpm: int | None
    irregular: bool = False

    @classmethod
    def from_frame(cls, frame: Frame) -> "NibpResult":
        """Read the result.

        Raises:
            TruncatedError: Fewer than five data bytes.
        """
        data = data_of(frame, cls.kind, 5)
        return cls(
            systolic_mmhg=(data[0] & 0x7F) << 8 | data[1],
            map_mmhg=data[2] or None,
            diastolic_mmhg=data[3],
            pulse_bpm=data[4] or None,
            irregular=bool(data[0] & _IRREGULAR),
        )

    def to_frame(self) -> Frame:
        """43/01."""
        systolic = self.systolic_mmhg | self.irregular * _IRREGULAR << 8
        rest = (self.map_mmhg or 0, self.diastolic_mmhg, self.pulse_bpm or 0)
        data = systolic.to_bytes(2, "big") + bytes(rest)
        return Frame.build(token=0x43, type=0x01, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class NibpError:
    """43/02: no blood pressure, and why.

    Attributes:
        module: Maker of the cuff module.
        code: Its error code.
        fault: What the code means; None for a code that no source names.
    """

    kind: ClassVar[str] = "nibp_error"

    module: NibpModule
    code: int
    fault: NibpFault | None

    @classmethod
    def from_frame(cls, frame: Frame) -> "NibpError":
        """Read maker and code as the PC-200 and PC-300 send them.

        Raises:
            TruncatedError: No data.
        """
        byte = data_of(frame, cls.kind, 1)[0]
        module = NibpModule.KRK if byte & _KRK else NibpModule.JINGXINHAO
        code = byte & _CODE
        return cls(module=module, code=code, fault=_PC300_FAULTS.get(code))

    @classmethod
    def from_pc100_frame(cls, frame: Frame) -> "NibpError":
        """Read maker and code as the PC-100 sends them: its codes are others.

        Raises:
            TruncatedError: No data.
        """
        byte = data_of(frame, cls.kind, 1)[0]
        code = byte & _CODE
        if byte & _KRK:
            module, faults = NibpModule.KRK, _PC100_KRK_FAULTS
        else:
            module, faults = NibpModule.JINGXINHAO, _PC100_JINGXINHAO_FAULTS
        return cls(module=module, code=code, fault=faults.get(code))

    def to_frame(self) -> Frame:
        """43/02."""
        byte = self.code & _CODE | (self.module is NibpModule.KRK) * _KRK
        return Frame.build(token=0x43, type=0x02, data=bytes((byte,)))


def fault_code(fault: NibpFault) -> int:
    """The PC-300's code for ``fault``."""
    return code_of(fault, _PC300_FAULTS)
