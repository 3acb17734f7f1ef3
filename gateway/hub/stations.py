"""The stations the hub knows: their site and the key that signs their messages."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, update

from gateway.database.engine import Database
from gateway.database.tables import station
from gateway.database.tables.base import to_us
from gateway.ports.clock import Clock
from gateway.wire.batch import StationStatus

# A station that is not known causes one look into the database, and not a look per
# message when somebody floods the broker under an invented name.
RELOAD_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStation:
    """An enrolled station."""

    id: str
    site: str
    public_key: bytes


class StationDirectory:
    """Enrolled stations, kept in memory."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, KnownStation] = {}
        self._loaded: float | None = None

    async def find(self, id_: str) -> KnownStation | None:
        """The station, looked up afresh when it is not known.

        Raises:
            StorageError: it is not known and the database cannot be read.
        """
        known = self._known.get(id_)
        if known is not None:
            return known
        return await self.find_again(id_)

    async def find_again(self, id_: str) -> KnownStation | None:
        """The station as the database has it, which is not asked all the time.

        For a station that is not known, or whose key does not fit any more: another
        process may have enrolled it.

        Raises:
            StorageError: the database cannot be read.
        """
        now = self._clock.monotonic()
        if self._loaded is None or now - self._loaded >= RELOAD_EVERY_S:
            await self.reload()
        return self._known.get(id_)

    async def reload(self) -> None:
        """Read all stations; call it when one was enrolled or its key changed.

        Raises:
            StorageError: the database cannot be read; what was known stays.
        """
        query = select(station.c.id, station.c.site, station.c.public_key)
        rows = await self._database.read(lambda c: c.execute(query).all())
        self._loaded = self._clock.monotonic()
        self._known = {
            row.id: KnownStation(id=row.id, site=row.site, public_key=row.public_key)
            for row in rows
        }


def store_status(
    connection: Connection, status: StationStatus, data: bytes, received_us: int
) -> None:
    """Keep a station's newest status.

    A last will has no time of its own; it counts as of its arrival.
    """
    at = received_us if status.at is None else to_us(status.at)
    connection.execute(
        update(station)
        .where(station.c.id == status.station)
        .values(status=data, status_us=at)
    )
