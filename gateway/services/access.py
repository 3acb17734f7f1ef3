"""Loads the facts that ``gateway.records.access`` decides on."""

from collections import OrderedDict
from collections.abc import Collection
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, and_, select

from gateway.database.engine import Database
from gateway.database.tables import alert
from gateway.database.tables.base import to_us
from gateway.errors import AccessDeniedError, NotFoundError
from gateway.model.alert import AlertState, Outcome
from gateway.model.people import Account, Resident, Role
from gateway.ports.clock import Clock
from gateway.records.access import (
    REFERRAL_DAYS,
    Grant,
    Ties,
    Viewer,
    reading_grant,
    team_parts,
)
from gateway.records.audit import Act, AuditTrail
from gateway.records.people import active_contracts, find_resident, memberships
from gateway.records.places import open_sessions

# Referrals looked through; a team closes far fewer in ``REFERRAL_DAYS``.
MAX_REFERRALS: Final = 5000
# Looking at one resident again within this is the same act of viewing.
VIEW_AGAIN_S: Final = 900.0
# Views remembered for that: about 1 MB. Beyond it a view is only noted once more.
MAX_VIEWS: Final = 10_000


class _Referral(msgspec.Struct):
    """The part of a closed alert that a referral is recognised by."""

    outcome: Outcome | None = None


_REFERRAL = msgspec.json.Decoder(_Referral)


class Access:
    """Who asks, and whether they may."""

    def __init__(
        self, database: Database, clock: Clock, audit: AuditTrail, *, zone: ZoneInfo
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._zone = zone
        self._views: OrderedDict[tuple[str, str], float] = OrderedDict()

    def today(self) -> date:
        """The site's calendar day, on which contracts begin and end."""
        return self._clock.now().astimezone(self._zone).date()

    async def viewer(self, account: Account) -> Viewer:
        """An account with the facts about it."""
        since = to_us(self._clock.now() - timedelta(days=REFERRAL_DAYS))

        def load(connection: Connection) -> Viewer:
            doctor, specialist = team_parts(
                account, memberships(connection, account.id)
            )
            staff = Viewer(account=account).own_stations
            return Viewer(
                account=account,
                doctor_teams=doctor,
                specialist_teams=specialist,
                sessions=tuple(open_sessions(connection, staff)),
                referred=_referred(connection, specialist, since),
            )

        return await self._database.read(load)

    async def grant(self, viewer: Viewer, resident: str) -> tuple[Resident, Grant]:
        """Leave to read a resident's values; the view is audited.

        Raises:
            NotFoundError: no such resident, or not theirs to see: no difference.
        """

        def load(connection: Connection) -> tuple[Resident | None, Ties]:
            ties = load_ties(connection, [resident], self.today())[resident]
            return find_resident(connection, resident), ties

        person, ties = await self._database.read(load)
        leave = reading_grant(viewer, ties)
        if person is None or leave is None:
            raise NotFoundError("resident: not found.")
        await self._note_view(viewer, resident, leave)
        return person, leave

    async def _note_view(self, viewer: Viewer, resident: str, leave: Grant) -> None:
        if leave.because == "own":
            return
        key, now = (viewer.id, resident), self._clock.monotonic()
        before = self._views.get(key)
        if before is not None and now - before < VIEW_AGAIN_S:
            return
        await self._audit.record(
            Act(
                actor=viewer.id,
                action="resident.view",
                target=resident,
                resident=resident,
                detail=leave.because,
            )
        )
        self._views[key] = now
        self._views.move_to_end(key)
        while len(self._views) > MAX_VIEWS:
            self._views.popitem(last=False)


def require_role(viewer: Viewer, *roles: Role) -> None:
    """Refuse a viewer with none of the roles.

    Raises:
        AccessDeniedError: none of them.
    """
    if not viewer.has(*roles):
        raise AccessDeniedError("role: this account may not do that.")


def require_station(viewer: Viewer, station: str) -> None:
    """Refuse a viewer who does not work at the station.

    Raises:
        NotFoundError: not one of theirs, or no such station.
    """
    if station not in viewer.own_stations:
        raise NotFoundError("station: not found.")


def load_ties(
    connection: Connection, residents: Collection[str], on: date
) -> dict[str, Ties]:
    """Who is tied to each of the residents; at most a page of them."""
    contracts = active_contracts(connection, residents, on)
    teams: dict[str, set[str]] = {}
    assignees: dict[str, set[str]] = {}
    rows = connection.execute(
        select(alert.c.resident, alert.c.team, alert.c.assignee).where(
            alert.c.resident.in_(sorted(residents)),
            alert.c.state != AlertState.CLOSED.value,
        )
    )
    for row in rows:
        teams.setdefault(row.resident, set()).add(row.team)
        if row.assignee:
            assignees.setdefault(row.resident, set()).add(row.assignee)
    return {
        id_: Ties(
            resident=id_,
            teams=frozenset(c.team for c in contracts.get(id_, ())),
            alert_teams=frozenset(teams.get(id_, ())),
            alert_assignees=frozenset(assignees.get(id_, ())),
        )
        for id_ in residents
    }


def _referred(
    connection: Connection, teams: frozenset[str], since_us: int
) -> frozenset[str]:
    if not teams:
        return frozenset()
    rows = connection.execute(
        select(alert.c.resident, alert.c.body)
        .where(
            alert.c.team.in_(sorted(teams)),
            and_(
                alert.c.state == AlertState.CLOSED.value, alert.c.updated_us >= since_us
            ),
            alert.c.resident != "",
        )
        .order_by(alert.c.updated_us.desc())
        .limit(MAX_REFERRALS)
    )
    return frozenset(
        row.resident
        for row in rows
        if _REFERRAL.decode(row.body).outcome is Outcome.REFERRED
    )
