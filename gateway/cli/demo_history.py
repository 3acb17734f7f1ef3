"""Sixty days of readings before the demo began, so that trends have something to show.

They go the way of every other reading from the log onwards, and arrive as what they
are: old readings, which page nobody.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.codes import reading
from gateway.hub.log import HubLog, NewLogEntry
from gateway.model.observation import (
    Component,
    Observation,
    Quantity,
    Setting,
    TimeQuality,
    observation_id,
)
from gateway.wire.batch import encode_body
from simulators.cast import RESIDENTS, Person
from simulators.patients import Condition, Sign, Vitals, patient

DAYS: Final = 60
# The past was calm: values are kept below the limits that would raise something.
_LIMITS: Final = {
    "systolic": (102, 157),
    "diastolic": (55, 97),
    "glucose_capillary": (4.4, 10.8),
    "spo2": (95, 100),
    "body_temperature": (35.8, 37.4),
}


async def write_history(log: HubLog, *, station: str, now: datetime) -> int:
    """Append the history to the log; how many readings it has."""
    entries = [
        NewLogEntry(
            id=item.id,
            type="reading",
            station=station,
            data=encode_body(item),
            body=item,
        )
        for person in RESIDENTS
        for item in _of(person, station, now)
    ]
    for start in range(0, len(entries), 500):
        await log.append(entries[start : start + 500], now)
    return len(entries)


def _of(person: Person, station: str, now: datetime) -> Iterator[Observation]:
    vitals = Vitals(patient(person.id, person.conditions), seed=7)
    for day in range(DAYS, 1, -1):
        at = now - timedelta(days=day, minutes=(len(person.id) * 7 + day * 13) % 240)
        systolic, diastolic, mean, pulse = vitals.blood_pressure(at)
        yield _observation(
            person,
            station,
            at,
            "blood_pressure_panel",
            systolic=systolic,
            diastolic=diastolic,
            mean_arterial_pressure=mean,
            pulse_rate_cuff=pulse,
        )
        if day % 2:
            spo2 = vitals.read(Sign.SPO2, at)
            yield _observation(person, station, at, "spo2", spo2=spo2)
        if Condition.DIABETES in person.conditions or day % 7 == 0:
            glucose = vitals.read(Sign.GLUCOSE, at)
            yield _observation(
                person, station, at, "glucose_capillary", glucose_capillary=glucose
            )
        if Condition.HEART_FAILURE in person.conditions:
            weight = vitals.read(Sign.WEIGHT, at)
            yield _observation(person, station, at, "body_weight", body_weight=weight)
        if day % 10 == 0:
            celsius = vitals.read(Sign.TEMPERATURE, at)
            yield _observation(
                person, station, at, "body_temperature", body_temperature=celsius
            )


def _observation(
    person: Person, station: str, at: datetime, kind: str, **values: float
) -> Observation:
    code = reading(kind)
    raw = f"{person.id}|{kind}|{sorted(values.items())}".encode()
    device_time = at.replace(tzinfo=None).isoformat(timespec="seconds")
    return Observation(
        id=observation_id(
            device="dev-history",
            code=code.mdc,
            raw=raw,
            device_time=device_time,
            sequence=None,
            received_at=at,
        ),
        kind=kind,
        code=code.mdc,
        components=tuple(_component(name, value) for name, value in values.items()),
        device="dev-history",
        station=station,
        received_at=at,
        taken_at=at,
        time_quality=TimeQuality.SYNCHRONISED,
        setting=Setting.KIOSK,
        raw=raw,
        driver="history/1",
        device_time=device_time,
        subject=person.id,
        stored=True,
    )


def _component(name: str, value: float) -> Component:
    code = reading(name)
    low, high = _LIMITS.get(name, (value, value))
    number = Decimal(str(min(high, max(low, value))))
    return Component(
        name=name, code=code.mdc, quantity=Quantity(unit=code.unit or "1", value=number)
    )
