"""What a glucose record means: kind, value, flags, whether it may be judged.

A result above or below the meter's range (HI, LO) is a reading: the worst ones there
are. It comes as an infinity or as a status bit beside a placeholder value. A control
solution is kept and marked, never judged. The device time given on is the *base* time:
the time offset changes whenever the user sets the clock, and one record must keep one
identity; the offset is in the context.

Source: Bluetooth SIG Glucose Service 1.0.1, sections 3.1 and 3.2; i-SENS ketone mark
and control solutions from field reports (xDrip).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from drivers.device_clock import read_stamp
from drivers.quantities import from_number, missing, mmol_per_l_from_mg_per_dl, present
from firmware_protocols.gatt.glucose import GlucoseMeasurement, GlucoseSample
from firmware_protocols.gatt.glucose_codes import (
    GlucoseStatus,
    Meal,
    SampleLocation,
    SampleType,
)
from firmware_protocols.gatt.glucose_context import GlucoseContext
from firmware_protocols.ieee11073.floats import Special
from gateway.model.observation import Absent, Component
from gateway.ports.devices import Reading

CONTROL_SOLUTION: Final = "control-solution"
KETONE: Final = "ketone"
CONTEXT_MISSING: Final = "context-missing"
MEASUREMENT_FAILED: Final = "measurement-failed"

_KETONE_MEAL: Final = 6
"""i-SENS marks a ketone result with this meal code; its value is no glucose."""

_IDENTITY: Final = slice(1, 10)
"""Octets of 2A18 that never change: sequence number and base time."""

_PLACEHOLDER: Final = Decimal(0)
"""Concentrations up to this are none: 0xFFFF decodes to -0.1 kg/L (a field capture)."""

_KINDS: Final = {
    Meal.PREPRANDIAL: "glucose_preprandial",
    Meal.POSTPRANDIAL: "glucose_postprandial_2h",
    Meal.FASTING: "glucose_fasting",
    Meal.CASUAL: "glucose_random",
}
NO_MEAL_KIND: Final = "glucose_capillary"
"""Without a meal, and at bedtime, nothing is claimed about one."""

KINDS: Final = (*_KINDS.values(), NO_MEAL_KIND)

_STATUS_FLAGS: Final = (
    (GlucoseStatus.BATTERY_LOW, "device-battery-low"),
    (GlucoseStatus.SENSOR_MALFUNCTION, "sensor-malfunction"),
    (GlucoseStatus.SAMPLE_INSUFFICIENT, "sample-size-insufficient"),
    (GlucoseStatus.STRIP_INSERTION_ERROR, "strip-insertion"),
    (GlucoseStatus.STRIP_TYPE_INCORRECT, "strip-type-incorrect"),
    (GlucoseStatus.RESULT_TOO_HIGH, "result-too-high"),
    (GlucoseStatus.RESULT_TOO_LOW, "result-too-low"),
    (GlucoseStatus.TEMPERATURE_TOO_HIGH, "temp-too-high"),
    (GlucoseStatus.TEMPERATURE_TOO_LOW, "temp-too-low"),
    (GlucoseStatus.READ_INTERRUPTED, "read-interrupt"),
    (GlucoseStatus.GENERAL_DEVICE_FAULT, "device-gen-fault"),
    (GlucoseStatus.TIME_FAULT, "device-time-fault"),
)
"""Names of ``gateway/codes/terms.json``, status bits of the glucose meter; its bit 11
is named after 20601, where the Bluetooth service has the time fault."""

_FAILED: Final = (
    GlucoseStatus.SENSOR_MALFUNCTION
    | GlucoseStatus.STRIP_INSERTION_ERROR
    | GlucoseStatus.STRIP_TYPE_INCORRECT
    | GlucoseStatus.READ_INTERRUPTED
    | GlucoseStatus.GENERAL_DEVICE_FAULT
)
_DOUBTFUL: Final = (
    GlucoseStatus.SAMPLE_INSUFFICIENT
    | GlucoseStatus.TEMPERATURE_TOO_HIGH
    | GlucoseStatus.TEMPERATURE_TOO_LOW
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A decoded 2A18 with its bytes."""

    measurement: GlucoseMeasurement
    raw: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContext:
    """A decoded 2A34 with its bytes."""

    context: GlucoseContext
    raw: bytes
    received_at: datetime


