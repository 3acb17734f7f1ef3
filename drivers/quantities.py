"""Numbers of the wire as components in the units of ``gateway.codes``.

Conversions are exact decimals; a factor is exact by definition or named with its
source. What was on the wire stays in the reading's raw bytes.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from firmware_protocols.ieee11073.floats import Number, Special
from gateway.codes import reading
from gateway.model.observation import Absent, Component, Quantity

MMHG_PER_KPA: Final = Decimal("7.500616")
"""1 kPa in conventional millimetres of mercury (1 / 0.133322387), BIPM rounding."""

KG_PER_LB: Final = Decimal("0.45359237")
"""Exact: international avoirdupois pound, 1959."""

CM_PER_INCH: Final = Decimal("2.54")
"""Exact: international inch, 1959."""

MG_PER_DL_PER_MMOL_PER_L: Final = Decimal("18.016")
"""Molar mass of glucose / 10, as the codes table has it (180.16 g/mol)."""

_THOUSANDTH: Final = Decimal("0.001")
_ZERO_CELSIUS_IN_FAHRENHEIT: Final = 32

_ABSENT: Final = {
    Special.NAN: Absent.NOT_A_NUMBER,
    Special.NRES: Absent.NOT_AT_RESOLUTION,
    Special.POSITIVE_INFINITY: Absent.ABOVE_RANGE,
    Special.NEGATIVE_INFINITY: Absent.BELOW_RANGE,
    Special.RESERVED: Absent.UNKNOWN,
}


def present(name: str, value: Decimal | int) -> Component:
    """A component that has a value, in its unit of ``gateway.codes``."""
    return _component(name, value=Decimal(value), absent=None)


def missing(name: str, why: Absent) -> Component:
    """A component that has none, and why."""
    return _component(name, value=None, absent=why)


def from_number(
    name: str, value: Number, convert: Callable[[Decimal], Decimal] | None = None
) -> Component:
    """A component from an IEEE 11073 number; special values become reasons."""
    if isinstance(value, Special):
        return missing(name, _ABSENT[value])
    return present(name, value if convert is None else convert(value))


def _component(name: str, *, value: Decimal | None, absent: Absent | None) -> Component:
    code = reading(name)
    unit = code.unit or "1"
    quantity = Quantity(unit=unit, value=value, absent=absent)
    return Component(name=name, code=code.mdc, quantity=quantity)


def mmhg_from_kpa(value: Decimal) -> Decimal:
    """Pressure; the product is exact."""
    return value * MMHG_PER_KPA


def celsius_from_fahrenheit(value: Decimal) -> Decimal:
    """Temperature, to 0.001 degree: ninths have no finite decimal."""
    celsius = (value - _ZERO_CELSIUS_IN_FAHRENHEIT) * 5 / 9
    return celsius.quantize(_THOUSANDTH)


def kg_from_lb(value: Decimal) -> Decimal:
    """Mass; the product is exact."""
    return value * KG_PER_LB


def mmol_per_l_from_mg_per_dl(value: Decimal) -> Decimal:
    """Glucose, to 0.001 mmol/L: 55 times finer than 1 mg/dL, the meters' resolution."""
    return (value / MG_PER_DL_PER_MMOL_PER_L).quantize(_THOUSANDTH)
