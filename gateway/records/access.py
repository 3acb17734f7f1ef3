"""Who may see whom: role and relationship, denied unless a rule here grants it.

Pure functions over loaded facts; ``gateway.services.access`` loads them. The table is
in ``docs/threat-model.md``. In short:

* a resident sees the own readings and nobody else's;
* a family doctor or deputy sees the residents under an active contract with the own
  team, and those for whom that team still has an open alert, whatever the contract
  says: an alert must not become invisible to everybody on the day a contract ends;
* a specialist sees those escalated to them, or referred within ``REFERRAL_DAYS``;
* an operator or health manager sees the person of the open session at an own station,
  from the session's beginning on, and unclaimed readings and technical alerts there;
* administrator and auditor see no clinical value.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.model.alert import Alert
from gateway.model.people import Account, Role, TeamRole
from gateway.model.session import MeasurementSession

# A referral opens the history to the specialist for one follow-up interval.
REFERRAL_DAYS: Final = 90

TECHNICAL: Final = "technical"

_DOCTOR_PARTS: Final = frozenset({TeamRole.FAMILY_DOCTOR, TeamRole.DEPUTY})
_DOCTORS: Final = frozenset({Role.DOCTOR, Role.SPECIALIST})
_STATION_STAFF: Final = frozenset({Role.OPERATOR, Role.MANAGER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks, with the facts about them that decide.

    Attributes:
        doctor_teams: teams in which the account is family doctor or deputy.
        specialist_teams: teams in which it is the specialist.
        sessions: open sessions at the account's stations.
        referred: residents referred to the specialist teams, lately.
    """

    account: Account
    doctor_teams: frozenset[str] = frozenset()
    specialist_teams: frozenset[str] = frozenset()
    sessions: tuple[MeasurementSession, ...] = ()
    referred: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """The account's id."""
        return self.account.id

    def has(self, *roles: Role) -> bool:
        """Whether the account has any of the roles."""
        return any(role in self.account.roles for role in roles)

    @property
    def own_stations(self) -> frozenset[str]:
        """Stations this account works at; empty without a role that works there."""
        if any(role in _STATION_STAFF for role in self.account.roles):
            return frozenset(self.account.stations)
        return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """Who is tied to one resident.

    Attributes:
        resident: pseudonym.
        teams: teams with an active contract.
        alert_teams: teams with an open alert.
        alert_assignees: accounts an open alert is assigned to.
    """

    resident: str
    teams: frozenset[str] = frozenset()
    alert_teams: frozenset[str] = frozenset()
    alert_assignees: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Leave to read one resident's values.

    Attributes:
        since: only what was taken at or after this instant; None: everything.
        because: which relationship grants it; goes into the audit trail.
    """

    since: datetime | None
    because: str


def team_parts(
    account: Account, memberships: list[tuple[str, TeamRole]]
) -> tuple[frozenset[str], frozenset[str]]:
    """(doctor teams, specialist teams); a part needs the account's role as well."""
    if Role.DOCTOR in account.roles:
        doctor = frozenset(team for team, part in memberships if part in _DOCTOR_PARTS)
    else:
        doctor = frozenset()
    if _DOCTORS.isdisjoint(account.roles):
        return doctor, frozenset()
    return doctor, frozenset(
        team for team, part in memberships if part is TeamRole.SPECIALIST
    )


def reading_grant(viewer: Viewer, ties: Ties) -> Grant | None:
    """The widest leave to read the resident's values, or None."""
    if viewer.has(Role.RESIDENT) and viewer.account.resident == ties.resident:
        return Grant(since=None, because="own")
    if viewer.doctor_teams & ties.teams:
        return Grant(since=None, because="contract")
    if viewer.doctor_teams & ties.alert_teams:
        return Grant(since=None, because="open-alert")
    return _specialist_grant(viewer, ties) or _session_grant(viewer, ties)


def _specialist_grant(viewer: Viewer, ties: Ties) -> Grant | None:
    if not viewer.specialist_teams:
        return None
    if viewer.id in ties.alert_assignees:
        return Grant(since=None, because="escalated")
    if ties.resident in viewer.referred:
        return Grant(since=None, because="referred")
    return None


def _session_grant(viewer: Viewer, ties: Ties) -> Grant | None:
    here = [
        session.opened_at
        for session in viewer.sessions
        if session.resident == ties.resident and session.station in viewer.own_stations
    ]
    return Grant(since=min(here), because="session") if here else None


def is_doctor_of(viewer: Viewer, ties: Ties) -> bool:
    """Whether the viewer may approve whose reading it is."""
    return bool(viewer.doctor_teams & (ties.teams | ties.alert_teams))


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """What decides which alerts somebody sees; equal for all who see the same.

    Attributes:
        teams: doctor teams.
        specialist: account id of a specialist, whom alerts are escalated to.
        stations: stations whose technical alerts are seen.
        all_technical: every station's technical alerts are seen.
    """

    teams: frozenset[str] = frozenset()
    specialist: str = ""
    stations: frozenset[str] = frozenset()
    all_technical: bool = False

    def sees(self, alert: Alert, teams: frozenset[str]) -> bool:
        """Whether the alert is shown.

        ``teams`` are those with an active contract with the alert's resident.
        """
        if alert.kind == TECHNICAL and (
            self.all_technical or alert.station in self.stations
        ):
            return True
        return self.answers_for(alert, teams)

    def answers_for(self, alert: Alert, teams: frozenset[str]) -> bool:
        """Whether it is theirs as a doctor, or as the specialist it went to."""
        if self.teams & (teams | {alert.team}):
            return True
        return bool(self.specialist) and self.specialist in (
            alert.assignee,
            alert.accepted_by,
            alert.closed_by,
        )


def audience_of(viewer: Viewer) -> Audience:
    """The audience a viewer belongs to."""
    return Audience(
        teams=viewer.doctor_teams,
        specialist=viewer.id if viewer.specialist_teams else "",
        stations=viewer.own_stations,
        all_technical=viewer.has(Role.ADMINISTRATOR),
    )


def may_act_on_alert(viewer: Viewer, alert: Alert, teams: frozenset[str]) -> bool:
    """Whether the viewer may accept and close an alert.

    Operators act on technical alerts of their stations; administrators only watch.
    """
    if audience_of(viewer).answers_for(alert, teams):
        return True
    return alert.kind == TECHNICAL and alert.station in viewer.own_stations
