"""Sessions at a station, opened and closed by its operator from the hub's console."""

from uuid import uuid4

from gateway.database.engine import Database
from gateway.errors import NotFoundError, RequestError
from gateway.model.people import Role, Station
from gateway.model.session import IdentifiedBy, MeasurementSession
from gateway.ports.clock import Clock
from gateway.records.access import Viewer
from gateway.records.audit import Act, AuditTrail
from gateway.records.people import find_resident
from gateway.records.places import find_station, open_sessions
from gateway.services.access import require_role, require_station
from gateway.services.downlink import StationLink
from gateway.wire.batch import SCHEMA, SessionCommand


class Sessions:
    """Tells a station who is being measured. The station's own answer is the truth."""

    def __init__(
        self, database: Database, clock: Clock, audit: AuditTrail, link: StationLink
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._link = link

    async def current(self, viewer: Viewer, station: str) -> MeasurementSession | None:
        """The open session at one of the viewer's stations, as the station reported.

        Raises:
            NotFoundError: not one of their stations.
        """
        require_station(viewer, station)
        found = await self._database.read(lambda c: open_sessions(c, [station]))
        return found[0] if found else None

    async def open(
        self, viewer: Viewer, station: str, *, resident: str, by: IdentifiedBy
    ) -> str:
        """Ask the station to open a session; returns its id.

        Raises:
            AccessDeniedError: not an operator.
            NotFoundError: not one of their stations, or no such resident.
            RequestError: ``by`` is not how an operator identifies somebody.
            LinkClosedError: the broker cannot be reached; nothing was sent.
        """
        place = await self._place(viewer, station)
        if by is IdentifiedBy.DEVICE_SLOT:
            raise RequestError("identified_by: only a device identifies by its slot.")
        person = await self._database.read(lambda c: find_resident(c, resident))
        if person is None:
            raise NotFoundError("resident: not found.")
        session = uuid4().hex
        await self._link.session(
            place,
            SessionCommand(
                schema=SCHEMA,
                action="open",
                session=session,
                resident=resident,
                identified_by=by.value,
                by=viewer.id,
                at=self._clock.now(),
            ),
        )
        await self._audit.record(
            Act(
                actor=viewer.id,
                action="session.open",
                target=f"{station}/{session}",
                resident=resident,
                detail=by.value,
            )
        )
        return session

    async def close(
        self, viewer: Viewer, station: str, *, session: str, abort: bool
    ) -> None:
        """Ask the station to close its session.

        An aborted session's readings become unclaimed. An empty ``session`` means
        whichever is open.

        Raises:
            AccessDeniedError: not an operator.
            NotFoundError: not one of their stations.
            LinkClosedError: the broker cannot be reached; nothing was sent.
        """
        place = await self._place(viewer, station)
        action = "abort" if abort else "close"
        await self._link.session(
            place,
            SessionCommand(
                schema=SCHEMA,
                action=action,
                session=session,
                by=viewer.id,
                at=self._clock.now(),
            ),
        )
        await self._audit.record(
            Act(actor=viewer.id, action=f"session.{action}", target=station)
        )

    async def _place(self, viewer: Viewer, station: str) -> Station:
        require_role(viewer, Role.OPERATOR, Role.MANAGER)
        require_station(viewer, station)
        found = await self._database.read(lambda c: find_station(c, station))
        if found is None:
            raise NotFoundError("station: not found.")
        return found.station
