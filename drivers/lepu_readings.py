"""Results of the Lepu spot-check boards as readings.

The boards send neither a time nor a record number: a reading's time is that of its
reception. Only what ``gateway.codes`` has a code for becomes a reading.

Source: ``firmware_protocols.lepu.pc300``.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from drivers.quantities import missing, mmol_per_l_from_mg_per_dl, present
from firmware_protocols.lepu.pc300.ecg import EcgResult
from firmware_protocols.lepu.pc300.glucose import Glucose, GlucoseFlag, Pc100Glucose
from firmware_protocols.lepu.pc300.nibp import NibpError, NibpFault, NibpResult
from firmware_protocols.lepu.pc300.temperature import Temperature, TemperatureMode
from gateway.model.observation import Absent, Component
from gateway.ports.devices import Reading

MEASUREMENT_FAILED: Final = "measurement-failed"
OBJECT_TEMPERATURE: Final = "object-temperature"
UNIT_AMBIGUOUS: Final = "unit-ambiguous"
POOR_SIGNAL: Final = "signal-poor"

FAULT_FLAGS: Final = {
    NibpFault.CUFF_LOOSE: "cuff-too-loose",
    NibpFault.OVERPRESSURE: "cuff-overpressure",
    NibpFault.NO_PULSE: "no-pulse",
    NibpFault.MOTION: "body-movement",
    NibpFault.RESULT_FAULT: "result-out-of-range",
    NibpFault.LEAK: "cuff-leak",
    NibpFault.SELF_TEST: "device-self-test",
    NibpFault.VALVE: "device-valve",
    NibpFault.SATURATION: "body-movement",
    NibpFault.LEAK_TEST: "cuff-leak",
    NibpFault.SYSTEM: "device-equipment-malfunction",
    NibpFault.TIMEOUT: "measurement-timeout",
    NibpFault.LOW_BATTERY: "device-battery-low",
}
UNKNOWN_FAULT: Final = "unknown-fault"

_SITES: Final = {
    TemperatureMode.EAR: "ear",
    TemperatureMode.ADULT_FOREHEAD: "forehead",
    TemperatureMode.CHILD_FOREHEAD: "forehead",
    TemperatureMode.OBJECT: "object",
}
_PANEL: Final = ("systolic", "diastolic", "mean_arterial_pressure")


def blood_pressure(record: NibpResult, raw: bytes, at: datetime) -> Reading:
    """43/01. Zeros for both pressures are a failure without an error frame."""
    failed = not record.systolic_mmhg or not record.diastolic_mmhg
    pressures = (record.systolic_mmhg, record.diastolic_mmhg, record.map_mmhg)
    components = [
        present(name, value) if value else missing(name, Absent.UNKNOWN)
        for name, value in zip(_PANEL, pressures, strict=True)
    ]
    if record.pulse_bpm is not None:
        components.append(present("pulse_rate_cuff", record.pulse_bpm))
    flags = ("irregular-pulse",) if record.irregular else ()
    return Reading(
        kind="blood_pressure_panel",
        components=tuple(components),
        raw=raw,
        received_at=at,
        flags=(*flags, MEASUREMENT_FAILED) if failed else flags,
        invalid=failed,
    )


def fault_flag(record: NibpError) -> str:
    """The stable token of a cuff error."""
    if record.fault is None:
        return UNKNOWN_FAULT
    return FAULT_FLAGS[record.fault]


def blood_pressure_failure(record: NibpError, raw: bytes, at: datetime) -> Reading:
    """43/02: somebody was to be measured and was not."""
    return Reading(
        kind="blood_pressure_panel",
        components=tuple(missing(name, Absent.ERROR) for name in _PANEL[:2]),
        raw=raw,
        received_at=at,
        flags=(fault_flag(record), MEASUREMENT_FAILED),
        context={"device_error": str(record.code), "module": record.module.value},
        invalid=True,
    )


def spo2_components(
    spo2: int, pulse: int | None, perfusion: Decimal | None
) -> tuple[Component, ...]:
    """Saturation, pulse and perfusion index, as far as they are there."""
    components = [
        present("spo2", spo2),
        missing("pulse_rate_pleth", Absent.UNKNOWN)
        if pulse is None
        else present("pulse_rate_pleth", pulse),
    ]
    if perfusion is not None:
        components.append(present("perfusion_index", perfusion))
    return tuple(components)


def temperature(
    record: Temperature, mode: TemperatureMode | None, raw: bytes, at: datetime
) -> Reading:
    """72/01 with state DONE."""
    kind = (
        "body_temperature_tympanic"
        if mode is TemperatureMode.EAR
        else "body_temperature"
    )
    celsius = record.celsius
    flags: tuple[str, ...] = ()
    if record.over_range:
        component = missing(kind, Absent.ABOVE_RANGE)
    elif celsius is None:
        component = missing(kind, Absent.ERROR)
        flags = (MEASUREMENT_FAILED,)
    else:
        component = present(kind, celsius)
    if mode is TemperatureMode.OBJECT:
        flags += (OBJECT_TEMPERATURE,)
    if record.probe_off:
        flags += ("sensor-off",)
    return Reading(
        kind=kind,
        components=(component,),
        raw=raw,
        received_at=at,
        flags=flags,
        context={} if mode is None else {"site": _SITES[mode]},
        invalid=bool(flags),
    )


def glucose(record: Glucose | Pc100Glucose, raw: bytes, at: datetime) -> Reading:
    """73/01 and E2/01. LOW and HIGH have no number and must alarm."""
    kind = "glucose_capillary"
    flags: tuple[str, ...] = ()
    value = record.mmol_l
    if record.mg_dl is not None:
        value = mmol_per_l_from_mg_per_dl(record.mg_dl)
    if record.flag is GlucoseFlag.HIGH:
        component = missing(kind, Absent.ABOVE_RANGE)
    elif record.flag is GlucoseFlag.LOW:
        component = missing(kind, Absent.BELOW_RANGE)
    elif not value:
        component = missing(kind, Absent.ERROR)
        flags = (MEASUREMENT_FAILED,)
    else:
        component = present(kind, value)
    ambiguous = (
        isinstance(record, Glucose)
        and record.mg_dl is not None
        and record.mg_dl_divisor != 1
    )
    return Reading(
        kind=kind,
        components=(component,),
        raw=raw,
        received_at=at,
        flags=(*flags, UNIT_AMBIGUOUS) if ambiguous else flags,
        context={"wire_unit": record.unit.value},
        invalid=bool(flags),
        questionable=ambiguous,
    )


def ecg_heart_rate(record: EcgResult, raw: bytes, at: datetime) -> Reading:
    """33/01: the mean heart rate, with the board's own finding beside it."""
    none = record.hr_bpm is None
    flags = (POOR_SIGNAL,) if record.poor_signal else ()
    context = {"analysis_code": str(record.code)}
    if record.finding is not None:
        context["analysis"] = record.finding
    return Reading(
        kind="heart_rate_ecg",
        components=(
            missing("heart_rate_ecg", Absent.ERROR)
            if record.hr_bpm is None
            else present("heart_rate_ecg", record.hr_bpm),
        ),
        raw=raw,
        received_at=at,
        flags=(*flags, MEASUREMENT_FAILED) if none else flags,
        context=context,
        invalid=none,
        questionable=record.poor_signal,
    )
