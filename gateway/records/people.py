"""Residents, care teams and contracts in the hub's database.

Functions over a connection: the caller chooses the transaction. ``put_…`` makes the row
be as given and says whether anything changed.
"""

import json
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select

from gateway.database.tables import care_team, contract, resident, team_member
from gateway.model.people import CareTeam, Contract, Resident, TeamMember, TeamRole
from gateway.records.rows import put_row

# Names in one SQL list; SQLite refuses more than 32 766 parameters, old ones 999.
MAX_IN_LIST: Final = 500


def put_resident(connection: Connection, person: Resident) -> bool:
    """Store a resident."""
    return put_row(
        connection,
        resident,
        {"id": person.id},
        {
            "name": person.name,
            "name_latin": person.name_latin,
            "birth_date": person.birth_date,
            "sex": person.sex,
            "diagnoses": json.dumps(person.diagnoses),
            "spo2_scale": person.spo2_scale,
            "cards": json.dumps(person.cards),
        },
    )


def find_resident(connection: Connection, id_: str) -> Resident | None:
    """One resident, or None."""
    row = connection.execute(select(resident).where(resident.c.id == id_)).one_or_none()
    return None if row is None else _resident(row)


def find_residents(connection: Connection, ids: Collection[str]) -> dict[str, Resident]:
    """Those of the residents that exist, by id."""
    found = {}
    for part in _parts(ids):
        rows = connection.execute(select(resident).where(resident.c.id.in_(part)))
        found.update({row.id: _resident(row) for row in rows})
    return found


def list_residents(
    connection: Connection,
    *,
    after: str,
    limit: int,
    teams: Collection[str] | None,
    others: Collection[str] = (),
    on: date,
) -> list[Resident]:
    """Residents with ``id > after`` in order of id.

    ``teams`` keeps those with a contract active on ``on`` with one of them, beside
    ``others`` by id; None keeps everybody.
    """
    query = select(resident).where(resident.c.id > after).order_by(resident.c.id)
    if teams is not None:
        under = select(contract.c.resident).where(
            contract.c.team.in_(list(teams)), _active(on)
        )
        query = query.where(
            or_(resident.c.id.in_(under), resident.c.id.in_(list(others)))
        )
    return [_resident(row) for row in connection.execute(query.limit(limit))]


def put_team(connection: Connection, team: CareTeam) -> bool:
    """Store a care team with exactly these members."""
    changed = put_row(
        connection,
        care_team,
        {"id": team.id},
        {"name": team.name, "ladder": json.dumps(team.ladder, ensure_ascii=False)},
    )
    wanted = {(member.account, member.role.value) for member in team.members}
    held = {
        (row.account, row.role)
        for row in connection.execute(
            select(team_member).where(team_member.c.team == team.id)
        )
    }
    if wanted == held:
        return changed
    connection.execute(delete(team_member).where(team_member.c.team == team.id))
    if wanted:
        connection.execute(
            insert(team_member),
            [{"team": team.id, "account": a, "role": r} for a, r in sorted(wanted)],
        )
    return True


def find_team(connection: Connection, id_: str) -> CareTeam | None:
    """One care team with its members, or None."""
    row = connection.execute(
        select(care_team).where(care_team.c.id == id_)
    ).one_or_none()
    if row is None:
        return None
    members = connection.execute(
        select(team_member)
        .where(team_member.c.team == id_)
        .order_by(team_member.c.account, team_member.c.role)
    )
    return CareTeam(
        id=row.id,
        name=row.name,
        members=tuple(
            TeamMember(account=m.account, role=TeamRole(m.role)) for m in members
        ),
        ladder=tuple(json.loads(row.ladder)),
    )


def memberships(connection: Connection, account: str) -> list[tuple[str, TeamRole]]:
    """The teams an account belongs to, and as what."""
    rows = connection.execute(
        select(team_member.c.team, team_member.c.role).where(
            team_member.c.account == account
        )
    )
    return [(row.team, TeamRole(row.role)) for row in rows]


def put_contract(connection: Connection, terms: Contract) -> bool:
    """Store a contract."""
    return put_row(
        connection,
        contract,
        {"id": terms.id},
        {
            "resident": terms.resident,
            "team": terms.team,
            "package": terms.package,
            "starts": terms.starts,
            "ends": terms.ends,
        },
    )


def find_contract(connection: Connection, id_: str) -> Contract | None:
    """One contract, or None."""
    row = connection.execute(select(contract).where(contract.c.id == id_)).one_or_none()
    return None if row is None else _contract(row)


def active_contracts(
    connection: Connection, residents: Collection[str], on: date
) -> dict[str, list[Contract]]:
    """Contracts that hold on ``on`` (first and last day included), by resident."""
    found: dict[str, list[Contract]] = {}
    for part in _parts(residents):
        rows = connection.execute(
            select(contract)
            .where(contract.c.resident.in_(part), _active(on))
            .order_by(contract.c.starts, contract.c.id)
        )
        for row in rows:
            found.setdefault(row.resident, []).append(_contract(row))
    return found


def _active(on: date) -> ColumnElement[bool]:
    return and_(
        contract.c.starts <= on, or_(contract.c.ends.is_(None), contract.c.ends >= on)
    )


def _parts(ids: Collection[str]) -> Iterable[list[str]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), MAX_IN_LIST):
        yield ordered[start : start + MAX_IN_LIST]


def _resident(row: Row[Any]) -> Resident:
    return Resident(
        id=row.id,
        name=row.name,
        name_latin=row.name_latin,
        birth_date=row.birth_date,
        sex=row.sex,
        diagnoses=tuple(json.loads(row.diagnoses)),
        spo2_scale=row.spo2_scale,
        cards=tuple(json.loads(row.cards)),
    )


def _contract(row: Row[Any]) -> Contract:
    return Contract(
        id=row.id,
        resident=row.resident,
        team=row.team,
        package=row.package,
        starts=row.starts,
        ends=row.ends,
    )
