"""Invented people whose vital signs wander believably, seeded and reproducible.

Each sign follows a daily rhythm plus first-order autoregressive noise around the
person's own baseline; a condition shifts baselines, an episode shifts them for a while.
Not a physiological model: it makes data that look like a community practice's.
"""

import enum
import math
import random
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

# Share of yesterday's deviation that remains in the next reading.
PERSISTENCE: Final = 0.6
_HOURS: Final = 24.0


class Sign(enum.StrEnum):
    """What can be measured."""

    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    PULSE = "pulse"
    SPO2 = "spo2"
    TEMPERATURE = "temperature"
    GLUCOSE = "glucose"
    WEIGHT = "weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How one sign behaves in one person.

    Attributes:
        mean: centre of the person's values.
        spread: standard deviation of single readings.
        daily: amplitude of the daily rhythm, highest at ``peak_hour``.
        low: no reading goes below.
        high: no reading goes above.
        places: decimal places a device would show.
    """

    mean: float
    spread: float
    low: float
    high: float
    daily: float = 0.0
    peak_hour: float = 10.0
    places: int = 0


NORMAL: Final[dict[Sign, Course]] = {
    Sign.SYSTOLIC: Course(mean=122, spread=6, low=70, high=250, daily=5),
    Sign.DIASTOLIC: Course(mean=77, spread=4, low=40, high=150, daily=3),
    Sign.PULSE: Course(mean=72, spread=5, low=38, high=180, daily=4, peak_hour=15),
    Sign.SPO2: Course(mean=97.4, spread=0.7, low=70, high=100),
    Sign.TEMPERATURE: Course(
        mean=36.5, spread=0.15, low=34, high=42, daily=0.25, peak_hour=17, places=1
    ),
    Sign.GLUCOSE: Course(mean=5.4, spread=0.5, low=1.5, high=33, places=1),
    Sign.WEIGHT: Course(mean=66, spread=0.25, low=35, high=180, places=1),
}


class Condition(enum.StrEnum):
    """What a person lives with; shifts the baselines."""

    HYPERTENSION = "hypertension"
    DIABETES = "diabetes"
    COPD = "copd"
    HEART_FAILURE = "heart-failure"


_SHIFTS: Final[dict[Condition, dict[Sign, tuple[float, float]]]] = {
    Condition.HYPERTENSION: {Sign.SYSTOLIC: (21, 9), Sign.DIASTOLIC: (11, 6)},
    Condition.DIABETES: {Sign.GLUCOSE: (3.1, 1.6)},
    Condition.COPD: {Sign.SPO2: (-3.8, 1.1), Sign.PULSE: (7, 6)},
    Condition.HEART_FAILURE: {Sign.WEIGHT: (4, 0.6), Sign.PULSE: (8, 6)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One invented person."""

    key: str
    courses: dict[Sign, Course]


def patient(
    key: str, conditions: tuple[Condition, ...] = (), *, seed: int = 0
) -> Patient:
    """A person with their own baselines, the same for the same key and seed."""
    rng = random.Random(f"{seed}:{key}")  # noqa: S311 - simulation
    courses = {}
    for sign, course in NORMAL.items():
        mean = course.mean + rng.gauss(0, course.spread * 0.7)
        if sign is Sign.WEIGHT:
            mean = rng.uniform(48, 88)
        spread = course.spread
        for condition in conditions:
            shift, wider = _SHIFTS[condition].get(sign, (0.0, spread))
            mean += shift
            spread = max(spread, wider)
        courses[sign] = replace(course, mean=mean, spread=spread)
    return Patient(key=key, courses=courses)


class Vitals:
    """The running signs of one patient."""

    def __init__(self, who: Patient, *, seed: int = 0) -> None:
        self.patient = who
        self._rng = random.Random(f"{seed}:{who.key}:run")  # noqa: S311 - simulation
        self._deviation = dict.fromkeys(Sign, 0.0)

    def read(self, sign: Sign, at: datetime, *, shift: float = 0.0) -> float:
        """One reading at local time ``at``; ``shift`` is an episode's push."""
        course = self.patient.courses[sign]
        drift = math.sqrt(1 - PERSISTENCE**2) * course.spread
        self._deviation[sign] = PERSISTENCE * self._deviation[sign] + self._rng.gauss(
            0, drift
        )
        hour = at.hour + at.minute / 60
        daily = course.daily * math.cos(
            2 * math.pi * (hour - course.peak_hour) / _HOURS
        )
        value = course.mean + daily + self._deviation[sign] + shift
        return round(min(course.high, max(course.low, value)), course.places)

    def blood_pressure(
        self, at: datetime, *, shift: float = 0.0
    ) -> tuple[int, int, int, int]:
        """Systolic, diastolic, mean (mmHg) and pulse; diastolic moves half as far."""
        systolic = int(self.read(Sign.SYSTOLIC, at, shift=shift))
        diastolic = int(self.read(Sign.DIASTOLIC, at, shift=shift / 2))
        diastolic = min(diastolic, systolic - 15)
        mean = round(diastolic + (systolic - diastolic) / 3)
        return systolic, diastolic, mean, int(self.read(Sign.PULSE, at))
