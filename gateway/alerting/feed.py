"""Announcing committed changes to whoever is listening, bounded.

A listener that cannot keep up is told so and reads the table from where it stopped; it
never slows the engine down.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from gateway.model.alert import AlertChange

# Changes one subscriber may leave waiting: a storm of 2,000 crises and as many
# confirmations; beyond it the subscriber reads the table, which holds everything.
MAX_WAITING: Final = 4_096

Listener = Callable[[Sequence[AlertChange]], None]


class Subscription:
    """A bounded queue of changes. ``lagged`` is True after an overflow."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: list[AlertChange] = []
        self._wake = asyncio.Event()
        self.lagged = False

    def put(self, changes: Sequence[AlertChange]) -> None:
        """Add changes, or drop all and note that the subscriber must catch up."""
        if len(self._waiting) + len(changes) > self._limit:
            self._waiting.clear()
            self.lagged = True
        elif not self.lagged:
            self._waiting.extend(changes)
        self._wake.set()

    async def take(self) -> list[AlertChange]:
        """Wait for changes and take them all; empty after an overflow.

        After an empty list, catch up from the table: ``lagged`` is False again, and
        what is announced from now on waits here.
        """
        await self._wake.wait()
        self._wake.clear()
        taken, self._waiting = self._waiting, []
        self.lagged = False
        return taken


class AlertFeed:
    """The one place through which keeper, ticker and desk announce."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call ``listener`` with every group of changes; it must not block."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @contextmanager
    def subscribed(self, *, limit: int = MAX_WAITING) -> Iterator[Subscription]:
        """A queue of changes for as long as the block lasts."""
        subscription = Subscription(limit)
        with self.listening(subscription.put):
            yield subscription

    def announce(self, changes: Sequence[AlertChange]) -> None:
        """Tell every listener. Call in the event loop, after the commit."""
        if not changes:
            return
        for listener in tuple(self._listeners):
            listener(changes)
