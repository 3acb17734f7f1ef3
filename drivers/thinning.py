"""One reading every few seconds out of a device that sends one every second.

Nothing is invented: the emitted reading is the device's last value, and how many
values it stands for is in its context (``samples``). The first valid value and every
change of validity come out at once; what is still held comes out at the end. A sensor
that lies on the table sends invalid values for hours: they come out as one reading when
they begin, and one that stands for the rest when they end.
"""

from dataclasses import dataclass, replace
from typing import Final

from gateway.ports.devices import Reading

CONTINUOUS_INTERVAL_S: Final = 5.0
"""Seconds between readings of a stream: 720 an hour keep a trend, 3600 flood it."""


@dataclass(frozen=True, slots=True)
class _Validity:
    invalid: bool
    questionable: bool


class Thinner:
    """The state of one stream of readings."""

    __slots__ = ("_emitted_at", "_held", "_interval", "_samples", "_validity")

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._held: Reading | None = None
        self._samples = 0
        self._validity: _Validity | None = None
        self._emitted_at = 0.0

    def offer(self, reading: Reading, now: float) -> list[Reading]:
        """Take a reading at ``now`` (monotonic seconds); return what is due."""
        validity = _Validity(reading.invalid, reading.questionable)
        due: list[Reading] = []
        if self._validity is not None and validity != self._validity:
            # What was held is of the other validity: it must not stand for this one.
            due += self.flush()
        changed = validity != self._validity
        self._held = reading
        self._samples += 1
        self._validity = validity
        elapsed = now - self._emitted_at >= self._interval
        if changed or (elapsed and not reading.invalid):
            due += self.flush()
            self._emitted_at = now
        return due

    def flush(self) -> list[Reading]:
        """The held reading, if any, with the number of values it stands for."""
        if self._held is None:
            return []
        context = {**self._held.context, "samples": str(self._samples)}
        reading = replace(self._held, context=context)
        self._held = None
        self._samples = 0
        return [reading]
