"""Stations: what they report, their devices, enrolment, and an operator's commands."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol
from uuid import uuid4

from gateway.database.engine import Database
from gateway.errors import NotFoundError
from gateway.model.people import EnrolledDevice, Role
from gateway.ports.clock import Clock
from gateway.records.access import Viewer
from gateway.records.accounts import Passwords
from gateway.records.audit import Act, AuditTrail
from gateway.records.enrolment import apply_roster
from gateway.records.places import (
    StationRecord,
    find_station,
    list_devices,
    list_stations,
)
from gateway.records.roster import Roster, StationEntry
from gateway.services.access import require_role, require_station
from gateway.services.downlink import StationLink
from gateway.services.pages import Page, decode_cursor, encode_cursor
from gateway.wire.batch import SCHEMA, StationCommand

__all__ = ["BrokerAccounts", "Enrolled", "StationRecord", "Stations"]

# A command is for now: a cuff must not inflate when a station comes back online.
COMMAND_LIFETIME: Final = timedelta(seconds=30)


class StationAccount(Protocol):
    """A station's account at the broker."""

    @property
    def name(self) -> str:
        """MQTT user name."""

    @property
    def password(self) -> str:
        """MQTT password."""


class BrokerAccounts(Protocol):
    """The embedded broker's accounts."""

    async def add_station(self, site: str, station: str) -> StationAccount:
        """Let a station in, with its own topics only; an existing account is kept.

        Raises:
            StorageError: the broker does not take it over.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A station that may now connect.

    ``mqtt_password`` is empty where the broker is not ours to administer.
    """

    record: StationRecord
    mqtt_user: str
    mqtt_password: str


class Stations:
    """What operators and administrators see of stations, and do with them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        audit: AuditTrail,
        link: StationLink,
        *,
        passwords: Passwords,
        broker: BrokerAccounts | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._link = link
        self._passwords = passwords
        self._broker = broker

    async def page(
        self, viewer: Viewer, *, cursor: str, limit: int
    ) -> Page[StationRecord]:
        """All stations for an administrator, the own ones for those who work there.

        Raises:
            RequestError: the cursor is not one of this list's.
        """
        key = decode_cursor(cursor, str)
        only = None if viewer.has(Role.ADMINISTRATOR) else viewer.own_stations
        found = await self._database.read(
            lambda c: list_stations(
                c, only=only, after=key[0] if key else "", limit=limit + 1
            )
        )
        items = found[:limit]
        more = len(found) > limit
        return Page(
            items=items, next=encode_cursor(items[-1].station.id) if more else ""
        )

    async def one(
        self, viewer: Viewer, station: str
    ) -> tuple[StationRecord, list[EnrolledDevice]]:
        """A station and its devices.

        Raises:
            NotFoundError: no such station, or not one of theirs.
        """
        if not viewer.has(Role.ADMINISTRATOR):
            require_station(viewer, station)
        record, devices = await self._database.read(
            lambda c: (find_station(c, station), list_devices(c, station))
        )
        if record is None:
            raise NotFoundError("station: not found.")
        return record, devices

    async def enrol(self, viewer: Viewer, entry: StationEntry) -> Enrolled:
        """Register a station and let it into the embedded broker.

        Raises:
            AccessDeniedError: not an administrator.
        """
        require_role(viewer, Role.ADMINISTRATOR)
        await apply_roster(
            self._database,
            Roster(stations=(entry,)),
            passwords=self._passwords,
            clock=self._clock,
            audit=self._audit,
            actor=viewer.id,
        )
        user, password = entry.id, ""
        if self._broker is not None:
            account = await self._broker.add_station(entry.site, entry.id)
            user, password = account.name, account.password
        record, _ = await self.one(viewer, entry.id)
        return Enrolled(record=record, mqtt_user=user, mqtt_password=password)

    async def command(
        self, viewer: Viewer, station: str, device: str, name: str
    ) -> StationCommand:
        """Have a device do what its driver declares as an operator's command.

        The act is in the audit trail before it is sent; the station refuses what the
        driver does not declare.

        Raises:
            AccessDeniedError: not an operator.
            NotFoundError: not one of their stations.
            LinkClosedError: the broker cannot be reached; nothing was sent.
        """
        require_role(viewer, Role.OPERATOR)
        require_station(viewer, station)
        record, _ = await self.one(viewer, station)
        command = StationCommand(
            schema=SCHEMA,
            id=uuid4().hex,
            device=device,
            name=name,
            by=viewer.id,
            expires_at=self._clock.now() + COMMAND_LIFETIME,
        )
        await self._audit.record(
            Act(
                actor=viewer.id,
                action="device.command",
                target=f"{station}/{device}",
                detail=f"name={name} id={command.id}",
            )
        )
        await self._link.command(record.station, command)
        return command
