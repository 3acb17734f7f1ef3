"""Whether a value can be true. Nothing is dropped or converted here, only flagged.

Ranges are those of ``gateway.codes`` (hard: physiologically impossible in the
community; soft: ask for a repeat); relations and device status bits are judged beside
them. HI and LO of a meter are readings: they stay ``ok`` and must alarm.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.codes import ReadingCode, readings
from gateway.model.observation import Absent, Component, Quality

# Pulse pressure outside this is nearly always a cuff artefact (mm[Hg]).
PULSE_PRESSURE: Final = (Decimal(10), Decimal(150))

# What a number would be if the device had meant the other unit of its kind; factors of
# IEEE 11073-10101 units: kPa, mg/dL (glucose, 180.16 g/mol), lb, jin (half a kilogram).
_OTHER_UNITS: Final[Mapping[str, tuple[tuple[str, Decimal, Decimal], ...]]] = {
    "mm[Hg]": (("kPa", Decimal("7.50062"), Decimal(0)),),
    "mmol/L": (("mg/dL", 1 / Decimal("18.016"), Decimal(0)),),
    "Cel": (("[degF]", Decimal(5) / 9, Decimal(-160) / 9),),
    "kg": (
        ("[lb_av]", Decimal("0.45359237"), Decimal(0)),
        ("jin", Decimal("0.5"), Decimal(0)),
    ),
}

# Status bits of IEEE 11073-10404, -10407 and -10417 (``gateway/codes/terms.json``).
# An irregular pulse or a pulse out of range is a finding and no fault of measurement.
INVALIDATING: Final = frozenset(
    {
        "sensor-disconnected",
        "sensor-malfunction",
        "sensor-unsupported",
        "sensor-off",
        "signal-searching",
        "signal-inadequate",
        "device-equipment-malfunction",
        "sample-size-insufficient",
        "strip-insertion",
        "strip-type-incorrect",
        "read-interrupt",
        "device-gen-fault",
        "control-solution",
        "test-data",
    }
)
DOUBTFUL: Final = frozenset(
    {
        "body-movement",
        "cuff-too-loose",
        "improper-body-position",
        "sensor-displaced",
        "sensor-interference",
        "signal-pulse-questionable",
        "signal-non-pulsatile",
        "signal-erratic",
        "signal-low-perfusion",
        "signal-poor",
        "signal-processing-irregularity",
        "temp-too-high",
        "temp-too-low",
        "temp-out-of-range",
    }
)

_BEYOND_RANGE: Final = frozenset({Absent.ABOVE_RANGE, Absent.BELOW_RANGE})
_SEVERITY: Final = {
    Quality.OK: 0,
    Quality.QUESTIONABLE: 1,
    Quality.IMPLAUSIBLE: 2,
    Quality.INVALID: 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Quality of a reading and the remarks that led to it, sorted."""

    quality: Quality
    flags: tuple[str, ...]


def judge(
    components: Iterable[Component],
    *,
    flags: Iterable[str] = (),
    invalid: bool = False,
    questionable: bool = False,
) -> Judgement:
    """Judge a reading.

    Args:
        components: in the units of ``gateway.codes``.
        flags: device status, by name.
        invalid: the device says that the measurement failed.
        questionable: the device or protocol doubts it.
    """
    parts = tuple(components)
    remarks = set(flags)
    verdicts = [Quality.OK]
    beyond = any(c.quantity.absent in _BEYOND_RANGE for c in parts)
    if remarks & DOUBTFUL or questionable:
        verdicts.append(Quality.QUESTIONABLE)
    if remarks & INVALIDATING:
        # A doubt about HI or LO must not silence it: the sickest would be lost.
        verdicts.append(Quality.QUESTIONABLE if beyond else Quality.INVALID)
    if invalid or not (beyond or any(c.quantity.value is not None for c in parts)):
        verdicts.append(Quality.INVALID)
    verdicts += [_judge_component(component, remarks) for component in parts]
    verdicts.append(_judge_pressures(parts, remarks))
    return Judgement(
        quality=max(verdicts, key=_SEVERITY.__getitem__), flags=tuple(sorted(remarks))
    )


def _judge_component(component: Component, remarks: set[str]) -> Quality:
    name = component.name
    value = component.quantity.value
    if value is None:
        return Quality.OK
    code = readings().get(name)
    if code is None:
        remarks.add("unknown-component")
        return Quality.QUESTIONABLE
    if component.quantity.unit != code.unit:
        remarks.add(f"unit-unexpected-{name}")
        return Quality.QUESTIONABLE
    if not _within(value, code.hard):
        remarks.add(f"out-of-range-{name}")
        if _fits_other_unit(value, code):
            remarks.add(f"unit-suspected-{name}")
        return Quality.IMPLAUSIBLE
    if not _within(value, code.soft):
        remarks.add(f"unusual-{name}")
        return Quality.QUESTIONABLE
    return Quality.OK


def _within(value: Decimal, limits: tuple[Decimal, Decimal] | None) -> bool:
    # A Decimal can be NaN, which compares with nothing, or infinite.
    return value.is_finite() and (limits is None or limits[0] <= value <= limits[1])


def _fits_other_unit(value: Decimal, code: ReadingCode) -> bool:
    limits = code.soft or code.hard
    return limits is not None and any(
        _within(value * factor + shift, limits)
        for _, factor, shift in _OTHER_UNITS.get(code.unit or "", ())
    )


def _judge_pressures(parts: tuple[Component, ...], remarks: set[str]) -> Quality:
    values = {
        c.name: c.quantity.value
        for c in parts
        if c.quantity.value is not None and c.quantity.value.is_finite()
    }
    systolic, diastolic = values.get("systolic"), values.get("diastolic")
    if systolic is None or diastolic is None:
        names = {c.name for c in parts}
        if {"systolic", "diastolic"} <= names and systolic is not diastolic:
            remarks.add("pressure-incomplete")
            return Quality.QUESTIONABLE
        return Quality.OK
    if systolic <= diastolic:
        remarks.add("systolic-not-above-diastolic")
        return Quality.IMPLAUSIBLE
    quality = Quality.OK
    low, high = PULSE_PRESSURE
    if not low <= systolic - diastolic <= high:
        remarks.add("unusual-pulse-pressure")
        quality = Quality.QUESTIONABLE
    mean = values.get("mean_arterial_pressure")
    if mean is not None and not diastolic <= mean <= systolic:
        remarks.add("mean-outside-pressures")
        quality = Quality.QUESTIONABLE
    return quality
