"""What the engine keeps of a reading, and what it refuses to judge at all."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from msgspec import Struct

from gateway.database.tables.base import to_us
from gateway.model.observation import Absent, Observation, Quality, TimeQuality

# A reading older than this on arrival is back-fill: it pages nobody.
BACK_FILL_AGE: Final = timedelta(hours=24)

# Not of a person, or not what the kind says. The station marks them invalid, but a
# HI or LO among them only doubtful, so the flags are looked at here too.
NOT_OF_A_PERSON: Final = frozenset({"control-solution", "test-data", "ketone"})

# Flags of a stored reading whose age nobody knows.
_AGE_UNKNOWN: Final = frozenset({"time-unknown", "time-impossible"})

INFINITE: Final[Mapping[str, Decimal]] = {
    Absent.ABOVE_RANGE.value: Decimal("Infinity"),
    Absent.BELOW_RANGE.value: Decimal("-Infinity"),
}
# What a meter's display says, by reason of absence.
SPECIAL: Final[Mapping[str, str]] = {
    Absent.ABOVE_RANGE.value: "HI",
    Absent.BELOW_RANGE.value: "LO",
}


class Sample(Struct, frozen=True, array_like=True):
    """A reading as the rules see it. Times are UTC epoch microseconds.

    Attributes:
        at: when it was measured.
        arrived: when the hub had it; deadlines count from the later of the two.
        values: component name to decimal text or reason of absence.
        continuous: one of a stream, not a spot measurement.
        historical: back-fill; see ``BACK_FILL_AGE``.
    """

    observation: UUID
    at: int
    arrived: int
    kind: str
    setting: str
    values: dict[str, str]
    flags: tuple[str, ...]
    station: str
    device: str
    activity: str
    continuous: bool
    questionable: bool
    historical: bool

    def number(self, name: str) -> Decimal | None:
        """A component's number; HI and LO are infinite; None where there is none."""
        text = self.values.get(name)
        if text is None:
            return None
        if text[-1].isdigit():
            return Decimal(text)
        return INFINITE.get(text)


def sample_of(observation: Observation, *, now: datetime) -> Sample | None:
    """The sample of a reading that arrived ``now``; None when no rule may judge it."""
    if observation.quality in (Quality.IMPLAUSIBLE, Quality.INVALID):
        return None
    if NOT_OF_A_PERSON.intersection(observation.flags):
        return None
    if observation.context.get("sample") == "control-solution":
        return None
    values = {}
    for component in observation.components:
        value, absent = component.quantity.value, component.quantity.absent
        if value is not None and value.is_finite():
            values[component.name] = format(value, "f")
        elif value is not None and value.is_infinite():
            beyond = Absent.ABOVE_RANGE if value > 0 else Absent.BELOW_RANGE
            values[component.name] = beyond.value
        elif absent is not None:
            values[component.name] = absent.value
    return Sample(
        observation=observation.id,
        at=to_us(observation.taken_at),
        arrived=to_us(now),
        kind=observation.kind,
        setting=observation.setting.value,
        values=values,
        flags=observation.flags,
        station=observation.station,
        device=observation.device,
        activity=_activity(observation),
        continuous=observation.context.get("modality") == "continuous",
        questionable=observation.quality is Quality.QUESTIONABLE,
        historical=is_back_fill(observation, now=now),
    )


def is_back_fill(observation: Observation, *, now: datetime) -> bool:
    """Whether a reading that arrives ``now`` is too old, or of unknown age."""
    if now - observation.taken_at > BACK_FILL_AGE:
        return True
    # Out of a device's memory without a usable time: it may be a year old.
    return observation.stored and (
        observation.time_quality is TimeQuality.IMPOSSIBLE
        or not _AGE_UNKNOWN.isdisjoint(observation.flags)
    )


def _activity(observation: Observation) -> str:
    # A cuff, a finger clip and an ear thermometer are used sitting; only a stream of a
    # worn device says nothing about what its wearer does.
    told = observation.context.get("activity")
    if told is not None:
        return told
    return "" if observation.context.get("modality") == "continuous" else "rest"
