"""The clock inside a device: local time, right, wrong, or never set."""

from collections.abc import Callable
from datetime import datetime, timedelta

from firmware_protocols.gatt.date_time import DateTime

NEVER_SET = DateTime(year=0, month=0, day=0, hours=0, minutes=0, seconds=0)
"""What a device sends whose clock was never set."""


class DeviceClock:
    """Local time with an error that stays until somebody sets the clock.

    Args:
        now: the true local time, from outside; a zone in it is dropped, as devices do.
        offset_s: how far the clock is ahead, in seconds.
        is_set: False for a clock that was never set.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        offset_s: float = 0.0,
        is_set: bool = True,
    ) -> None:
        self.offset_s = offset_s
        self.is_set = is_set
        self.settings: list[DateTime] = []
        self._now = now

    def read(self) -> DateTime:
        """The time that the device shows and stamps its readings with."""
        if not self.is_set:
            return NEVER_SET
        return DateTime.from_datetime(self._true() + timedelta(seconds=self.offset_s))

    def set(self, value: DateTime) -> bool:
        """Take over a time; False when it is none. What was written is kept."""
        self.settings.append(value)
        wanted = value.to_datetime()
        if wanted is None:
            return False
        self.offset_s = (wanted - self._true()).total_seconds()
        self.is_set = True
        return True

    def _true(self) -> datetime:
        return self._now().replace(tzinfo=None)
