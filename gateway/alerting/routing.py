"""Who answers for a resident: contract, care team, family doctor. Never nobody.

contract active on the day ─▶ care team ─▶ family doctor
│ none: the site's fallback team       │ none: deputy, then any member
▼ flag no-contract                     ▼ none at all: the team, flag no-doctor
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, insert, or_, select

from gateway.alerting.reconcile import Event
from gateway.database.tables import account, contract, delivery, team_member
from gateway.database.tables.base import to_us
from gateway.model.alert import AlertChange, Level
from gateway.model.people import TeamRole

# Where alerts of residents without a contract go when the site names no team: a topic
# level and a worklist that an administrator sees.
UNASSIGNED_TEAM: Final = "unassigned"

FLAG_NO_CONTRACT: Final = "no-contract"
FLAG_NO_DOCTOR: Final = "no-doctor"

CHANNEL_CONSOLE: Final = "console"
CHANNEL_MQTT: Final = "mqtt"

# Changes that ask for somebody's attention; the others inform who is looking.
CALLING: Final = frozenset({"raised", "promoted", "condition-back", "no-repeat"})

_ORDER: Final = (
    TeamRole.FAMILY_DOCTOR,
    TeamRole.DEPUTY,
    TeamRole.SPECIALIST,
    TeamRole.HEALTH_MANAGER,
)


# Built once: a storm asks them for every alert.
_TEAM: Final = (
    select(contract.c.team)
    .where(
        contract.c.resident == bindparam("resident"),
        contract.c.starts <= bindparam("day"),
        or_(contract.c.ends.is_(None), contract.c.ends >= bindparam("day")),
    )
    .order_by(contract.c.starts.desc(), contract.c.id)
    .limit(1)
)
_MEMBERS: Final = (
    select(team_member.c.account, team_member.c.role, account.c.disabled_us)
    .outerjoin(account, account.c.id == team_member.c.account)
    .where(team_member.c.team == bindparam("which"))
)
_INSERT_DELIVERY: Final = insert(delivery)


@dataclass(frozen=True, slots=True, kw_only=True)
class Responsible:
    """Who answers: a team, and one account of it (empty: the whole team)."""

    team: str
    account: str
    flags: tuple[str, ...] = ()


def responsible_for(
    connection: Connection,
    resident: str,
    *,
    on: date,
    fallback_team: str = UNASSIGNED_TEAM,
) -> Responsible:
    """Who answers for a resident on a day.

    Of several active contracts the one that began last counts.
    """
    team = connection.execute(_TEAM, {"resident": resident, "day": on}).scalar()
    flags = () if team is not None else (FLAG_NO_CONTRACT,)
    name = fallback_team if team is None else str(team)
    doctor = _doctor(connection, name)
    if not doctor:
        flags = (*flags, FLAG_NO_DOCTOR)
    return Responsible(team=name, account=doctor, flags=flags)


def assign(event: Event, responsible: Responsible) -> Event:
    """The event with its alert under the responsible team."""
    return Event(
        change=event.change,
        alert=replace(
            event.alert,
            team=responsible.team,
            assignee=responsible.account,
            flags=responsible.flags,
        ),
    )


def calls(change: AlertChange) -> bool:
    """Whether a change calls somebody. Back-fill and info call nobody."""
    return (
        change.change in CALLING
        and not change.alert.historical
        and change.alert.level is not Level.INFO
    )


def deliver(connection: Connection, change: AlertChange) -> None:
    """Note to whom a change goes, by channel; nothing for one that calls nobody.

    The console is the assignee's (without one, the team's), the topic the team's.
    """
    if not calls(change):
        return
    alert = change.alert
    recipients = (
        (CHANNEL_CONSOLE, alert.assignee or alert.team),
        (CHANNEL_MQTT, alert.team),
    )
    connection.execute(
        _INSERT_DELIVERY,
        [
            {
                "alert": alert.id.bytes,
                "change": change.seq,
                "channel": channel,
                "recipient": recipient,
                "created_us": to_us(change.at),
                "delivered_us": None,
                "seen_us": None,
                "attempts": 0,
                "error": "",
            }
            for channel, recipient in recipients
        ],
    )


def _doctor(connection: Connection, team: str) -> str:
    rows = connection.execute(_MEMBERS, {"which": team}).all()
    able = [(row.role, row.account) for row in rows if row.disabled_us is None]
    for role in _ORDER:
        found = sorted(who for held, who in able if held == role.value)
        if found:
            return str(found[0])
    return str(min((who for _, who in able), default=""))
