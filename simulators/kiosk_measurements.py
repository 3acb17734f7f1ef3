"""What a kiosk board sends during one measurement: records with their times, pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from firmware_protocols.lepu.pc300.ecg import (
    COUNTS_PER_MV_8_BIT,
    COUNTS_PER_MV_12_BIT,
    ECG_HZ,
    ECG_POOR_SIGNAL,
    SAMPLES_PER_FRAME,
    EcgGain,
    EcgResult,
    EcgWave,
)
from firmware_protocols.lepu.pc300.ecg_module import EcgStarted, EcgStopped
from firmware_protocols.lepu.pc300.nibp import (
    CuffPressure,
    NibpEnded,
    NibpError,
    NibpFault,
    NibpModule,
    NibpResult,
    NibpStarted,
    fault_code,
)
from firmware_protocols.lepu.pc300.temperature import Temperature, TemperatureState
from firmware_protocols.lepu.record import Record
from simulators.waves import ecg_record

Timed: TypeAlias = tuple[float, Record]
"""Seconds after the measurement began, and what is sent then."""

CUFF_PERIOD: Final = 0.2
"""Live pressure comes about five times a second."""
_INFLATION_MMHG_PER_S: Final = 25
_DEFLATION_MMHG_PER_S: Final = 6
_OVER_SYSTOLIC_MMHG: Final = 30
_UNDER_DIASTOLIC_MMHG: Final = 15
_LOOSE_CUFF_SECONDS: Final = 7
_LOOSE_CUFF_MMHG: Final = 22
_MAX_CUFF_MMHG: Final = 295

_FIRST_SEQ: Final = 1
_SEQ_COUNT: Final = 255
_PREPARING_SEQ: Final = 0

_TEMPERATURE_STEPS: Final = (Decimal("-1.6"), Decimal("-0.7"), Decimal("-0.2"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodPressure:
    """What a cuff measurement shall find; ``mean`` 0 and ``pulse`` 0 send none."""

    systolic: int
    diastolic: int
    mean: int
    pulse: int
    irregular: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Heart:
    """What an ECG shall show."""

    hr_bpm: int
    irregular: bool = False
    lead_off: bool = False
    finding: int = 0


def nibp_measurement(reading: BloodPressure) -> Iterator[Timed]:
    """Inflation above systolic, slow deflation with beats, result, end."""
    yield 0.0, NibpStarted()
    at = CUFF_PERIOD
    top = min(_MAX_CUFF_MMHG, reading.systolic + _OVER_SYSTOLIC_MMHG)
    pressure = 0.0
    while pressure < top:
        pressure = min(top, pressure + _INFLATION_MMHG_PER_S * CUFF_PERIOD)
        yield at, CuffPressure(mmhg=round(pressure), beat=False)
        at += CUFF_PERIOD
    beat_period = 60 / reading.pulse if reading.pulse else 1.0
    next_beat = at
    while pressure > reading.diastolic - _UNDER_DIASTOLIC_MMHG and pressure > 0:
        pressure = max(0.0, pressure - _DEFLATION_MMHG_PER_S * CUFF_PERIOD)
        beat = pressure <= reading.systolic and at >= next_beat
        if beat:
            next_beat = at + beat_period
        yield at, CuffPressure(mmhg=round(pressure), beat=beat)
        at += CUFF_PERIOD
    result = NibpResult(
        systolic_mmhg=reading.systolic,
        map_mmhg=reading.mean or None,
        diastolic_mmhg=reading.diastolic,
        pulse_bpm=reading.pulse or None,
        irregular=reading.irregular,
    )
    yield at, result
    yield at + CUFF_PERIOD, NibpEnded()


def failing_nibp_measurement(fault: NibpFault) -> Iterator[Timed]:
    """A cuff that does not get tight for seven seconds, then the error and the end."""
    yield 0.0, NibpStarted()
    for step in range(1, round(_LOOSE_CUFF_SECONDS / CUFF_PERIOD)):
        mmhg = min(_LOOSE_CUFF_MMHG, step)
        yield step * CUFF_PERIOD, CuffPressure(mmhg=mmhg, beat=False)
    error = NibpError(module=NibpModule.JINGXINHAO, code=fault_code(fault), fault=fault)
    yield _LOOSE_CUFF_SECONDS, error
    yield _LOOSE_CUFF_SECONDS + CUFF_PERIOD, NibpEnded()


def temperature_measurement(celsius: Decimal) -> Iterator[Timed]:
    """Three values on the way up, then the result."""
    for second, step in enumerate(_TEMPERATURE_STEPS):
        measuring = TemperatureState.MEASURING
        yield float(second), Temperature.of_celsius(celsius + step, measuring)
    yield float(len(_TEMPERATURE_STEPS)), Temperature.of_celsius(celsius)


def ecg_measurement(
    heart: Heart,
    *,
    seconds: float,
    prepare_seconds: float,
    bits: int,
    seed: int,
) -> Iterator[Timed]:
    """Gain, frames with sequence 0 while preparing, the record, the finding, stop."""
    wide = bits == 12  # noqa: PLR2004 - the other width is 8
    gain = COUNTS_PER_MV_12_BIT if wide else COUNTS_PER_MV_8_BIT
    trace = ecg_record(
        seconds=prepare_seconds + seconds,
        hr_bpm=heart.hr_bpm,
        seed=seed,
        rate_hz=ECG_HZ,
        counts_per_mv=float(gain),
        bits=bits,
        irregular=heart.irregular,
    )
    yield 0.0, EcgStarted()
    yield 0.0, EcgGain(counts_per_mv=COUNTS_PER_MV_12_BIT)
    frames = len(trace.samples) // SAMPLES_PER_FRAME
    preparing = round(prepare_seconds * ECG_HZ) // SAMPLES_PER_FRAME
    period = SAMPLES_PER_FRAME / ECG_HZ
    flat = (1 << (bits - 1),) * SAMPLES_PER_FRAME
    for number in range(frames):
        part = slice(number * SAMPLES_PER_FRAME, (number + 1) * SAMPLES_PER_FRAME)
        recorded = number - preparing
        yield (
            (number + 1) * period,
            EcgWave(
                seq=(
                    _PREPARING_SEQ
                    if recorded < 0
                    else _FIRST_SEQ + recorded % _SEQ_COUNT
                ),
                bits=bits,
                samples=flat if heart.lead_off else trace.samples[part],
                beats=(
                    (False,) * SAMPLES_PER_FRAME
                    if heart.lead_off
                    else trace.beats[part]
                ),
                hr_bpm=None if heart.lead_off or recorded < 0 else heart.hr_bpm,
                lead_off=heart.lead_off,
            ),
        )
    end = (frames + 1) * period
    code = ECG_POOR_SIGNAL if heart.lead_off else heart.finding
    yield end, EcgResult(code=code, hr_bpm=None if heart.lead_off else heart.hr_bpm)
    yield end, EcgStopped()
