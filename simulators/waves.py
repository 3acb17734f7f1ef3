"""Synthetic ECG and pulse waves with the shape of real ones; pure and seeded.

An ECG beat is a sum of five bells, P Q R S T, at fixed parts of the beat, as in the
dynamical model of McSharry et al. (IEEE Trans. Biomed. Eng. 50, 2003), in plain form.
A pulse wave is a steep rise, a fall, and the small second rise of the dicrotic notch.
"""

import math
from dataclasses import dataclass
from random import Random
from typing import Final

PLETH_FULL_SCALE: Final = 127

# Centre in seconds from the R peak (at 60 bpm), height in mV, width in seconds.
_BELLS: Final = (
    (-0.20, 0.12, 0.025),  # P
    (-0.035, -0.12, 0.010),  # Q
    (0.0, 1.10, 0.011),  # R
    (0.035, -0.25, 0.010),  # S
    (0.25, 0.28, 0.045),  # T
)
_R_FROM_BEAT_START: Final = 0.30
"""The R peak's place in the beat, as part of it."""

_RR_SPREAD: Final = 0.02
"""Beat-to-beat variation of a healthy heart at rest, as part of the interval."""
_RR_SPREAD_IRREGULAR: Final = 0.25
_WANDER_HZ: Final = 0.25
_WANDER_MV: Final = 0.05
_NOISE_MV: Final = 0.012


@dataclass(frozen=True, slots=True, kw_only=True)
class EcgRecord:
    """A stretch of one-lead ECG.

    Attributes:
        samples: Counts, clipped to the width.
        beats: Whether the R peak is at the sample, one for each.
    """

    samples: tuple[int, ...]
    beats: tuple[bool, ...]


def ecg_record(
    *,
    seconds: float,
    hr_bpm: int,
    seed: int,
    rate_hz: int = 150,
    counts_per_mv: float = 394,
    bits: int = 12,
    irregular: bool = False,
) -> EcgRecord:
    """Draw an ECG; the same arguments give the same record.

    Raises:
        ValueError: A heart rate or a duration that is not above 0.
    """
    if hr_bpm <= 0 or seconds <= 0:
        msg = "an ECG needs a heart rate and a duration above 0"
        raise ValueError(msg)
    random = Random(seed)  # noqa: S311 - a simulation, no secret
    count = round(seconds * rate_hz)
    trace = [0.0] * count
    beats = [False] * count
    start = -random.random() * 60 / hr_bpm
    while start < seconds:
        spread = _RR_SPREAD_IRREGULAR if irregular else _RR_SPREAD
        interval = 60 / hr_bpm * (1 + random.uniform(-spread, spread))
        peak = start + _R_FROM_BEAT_START * interval
        _add_beat(trace, peak, min(1.0, math.sqrt(interval)), rate_hz)
        if 0 <= (at := round(peak * rate_hz)) < count:
            beats[at] = True
        start += interval
    zero = 1 << (bits - 1)
    top = (1 << bits) - 1
    samples = []
    for i, millivolts in enumerate(trace):
        wander = _WANDER_MV * math.sin(2 * math.pi * _WANDER_HZ * i / rate_hz)
        noisy = millivolts + wander + random.gauss(0, _NOISE_MV)
        samples.append(min(top, max(0, zero + round(noisy * counts_per_mv))))
    return EcgRecord(samples=tuple(samples), beats=tuple(beats))


def _add_beat(trace: list[float], peak: float, stretch: float, rate_hz: int) -> None:
    """Add one beat; fast hearts have their waves closer together."""
    for centre, height, width in _BELLS:
        middle = peak + centre * stretch
        first = max(0, math.ceil((middle - 4 * width) * rate_hz))
        last = min(len(trace) - 1, math.floor((middle + 4 * width) * rate_hz))
        for i in range(first, last + 1):
            trace[i] += height * math.exp(-(((i / rate_hz - middle) / width) ** 2) / 2)


def pleth_sample(index: int, *, pulse_bpm: int, rate_hz: int = 50) -> tuple[int, bool]:
    """Amplitude (0 to 127) and beat mark of sample ``index`` of an endless wave."""
    period = rate_hz * 60 / pulse_bpm
    phase = index % period / period
    beat = index % period < 1
    systole = math.exp(-(((phase - 0.18) / 0.09) ** 2) / 2)
    dicrotic = 0.38 * math.exp(-(((phase - 0.48) / 0.12) ** 2) / 2)
    shape = 0.10 + 0.80 * systole + 0.80 * dicrotic * (1 - phase)
    return min(PLETH_FULL_SCALE, round(PLETH_FULL_SCALE * shape)), beat
