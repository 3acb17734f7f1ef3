"""Durable deadlines: a repeat that did not come is said when its time is up.

The deadlines are rows; the ticker holds none. After a restart, a crash or a step of the
clock it reads what is due now.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from gateway.alerting.feed import AlertFeed
from gateway.alerting.keeper import AlertKeeper
from gateway.alerting.rows import due_residents
from gateway.database.engine import Database
from gateway.model.alert import AlertChange
from gateway.ports.clock import Clock

# Residents whose deadlines share one transaction; more would hold up fresh readings.
MAX_PER_TICK: Final = 200
# How often due rows are looked for: one indexed read of an idle table a second.
INTERVAL_S: Final = 1.0


class Ticker:
    """Runs due deadlines until cancelled. ``run`` lives in a TaskGroup."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        keeper: AlertKeeper,
        feed: AlertFeed,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keeper = keeper
        self._feed = feed
        self._interval_s = interval_s

    async def run(self) -> None:
        """Look for due deadlines for ever.

        Raises:
            StorageError: the database cannot commit; the supervisor restarts this.
        """
        while True:
            if not await self.tick():
                await self._clock.sleep(self._interval_s)

    async def tick(self) -> int:
        """Deal with what is due now; the number of residents it concerned.

        Raises:
            StorageError: the database cannot commit; nothing of the tick remains.
        """
        now = self._clock.now()
        due = await self._database.read(lambda c: due_residents(c, now, MAX_PER_TICK))
        if not due:
            return 0
        work = self._work(due, now)
        self._feed.announce(await self._database.write(work))
        return len(due)

    def _work(
        self, due: list[str], now: datetime
    ) -> Callable[[Connection], list[AlertChange]]:
        return lambda connection: self._keeper.tick(connection, due, now)
