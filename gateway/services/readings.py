"""Whose reading is it: unclaimed ones, claims, re-assignments, and the proof of each.

Nothing is edited: a claim is a new entry in the log, which moves the reading between
series and is itself kept, with who said so and who agreed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid4

from sqlalchemy import Connection, and_, insert, or_, select

from gateway.database.engine import Database
from gateway.database.tables import attribution, log, unclaimed
from gateway.database.tables.base import from_us, to_us
from gateway.errors import (
    AccessDeniedError,
    ConflictError,
    NotFoundError,
    RequestError,
)
from gateway.model.observation import Observation
from gateway.model.people import Account, Role
from gateway.model.session import Attribution
from gateway.ports.clock import Clock
from gateway.records.access import Viewer, is_doctor_of, reading_grant
from gateway.records.audit import Act, AuditTrail
from gateway.records.people import find_resident
from gateway.services.access import Access, load_ties, require_role, require_station
from gateway.services.pages import Page, decode_cursor, encode_cursor
from gateway.services.proof import NIL, Held, Proof, load_held, load_proof
from gateway.wire.batch import decode_body


class AttributionLog(Protocol):
    """Where attributions go: the hub's log."""

    def append(
        self, connection: Connection, attribution: Attribution, station: str
    ) -> object:
        """Append inside the caller's transaction, in the writer's thread."""

    def committed(self, result: object) -> None:
        """Called in the event loop after the commit, with what ``append`` returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclaimed:
    """Something that belongs to nobody: a reading, or a recording's stream."""

    station: str
    kind: str
    taken_at: datetime
    observation: Observation | None
    stream: str


_Made = tuple[Attribution, object]


