"""The alert feed: every change once, in order, for whoever is listening.

Follows the ``alert_change`` table, so that nothing is missed whichever process wrote
it, and is woken by announcements, so that nothing waits.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.database.engine import Database
from gateway.database.tables import alert_change
from gateway.errors import StorageError
from gateway.model.alert import AlertChange
from gateway.records.access import Audience
from gateway.services.access import Access
from gateway.services.alerts import AlertCard, Alerts, Snapshot, load_cards

# Changes kept for a client that lost its connection: minutes of a busy hub, some 4 MB.
MAX_RING: Final = 2000
# Changes read at a time.
MAX_BATCH: Final = 500
# Without an announcement (another process wrote) a change is found after this.
LOOK_EVERY_S: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One change of one alert."""

    seq: int
    change: str
    card: AlertCard


Listener = Callable[[list[FeedEntry]], None]


class AlertFeed:
    """A ring of the newest changes, and those who listen for more.

    ``epoch`` changes with every start: what a client saw of another epoch is not in
    this ring, and it gets a snapshot.
    """

    def __init__(
        self, database: Database, access: Access, alerts: Alerts, *, epoch: str
    ) -> None:
        self._database = database
        self._access = access
        self._alerts = alerts
        self.epoch = epoch
        self._ring: deque[FeedEntry] = deque(maxlen=MAX_RING)
        self._base: int | None = None
        self._listeners: list[Listener] = []
        self._news = asyncio.Event()
        self.failures = 0

    @property
    def seq(self) -> int:
        """The newest change told."""
        if self._ring:
            return self._ring[-1].seq
        return self._base or 0

    def announce(self, changes: Sequence[AlertChange]) -> None:
        """Something was committed: look at once."""
        if changes:
            self._news.set()

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with every new batch, in order, in the event loop."""
        self._listeners.append(listener)

    def ignore(self, listener: Listener) -> None:
        """Stop calling it."""
        self._listeners.remove(listener)

    def since(self, seq: int) -> list[FeedEntry] | None:
        """The changes after ``seq``; None when the ring no longer reaches back."""
        if self._base is None or seq > self.seq:
            return None
        oldest = self._ring[0].seq if self._ring else self.seq + 1
        full = len(self._ring) == MAX_RING
        if seq < self._base or (full and seq + 1 < oldest):
            return None
        return [entry for entry in self._ring if entry.seq > seq]

    async def snapshot(self, audience: Audience) -> Snapshot:
        """What an audience has open now."""
        return await self._alerts.snapshot(audience)

    async def start(self) -> None:
        """Learn where the feed stands; called by ``run``."""
        if self._base is None:
            query = select(func.max(alert_change.c.seq))
            last = await self._database.read(lambda c: c.execute(query).scalar())
            self._base = last or 0

    async def run(self) -> None:
        """Follow until cancelled."""
        await self.start()
        while True:
            self._news.clear()
            try:
                entries = await self._read()
            except (SQLAlchemyError, StorageError) as error:
                # A busy or restarting database: the place is kept, nothing is lost.
                self.failures += 1
                _log.warning("alert feed: %s while reading", type(error).__name__)
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            if entries:
                self._ring.extend(entries)
                for listener in list(self._listeners):
                    listener(entries)
                continue
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _read(self) -> list[FeedEntry]:
        after, today = self.seq, self._access.today()

        def load(connection: Connection) -> list[FeedEntry]:
            rows = connection.execute(
                select(alert_change)
                .where(alert_change.c.seq > after)
                .order_by(alert_change.c.seq)
                .limit(MAX_BATCH)
            ).all()
            cards = load_cards(connection, [row.body for row in rows], today)
            return [
                FeedEntry(seq=row.seq, change=row.change, card=card)
                for row, card in zip(rows, cards, strict=True)
            ]

        return await self._database.read(load)
