"""Parts of a hub that behave: alert desk, station link, log, replay, broker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, insert, select

from gateway.clock import ManualClock
from gateway.database.engine import Database
from gateway.database.tables import (
    alert,
    log,
)
from gateway.database.tables.base import to_us
from gateway.errors import ConflictError, LinkClosedError, NotFoundError
from gateway.model.alert import (
    Alert,
    AlertState,
    Outcome,
)
from gateway.model.observation import (
    Observation,
)
from gateway.model.people import Station
from gateway.model.session import Attribution
from gateway.model.waveform import WaveformChunk
from gateway.ports.log import LogEntry
from gateway.records.unclaimed import UnclaimedReadings
from gateway.stores.series_sql import SqlSeries
from gateway.wire.batch import SessionCommand, StationCommand, encode_body
from tests.api.samples import NOW, write_alert


class Desk:
    """Acts on alerts in the tables, checking the version as the real desk does."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self._database = database
        self._clock = clock
        self.announce: Callable[[list[Any]], None] = lambda _: None

    async def accept(self, alert_id: UUID, /, *, account: str, version: int) -> Alert:
        return await self._change(
            alert_id,
            version,
            "accepted",
            state=AlertState.ACCEPTED,
            accepted_by=account,
            accepted_at=self._clock.now(),
        )

    async def close(
        self,
        alert_id: UUID,
        /,
        *,
        account: str,
        version: int,
        outcome: Outcome,
        note: str,
    ) -> Alert:
        return await self._change(
            alert_id,
            version,
            "closed",
            state=AlertState.CLOSED,
            closed_by=account,
            closed_at=self._clock.now(),
            outcome=outcome,
            note=note,
        )

    async def _change(
        self, id_: UUID, version: int, change: str, **fields: Any
    ) -> Alert:
        def work(connection: Connection) -> Alert:
            body = connection.execute(
                select(alert.c.body).where(alert.c.id == id_.bytes)
            ).scalar_one_or_none()
            if body is None:
                raise NotFoundError("alert: not found.")
            held = msgspec.json.decode(body, type=Alert)
            if held.version != version or held.state is AlertState.CLOSED:
                raise ConflictError("alert: it has changed.", current=held.version)
            fresh = msgspec.structs.replace(
                held, version=held.version + 1, updated_at=self._clock.now(), **fields
            )
            write_alert(connection, fresh, change)
            return fresh

        fresh = await self._database.write(work)
        self.announce([fresh])
        return fresh


class Link:
    """Records what stations are told; can be cut."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, SessionCommand | StationCommand]] = []
        self.cut = False

    async def session(self, station: Station, command: SessionCommand) -> None:
        self._send(station, command)

    async def command(self, station: Station, command: StationCommand) -> None:
        self._send(station, command)

    def _send(self, station: Station, command: SessionCommand | StationCommand) -> None:
        if self.cut:
            raise LinkClosedError("broker: not connected.")
        self.sent.append((station.id, command))


class Log:
    """The hub's log and its two consumers, applied as soon as something is in it."""

    def __init__(self, database: Database) -> None:
        self.series = SqlSeries(database)
        self.unclaimed = UnclaimedReadings()
        self.woken = 0

    def append(
        self, connection: Connection, attribution: Attribution, station: str
    ) -> object:
        return self.put(connection, attribution, "attribution", station)

    def committed(self, result: object) -> None:
        assert isinstance(result, LogEntry)
        self.woken += 1

    def put(
        self,
        connection: Connection,
        body: Observation | WaveformChunk | Attribution,
        type_: str,
        station: str,
    ) -> LogEntry:
        data = (
            msgspec.json.encode(body)
            if isinstance(body, Attribution)
            else encode_body(body)
        )
        result = connection.execute(
            insert(log).values(
                id=body.id.bytes,
                type=type_,
                station=station,
                received_us=to_us(NOW),
                body=data,
            )
        )
        key = result.inserted_primary_key
        assert key is not None
        entry = LogEntry(
            seq=key[0],
            id=body.id,
            type=type_,
            station=station,
            received_at=NOW,
            body=body,
        )
        self.series.apply(connection, [entry])
        self.unclaimed.apply(connection, [entry])
        return entry


class Replay:
    """Understands letters with an even number."""

    async def replay(self, id_: int) -> bool:
        return id_ % 2 == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount:
    name: str
    password: str


class Broker:
    """Keeps station passwords."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}

    async def add_station(self, site: str, station: str) -> BrokerAccount:
        account = BrokerAccount(name=station, password=f"made-for-{station}")
        self.passwords[f"{site}/{station}"] = account.password
        return account
