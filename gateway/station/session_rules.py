"""Whose reading it is. Pure: sessions, times and the slot map in, an owner out.

At a shared station a reading belongs to the session that was open when its measurement
started. Where that cannot be known, because sessions changed while it may have been
running, it is unclaimed. A device's memory says nothing about who is at the station:
a stored reading goes to a session only when its own time falls inside it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.model.observation import Setting
from gateway.model.session import MeasurementSession, SessionEnd

FLAG_SESSION_CHANGED: Final = "session-changed"
FLAG_BEFORE_SESSION: Final = "before-session"
FLAG_CONFLICT: Final = "identity-conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """How long one measurement of a kind takes: at least and at most."""

    minimum: timedelta
    maximum: timedelta


# A cuff inflates and deflates in 25 to 90 s; 20 s and 2 min leave room for fast and for
# repeated inflation. Kiosk ECGs are 10 to 30 s. An oximeter settles within 15 s.
_CUFF: Final = Duration(minimum=timedelta(seconds=20), maximum=timedelta(minutes=2))
_ECG: Final = Duration(minimum=timedelta(seconds=5), maximum=timedelta(minutes=1))
_PLETH: Final = Duration(minimum=timedelta(seconds=2), maximum=timedelta(seconds=15))
# Thermometer, scale, strip: seconds.
_SPOT: Final = Duration(minimum=timedelta(seconds=1), maximum=timedelta(seconds=30))

_BY_GROUP: Final[Mapping[str, Duration]] = {
    "cuff": _CUFF,
    "ecg": _ECG,
    "pleth": _PLETH,
}
_GROUPS: Final[Mapping[str, str]] = {
    "blood_pressure_panel": "cuff",
    "cuff-pressure": "cuff",
    "spo2": "pleth",
    "pulse_rate_pleth": "pleth",
    "perfusion_index": "pleth",
    "pleth_waveform": "pleth",
    "heart_rate_ecg": "ecg",
    "rr_interval": "ecg",
}
# Groups that measure on and on while the sensor is worn.
CONTINUOUS: Final = frozenset({"ecg", "pleth"})


def group_of(kind: str) -> str:
    """Kinds that come out of one act of measuring share a group."""
    if kind.startswith("ecg_"):
        return "ecg"
    if kind.startswith("body_temperature"):
        return "temperature"
    return _GROUPS.get(kind, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Session and resident of a reading; ``subject`` is None while unclaimed."""

    session: str | None = None
    subject: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What attribution needs to know of a reading.

    Attributes:
        at: when the measurement ended: reception for live ones, the device's corrected
            time for stored ones.
        started_at: when it started, where the device shows it; else None.
        dated: ``at`` is good to a few seconds.
    """

    device: str
    kind: str
    at: datetime
    started_at: datetime | None = None
    user_slot: int | None = None
    stored: bool = False
    dated: bool = True


def owner(
    taken: Taken,
    *,
    sessions: Iterable[MeasurementSession],
    slots: Mapping[str, str],
    setting: Setting,
) -> Owner:
    """Whose it is; never guessed.

    Args:
        taken: the reading.
        sessions: the recent ones and the open one, oldest first.
        slots: ``device-id#slot`` (slot empty for the whole device) to resident.
        setting: where the station stands; at home the device's slots come first.
    """
    enrolled = slots.get(f"{taken.device}#{_slot(taken)}")
    enrolled = enrolled or slots.get(f"{taken.device}#")
    if setting is Setting.HOME and enrolled is not None:
        return Owner(subject=enrolled)
    session, flags = None, tuple[str, ...]()
    if taken.dated or not taken.stored:
        session, flags = _session(taken, list(sessions))
    if session is None:
        return Owner(subject=enrolled, flags=flags)
    if enrolled is not None and enrolled != session.resident:
        # The device belongs to one person and another one is at the station.
        return Owner(flags=(FLAG_CONFLICT,))
    return Owner(session=session.id, subject=session.resident)


def _slot(taken: Taken) -> str:
    return "" if taken.user_slot is None else str(taken.user_slot)


_Found = tuple[MeasurementSession | None, tuple[str, ...]]


def _session(taken: Taken, sessions: list[MeasurementSession]) -> _Found:
    duration = _BY_GROUP.get(group_of(taken.kind), _SPOT)
    if taken.started_at is None:
        session, flags = _by_end(taken, sessions, duration)
    else:
        session, flags = _by_start(taken, taken.started_at, sessions, duration)
    if session is not None and session.end is SessionEnd.ABORTED:
        session = None
    return session, flags


def _by_start(
    taken: Taken,
    started_at: datetime,
    sessions: list[MeasurementSession],
    duration: Duration,
) -> _Found:
    found = _open_at(sessions, started_at)
    if found is None:
        late = _open_at(sessions, taken.at) is not None
        return None, (FLAG_BEFORE_SESSION,) if late else ()
    running = found.closed_at is None or taken.at < found.closed_at
    if running or taken.at - started_at <= duration.maximum:
        return found, ()
    return None, (FLAG_SESSION_CHANGED,)


def _by_end(
    taken: Taken, sessions: list[MeasurementSession], duration: Duration
) -> _Found:
    earliest = taken.at - duration.maximum
    found = _open_at(sessions, taken.at)
    for session in sessions:
        ended = session.closed_at
        if session is not found and ended is not None and earliest < ended <= taken.at:
            return None, (FLAG_SESSION_CHANGED,)
    if found is not None and found.opened_at > taken.at - duration.minimum:
        # It must have begun before this person was identified.
        return None, (FLAG_BEFORE_SESSION,)
    return found, ()


def _open_at(
    sessions: list[MeasurementSession], at: datetime
) -> MeasurementSession | None:
    for session in reversed(sessions):
        if session.opened_at <= at and (
            session.closed_at is None or at < session.closed_at
        ):
            return session
    return None
