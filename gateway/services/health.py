"""Whether the hub can do its work: database, broker, consumers in step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.database.engine import Database
from gateway.database.tables import consumer, log
from gateway.errors import StorageError

# Entries a consumer may lie behind the log and still count as in step: the readings
# of a burst of stations coming back online.
MAX_LAG: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One part's state; ``detail`` is a number or a token, never data."""

    name: str
    ok: bool
    detail: str = ""


class Health:
    """Asks each part; ``broker_connected`` is None where there is no broker."""

    def __init__(
        self, database: Database, broker_connected: Callable[[], bool] | None
    ) -> None:
        self._database = database
        self._broker_connected = broker_connected

    async def checks(self) -> list[Check]:
        """The state of every part; a part that fails to answer is not ok."""
        found: list[Check] = []
        try:
            await self._database.read(lambda c: c.execute(text("SELECT 1")))
            lags = await self._database.read(_lags)
        except (SQLAlchemyError, StorageError) as error:
            found.append(Check(name="database", ok=False, detail=type(error).__name__))
        else:
            found.append(Check(name="database", ok=True))
            found.extend(
                Check(name=f"consumer:{name}", ok=lag <= MAX_LAG, detail=f"lag={lag}")
                for name, lag in lags
            )
        if self._broker_connected is not None:
            found.append(Check(name="broker", ok=self._broker_connected()))
        return found


def _lags(connection: Connection) -> list[tuple[str, int]]:
    last = connection.execute(select(func.max(log.c.seq))).scalar() or 0
    rows = connection.execute(select(consumer).order_by(consumer.c.name))
    return [(row.name, max(0, last - row.cursor)) for row in rows]
