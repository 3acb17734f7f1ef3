"""What a simulated device does later: actions by time, in groups that can be cancelled.

Reads no clock: ``run(now)`` does everything that is due, in order of time.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

Action: TypeAlias = Callable[[float], None]
"""Called with the time it was due at."""


@dataclass(order=True, slots=True)
class _Entry:
    at: float
    order: int
    group: str = field(compare=False)
    action: Action = field(compare=False)


class Agenda:
    """Actions waiting for their time."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._order = 0

    def add(self, at: float, group: str, action: Action) -> None:
        """Do ``action`` at ``at``; equal times keep the order of adding."""
        self._order += 1
        entry = _Entry(at=at, order=self._order, group=group, action=action)
        heapq.heappush(self._entries, entry)

    def cancel(self, group: str) -> bool:
        """Forget a group; whether there was anything in it."""
        kept = [entry for entry in self._entries if entry.group != group]
        cancelled = len(kept) < len(self._entries)
        self._entries = kept
        heapq.heapify(self._entries)
        return cancelled

    def has(self, group: str) -> bool:
        """Whether something of the group is still to come."""
        return any(entry.group == group for entry in self._entries)

    def next_deadline(self) -> float | None:
        """When the next action is due, or None."""
        return self._entries[0].at if self._entries else None

    def run(self, now: float) -> None:
        """Do what is due by ``now``; actions may add others."""
        while self._entries and self._entries[0].at <= now:
            entry = heapq.heappop(self._entries)
            entry.action(entry.at)