class Readings:
    """Proof views and attributions."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        access: Access,
        audit: AuditTrail,
        attributions: AttributionLog,
    ) -> None:
        self._database = database
        self._clock = clock
        self._access = access
        self._audit = audit
        self._attributions = attributions

    async def proof(self, viewer: Viewer, id_: UUID) -> Proof:
        """A reading: raw bytes, driver, times, and whose it was and is.

        Raises:
            NotFoundError: no such reading, or not theirs to see.
        """
        found = await self._database.read(lambda c: load_proof(c, id_))
        if found is None:
            raise _no_reading()
        if not found.resident:
            if found.observation.station not in viewer.own_stations:
                raise _no_reading()
            return found
        try:
            _, leave = await self._access.grant(viewer, found.resident)
        except NotFoundError as error:
            raise _no_reading() from error
        if leave.since is not None and found.observation.taken_at < leave.since:
            raise _no_reading()
        return found

    async def unclaimed(
        self, viewer: Viewer, station: str, *, cursor: str, limit: int
    ) -> Page[Unclaimed]:
        """What belongs to nobody at a station, newest first.

        Raises:
            NotFoundError: not one of the viewer's stations.
            RequestError: the cursor is not one of this list's.
        """
        require_station(viewer, station)
        key = decode_cursor(cursor, int, str)
        query = (
            select(unclaimed, log.c.type, log.c.body)
            .outerjoin(log, log.c.id == unclaimed.c.observation)
            .where(unclaimed.c.station == station)
            .order_by(
                unclaimed.c.taken_us.desc(), unclaimed.c.observation, unclaimed.c.stream
            )
            .limit(limit + 1)
        )
        if key is not None:
            at, mark = key
            reading, _, stream = mark.partition("|")
            try:
                digest = bytes.fromhex(reading)
            except ValueError as error:
                raise RequestError("cursor: not a cursor of this list.") from error
            query = query.where(
                or_(
                    unclaimed.c.taken_us < at,
                    and_(
                        unclaimed.c.taken_us == at,
                        or_(
                            unclaimed.c.observation > digest,
                            and_(
                                unclaimed.c.observation == digest,
                                unclaimed.c.stream > stream,
                            ),
                        ),
                    ),
                )
            )
        rows = await self._database.read(lambda c: c.execute(query).all())
        items = []
        for row in rows[:limit]:
            body = None if row.body is None else decode_body(row.type, row.body)
            items.append(
                Unclaimed(
                    station=row.station,
                    kind=row.kind,
                    taken_at=from_us(row.taken_us),
                    observation=body if isinstance(body, Observation) else None,
                    stream=row.stream,
                )
            )
        last = rows[limit - 1] if len(rows) > limit else None
        mark = "" if last is None else f"{last.observation.hex()}|{last.stream}"
        return Page(
            items=items,
            next="" if last is None else encode_cursor(last.taken_us, mark),
        )

    async def claim(
        self,
        viewer: Viewer,
        *,
        resident: str,
        reason: str,
        observation: UUID = NIL,
        stream: str = "",
    ) -> Attribution:
        """Say whose an unclaimed reading (or recording) is.

        Raises:
            AccessDeniedError: the role does not claim.
            NotFoundError: no such reading at the viewer's stations, or no such
                resident.
            ConflictError: it belongs to somebody already; that takes a re-assignment.
        """
        require_role(viewer, Role.OPERATOR, Role.MANAGER)

        def decide(connection: Connection) -> _Made:
            held = load_held(connection, observation, stream)
            if held is None or held.station not in viewer.own_stations:
                raise _no_reading()
            if find_resident(connection, resident) is None:
                raise NotFoundError("resident: not found.")
            if held.resident:
                raise ConflictError(
                    "reading: it is no longer unclaimed.",
                    current={"claimed": True},
                    remedy="Have it re-assigned with a doctor's approval.",
                )
            return self._attribute(
                connection, viewer, held, resident=resident, reason=reason, approved=""
            )

        return await self._commit(decide)

    async def reassign(
        self,
        viewer: Viewer,
        *,
        resident: str,
        reason: str,
        approver: Account,
        observation: UUID = NIL,
        stream: str = "",
    ) -> Attribution:
        """Move a reading to another resident, or to nobody, with a second person.

        ``approver`` has proven who they are. Either of the two may be the operator of
        the station; at least one must be a doctor of the resident it is under now.

        Raises:
            AccessDeniedError: one person alone, or no doctor of the resident.
            NotFoundError: no such reading within the viewer's reach, or no such
                resident.
            ConflictError: it is unclaimed, or the resident's already.
        """
        require_role(viewer, Role.OPERATOR, Role.MANAGER, Role.DOCTOR)
        if approver.id == viewer.id:
            raise AccessDeniedError("approver: must be a second person.")
        second = await self._access.viewer(approver)
        today = self._access.today()

        def decide(connection: Connection) -> _Made:
            held = load_held(connection, observation, stream)
            if held is None:
                raise _no_reading()
            ties = load_ties(connection, [held.resident], today)[held.resident]
            reach = held.station in viewer.own_stations
            if not reach and reading_grant(viewer, ties) is None:
                raise _no_reading()
            if resident and find_resident(connection, resident) is None:
                raise NotFoundError("resident: not found.")
            if held.resident in ("", resident):
                raise ConflictError(
                    "reading: there is nothing to re-assign.",
                    current={"claimed": bool(held.resident)},
                )
            if not (is_doctor_of(viewer, ties) or is_doctor_of(second, ties)):
                raise AccessDeniedError(
                    "approver: a doctor of the resident must be one of the two."
                )
            if not (second.own_stations & {held.station} or second.has(Role.DOCTOR)):
                raise AccessDeniedError("approver: this account may not approve.")
            return self._attribute(
                connection,
                viewer,
                held,
                resident=resident,
                reason=reason,
                approved=approver.id,
            )

        return await self._commit(decide)

    async def _commit(self, decide: Callable[[Connection], _Made]) -> Attribution:
        made, appended = await self._database.write(decide)
        self._attributions.committed(appended)
        return made

    def _attribute(
        self,
        connection: Connection,
        viewer: Viewer,
        held: Held,
        *,
        resident: str,
        reason: str,
        approved: str,
    ) -> _Made:
        made = Attribution(
            id=uuid4(),
            observation=held.observation,
            resident=resident,
            by=viewer.id,
            at=self._clock.now(),
            reason=reason,
            stream=held.stream,
            previous=held.resident,
            approved_by=approved,
        )
        if not held.stream:
            connection.execute(
                insert(attribution).values(
                    observation=made.observation.bytes,
                    resident=made.resident,
                    previous=made.previous,
                    by=made.by,
                    approved_by=made.approved_by,
                    reason=made.reason,
                    at_us=to_us(made.at),
                )
            )
        # After the row: a consumer that keeps the history then finds it there.
        appended = self._attributions.append(connection, made, held.station)
        self._audit.append(
            connection,
            Act(
                actor=viewer.id,
                action="reading.reassign" if held.resident else "reading.claim",
                target=held.stream or str(held.observation),
                resident=resident,
                detail=f"approved-by={approved}" if approved else "",
            ),
        )
        return made, appended


def _no_reading() -> NotFoundError:
    return NotFoundError("reading: not found.")
