"""Glucose, uric acid and cholesterol frames of the PC-100/200/300.

::

    73/01, E2/01  b0 v1 v2   glucose: b0 bit 0 unit, bits 4-5 flag
                     mmol/L: BCD, v1 low nibble tens, v2 high nibble ones, low tenths
                     mg/dL: BE16
    E2/01  b0 lo hi  PC-100: b0 high nibble 4 normal 5 low 6 high, low nibble
                     1 mg/dL 2 mmol/L, value LE16
    E2/02  b0 hi lo  uric acid in tenths of mg/dL (Benecheck)
    E2/03  b0 hi lo  total cholesterol in mg/dL (Benecheck)
    E3/type          glucometer type set            E4/type   type in force

Source: viatomEcho/LepuBle and two independent hosts; the BCD coding is confirmed by a
captured frame. **Conflict:** for mg/dL one host takes the number as it is and another
divides it by ten, and there is no capture. It is taken as it is, unless that is beyond
what a meter can measure. The PC-100's coding has one source, which does not scale;
tenths are taken for mmol/L, as a whole number of them would be of no use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final

from firmware_protocols.errors import FieldError
from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.record import code_of, data_of, named

MAX_MG_DL: Final = 600
"""The most a strip meter measures; it reports more as HI. Above it the number on the
wire must be tenths."""

_UNIT_MG_DL: Final = 0x01
_FLAG_SHIFT: Final = 4
_FLAG_MASK: Final = 0x03
_MAX_DIGIT: Final = 9


class GlucoseUnit(StrEnum):
    """Unit of a result, and of the meter's display."""

    MMOL_L = "mmol/L"
    MG_DL = "mg/dL"


GLUCOSE_UNITS: Final[Mapping[int, GlucoseUnit]] = dict(enumerate(GlucoseUnit))


class GlucoseFlag(StrEnum):
    """Whether the meter could give a number; LOW and HIGH are readings and alarm."""

    NORMAL = "normal"
    LOW = "low"
    HIGH = "high"


_FLAGS: Final[Mapping[int, GlucoseFlag]] = dict(enumerate(GlucoseFlag))
_PC100_UNITS: Final[Mapping[int, GlucoseUnit]] = {
    1: GlucoseUnit.MG_DL,
    2: GlucoseUnit.MMOL_L,
}
_PC100_FLAGS: Final[Mapping[int, GlucoseFlag]] = dict(enumerate(GlucoseFlag, start=4))


class GlucometerType(StrEnum):
    """The meter which is plugged into the board."""

    AIAOLE = "aiaole"
    BENECHECK = "benecheck"
    ON_CALL_SURE_SYNC = "on_call_sure_sync"


