"""When connections keep failing: is it the devices, or the radio? Pure."""

import enum
from typing import Final

RADIO_FAILURES: Final = 6
"""Connections that failed in a row before the radio itself is suspected."""

RADIO_DEVICES: Final = 2
"""Different devices among them: one empty battery is not a broken radio."""

RADIO_RESET_S: Final = 300.0
"""Shortest time between two resets of the radio: one takes down every link."""


class Verdict(enum.Enum):
    """What a connection's outcome says about the radio."""

    UNCHANGED = "unchanged"
    SUSPECT = "suspect"
    RECOVERED = "recovered"


class RadioHealth:
    """Outcomes of all connections, whichever device."""

    __slots__ = ("_failed", "_failures", "_suspect", "_suspected_at")

    def __init__(self) -> None:
        self._failures = 0
        self._failed: set[str] = set()
        self._suspect = False
        self._suspected_at = float("-inf")

    def note(self, address: str, *, connected: bool, now: float) -> Verdict:
        """Take an outcome at ``now`` (monotonic seconds).

        ``SUSPECT`` comes at most every ``RADIO_RESET_S``.
        """
        if connected:
            recovered, self._suspect = self._suspect, False
            self._failures = 0
            self._failed.clear()
            return Verdict.RECOVERED if recovered else Verdict.UNCHANGED
        self._failures += 1
        self._failed.add(address)
        if (
            self._failures < RADIO_FAILURES
            or len(self._failed) < RADIO_DEVICES
            or now - self._suspected_at < RADIO_RESET_S
        ):
            return Verdict.UNCHANGED
        self._suspect = True
        self._suspected_at = now
        self._failures = 0
        self._failed.clear()
        return Verdict.SUSPECT