def glucose_reading(
    record: StoredRecord,
    context: StoredContext | None,
    *,
    context_missing: bool,
    stored: bool,
) -> Reading:
    """The reading of a record and its context; its raw bytes are those of both."""
    measurement = record.measurement
    meal = None if context is None else context.context.meal
    kind = NO_MEAL_KIND if meal is None else _KINDS.get(int(meal), NO_MEAL_KIND)
    status = measurement.status or GlucoseStatus(0)
    stamp = read_stamp(measurement.base_time)
    sample = measurement.sample
    flags = [name for bit, name in _STATUS_FLAGS if status.has(bit)]
    control = _is_control(sample)
    ketone = meal == _KETONE_MEAL
    component = _concentration(kind, measurement, status)
    failed = status.has(_FAILED) or component.quantity.absent in (
        Absent.NOT_A_NUMBER,
        Absent.NOT_AT_RESOLUTION,
        Absent.ERROR,
        Absent.UNKNOWN,
    )
    flags += [CONTROL_SOLUTION] * control + [KETONE] * ketone
    flags += [CONTEXT_MISSING] * context_missing + [MEASUREMENT_FAILED] * failed
    return Reading(
        kind=kind,
        components=(component,),
        raw=record.raw + (b"" if context is None else context.raw),
        identity=record.raw[_IDENTITY],
        received_at=record.received_at,
        device_time=stamp.time,
        clock_time=measurement.user_facing_time(),
        sequence=measurement.sequence_number,
        flags=(*flags, *stamp.flags),
        context=_context(measurement, meal) | dict(stamp.context),
        invalid=control or ketone or failed,
        questionable=status.has(_DOUBTFUL),
        stored=stored,
    )


def _is_control(sample: GlucoseSample | None) -> bool:
    return sample is not None and (
        sample.sample_type == SampleType.CONTROL_SOLUTION
        or sample.location == SampleLocation.CONTROL_SOLUTION
    )


def _concentration(
    kind: str, measurement: GlucoseMeasurement, status: GlucoseStatus
) -> Component:
    # The status comes first: some meters put a placeholder number beside it.
    if status.has(GlucoseStatus.RESULT_TOO_HIGH):
        return missing(kind, Absent.ABOVE_RANGE)
    if status.has(GlucoseStatus.RESULT_TOO_LOW):
        return missing(kind, Absent.BELOW_RANGE)
    sample = measurement.sample
    if sample is None:
        return missing(kind, Absent.ERROR)
    if isinstance(sample.concentration, Special):
        return from_number(kind, sample.concentration)
    value = measurement.mmol_per_l
    if measurement.mg_per_dl is not None:
        value = mmol_per_l_from_mg_per_dl(measurement.mg_per_dl)
    if value is None or value <= _PLACEHOLDER:
        return missing(kind, Absent.ERROR)
    return present(kind, value)


def _context(measurement: GlucoseMeasurement, meal: Meal | None) -> dict[str, str]:
    context: dict[str, str] = {}
    if meal is not None and meal.is_known:
        context["meal"] = meal.label
    if measurement.time_offset is not None:
        context["time_offset_min"] = str(measurement.time_offset)
    if measurement.sample is not None:
        context["sample"] = measurement.sample.sample_type.label.replace("_", "-")
        context["site"] = measurement.sample.location.label.replace("_", "-")
    if measurement.sample is not None:
        context["wire_unit"] = measurement.unit.value
    return context