GLUCOMETER_TYPES: Final[Mapping[int, GlucometerType]] = dict(
    enumerate(GlucometerType, start=1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glucose:
    """73/01 or E2/01: a glucose result.

    Attributes:
        flag: LOW and HIGH: beyond the meter's range, and there is no number.
        unit: What ``number`` is in.
        number: As on the wire: four BCD digits in tenths for mmol/L, binary for mg/dL.
        benecheck: It came as E2/01, which only Benecheck meters send.
    """

    kind: ClassVar[str] = "glucose"
    derived: ClassVar[tuple[str, ...]] = ("mmol_l", "mg_dl", "mg_dl_divisor")

    flag: GlucoseFlag
    unit: GlucoseUnit
    number: int
    benecheck: bool = False

    @property
    def mmol_l(self) -> Decimal | None:
        """The result, when the unit is mmol/L and there is a number."""
        if self.unit is not GlucoseUnit.MMOL_L or self.flag is not GlucoseFlag.NORMAL:
            return None
        tens, ones, tenths = _digits(self.number)
        return Decimal(tens * 100 + ones * 10 + tenths) / 10

    @property
    def mg_dl(self) -> Decimal | None:
        """The result, when the unit is mg/dL and there is a number."""
        if self.unit is not GlucoseUnit.MG_DL or self.flag is not GlucoseFlag.NORMAL:
            return None
        return Decimal(self.number) / self.mg_dl_divisor

    @property
    def mg_dl_divisor(self) -> int:
        """1, or 10 where the number is otherwise impossible; see the conflict above."""
        return 10 if self.number > MAX_MG_DL else 1

    @classmethod
    def of_mmol_l(cls, value: Decimal) -> "Glucose":
        """The record for a result from 0.0 to 99.9 mmol/L."""
        tenths = int(value * 10)
        number = tenths // 100 << 8 | tenths // 10 % 10 << 4 | tenths % 10
        return cls(flag=GlucoseFlag.NORMAL, unit=GlucoseUnit.MMOL_L, number=number)

    @classmethod
    def of_flag(cls, flag: GlucoseFlag) -> "Glucose":
        """The record for LO and HI."""
        return cls(flag=flag, unit=GlucoseUnit.MMOL_L, number=0)

    @classmethod
    def from_frame(cls, frame: Frame) -> "Glucose":
        """Read flag, unit and number.

        Raises:
            TruncatedError: Fewer than three data bytes.
            FieldError: A flag without a meaning, or digits that are not decimal.
        """
        data = data_of(frame, cls.kind, 3)
        flag = named(frame, "glucose.flag", data[0] >> _FLAG_SHIFT & _FLAG_MASK, _FLAGS)
        unit = GLUCOSE_UNITS[data[0] & _UNIT_MG_DL]
        number = int.from_bytes(data[1:3], "big")
        if unit is GlucoseUnit.MMOL_L and (
            number >> 12 or any(digit > _MAX_DIGIT for digit in _digits(number))
        ):
            raise FieldError("glucose.number", "digits are not decimal", frame.raw)
        benecheck = frame.token == 0xE2  # noqa: PLR2004 - the token
        return cls(flag=flag, unit=unit, number=number, benecheck=benecheck)

    def to_frame(self) -> Frame:
        """73/01, or E2/01 for a Benecheck meter."""
        unit = code_of(self.unit, GLUCOSE_UNITS)
        b0 = code_of(self.flag, _FLAGS) << _FLAG_SHIFT | unit
        data = bytes((b0,)) + self.number.to_bytes(2, "big")
        return Frame.build(token=0xE2 if self.benecheck else 0x73, type=0x01, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pc100Glucose:
    """E2/01 of the PC-100: the same meaning in another coding; one source."""

    kind: ClassVar[str] = "glucose"
    derived: ClassVar[tuple[str, ...]] = ("mmol_l", "mg_dl")

    flag: GlucoseFlag
    unit: GlucoseUnit
    number: int

    @property
    def mmol_l(self) -> Decimal | None:
        """The result, when the unit is mmol/L and there is a number."""
        if self.unit is not GlucoseUnit.MMOL_L or self.flag is not GlucoseFlag.NORMAL:
            return None
        return Decimal(self.number) / 10

    @property
    def mg_dl(self) -> Decimal | None:
        """The result, when the unit is mg/dL and there is a number."""
        if self.unit is not GlucoseUnit.MG_DL or self.flag is not GlucoseFlag.NORMAL:
            return None
        return Decimal(self.number)

    @classmethod
    def from_frame(cls, frame: Frame) -> "Pc100Glucose":
        """Read flag, unit and number.

        Raises:
            TruncatedError: Fewer than three data bytes.
            FieldError: A flag or unit without a meaning.
        """
        data = data_of(frame, cls.kind, 3)
        return cls(
            flag=named(frame, "glucose.flag", data[0] >> 4, _PC100_FLAGS),
            unit=named(frame, "glucose.unit", data[0] & 0x0F, _PC100_UNITS),
            number=int.from_bytes(data[1:3], "little"),
        )

    def to_frame(self) -> Frame:
        """E2/01."""
        unit = code_of(self.unit, _PC100_UNITS)
        b0 = code_of(self.flag, _PC100_FLAGS) << 4 | unit
        data = bytes((b0,)) + self.number.to_bytes(2, "little")
        return Frame.build(token=0xE2, type=0x01, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class UricAcid:
    """E2/02: uric acid; ``number`` is tenths of mg/dL."""

    kind: ClassVar[str] = "uric_acid"
    derived: ClassVar[tuple[str, ...]] = ("mg_dl",)

    status: int
    number: int

    @property
    def mg_dl(self) -> Decimal | None:
        """The result; None when there is none (0)."""
        return Decimal(self.number) / 10 if self.number else None

    @classmethod
    def from_frame(cls, frame: Frame) -> "UricAcid":
        """Read status and number.

        Raises:
            TruncatedError: Fewer than three data bytes.
        """
        data = data_of(frame, cls.kind, 3)
        return cls(status=data[0], number=int.from_bytes(data[1:3], "big"))

    def to_frame(self) -> Frame:
        """E2/02."""
        data = bytes((self.status,)) + self.number.to_bytes(2, "big")
        return Frame.build(token=0xE2, type=0x02, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cholesterol:
    """E2/03: total cholesterol; ``number`` is mg/dL."""

    kind: ClassVar[str] = "cholesterol"
    derived: ClassVar[tuple[str, ...]] = ("mg_dl",)

    status: int
    number: int

    @property
    def mg_dl(self) -> Decimal | None:
        """The result; None when there is none (0)."""
        return Decimal(self.number) if self.number else None

    @classmethod
    def from_frame(cls, frame: Frame) -> "Cholesterol":
        """Read status and number.

        Raises:
            TruncatedError: Fewer than three data bytes.
        """
        data = data_of(frame, cls.kind, 3)
        return cls(status=data[0], number=int.from_bytes(data[1:3], "big"))

    def to_frame(self) -> Frame:
        """E2/03."""
        data = bytes((self.status,)) + self.number.to_bytes(2, "big")
        return Frame.build(token=0xE2, type=0x03, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucometerTypeReport:
    """E4/type: which meter the board is set to."""

    kind: ClassVar[str] = "glucometer_type"

    meter: GlucometerType

    @classmethod
    def from_frame(cls, frame: Frame) -> "GlucometerTypeReport":
        """Read the type.

        Raises:
            FieldError: A type that no source names.
        """
        meter = named(frame, "glucometer_type.meter", frame.type, GLUCOMETER_TYPES)
        return cls(meter=meter)

    def to_frame(self) -> Frame:
        """E4/type."""
        return Frame.build(token=0xE4, type=code_of(self.meter, GLUCOMETER_TYPES))


def _digits(number: int) -> tuple[int, int, int]:
    """Tens, ones and tenths of a BCD number."""
    return number >> 8 & 0x0F, number >> 4 & 0x0F, number & 0x0F
