"""When a measurement started, as far as the device shows it.

A cuff reports its pressure while it inflates, an oximeter its values while a finger is
in it: the first of these after a pause is the start. A run is over with its result
(cuff), when the sensor is off, or when nothing came for a while.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.station.session_rules import CONTINUOUS, group_of

# Devices report at least every 5 s while they measure; a longer pause ends the run.
PAUSE: Final = timedelta(seconds=10)
# Devices times groups; far above what one station has. The oldest is forgotten, and
# its start is then unknown.
MAX_RUNS: Final = 256

# Conditions that say that the sensor is off the person.
_ENDS: Final = {
    "probe-off": "pleth",
    "sensor-off": "pleth",
    "finger-out": "pleth",
    "lead-off": "ecg",
    "leads-off": "ecg",
    "cuff-error": "cuff",
}


@dataclass(slots=True)
class _Run:
    started_at: datetime
    last_at: datetime


class Runs:
    """Measurements in progress, per device and group of kinds."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], _Run] = {}

    def progress(self, device: str, name: str, at: datetime) -> None:
        """A sign that a measurement is going on; ``name`` is a kind or live value."""
        key = (device, group_of(name))
        run = self._runs.get(key)
        if run is None or at - run.last_at > PAUSE:
            self._runs.pop(key, None)
            if len(self._runs) >= MAX_RUNS:
                del self._runs[next(iter(self._runs))]
            self._runs[key] = _Run(at, at)
        else:
            run.last_at = max(run.last_at, at)

    def started_at(self, device: str, kind: str, at: datetime) -> datetime | None:
        """Start of the measurement that yields this kind now; None when not shown."""
        run = self._runs.get((device, group_of(kind)))
        if run is None or at - run.last_at > PAUSE:
            return None
        return run.started_at

    def result(self, device: str, kind: str, at: datetime, *, valid: bool) -> None:
        """A reading came: the end of a spot measurement, one more of a continuous."""
        group = group_of(kind)
        if group in CONTINUOUS and valid:
            self.progress(device, kind, at)
        else:
            self._runs.pop((device, group), None)

    @staticmethod
    def ends(code: str) -> bool:
        """Whether a condition says that a sensor is off the person."""
        return code in _ENDS

    def condition(self, device: str, code: str) -> None:
        """The sensor is off."""
        group = _ENDS.get(code)
        if group is not None:
            self._runs.pop((device, group), None)

    def device_gone(self, device: str) -> None:
        """The link ended, and every measurement with it."""
        for key in [key for key in self._runs if key[0] == device]:
            del self._runs[key]
