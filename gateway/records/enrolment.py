"""Putting a roster's entries into the database, all or none.

The same function serves the roster file and the API's administrator routes.
"""

import base64
from dataclasses import dataclass

from sqlalchemy import Connection, Table, select

from gateway.database.engine import Database
from gateway.database.tables import care_team, resident, station
from gateway.errors import RequestError
from gateway.model.people import (
    Account,
    CareTeam,
    Contract,
    DeviceSlot,
    EnrolledDevice,
    Resident,
    Station,
    TeamMember,
)
from gateway.ports.clock import Clock
from gateway.records.accounts import (
    Passwords,
    disabled_at,
    put_account,
    stored_password,
)
from gateway.records.audit import Act, AuditTrail
from gateway.records.people import put_contract, put_resident, put_team
from gateway.records.places import put_device, put_station
from gateway.records.roster import AccountEntry, Roster


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """How many entries a roster held, and how many of them changed something."""

    entries: int
    changed: int


async def apply_roster(
    database: Database,
    roster: Roster,
    *,
    passwords: Passwords,
    clock: Clock,
    audit: AuditTrail | None = None,
    actor: str = "system",
) -> Loaded:
    """Upsert every entry in one transaction; loading the same again changes nothing.

    Raises:
        RequestError: an entry names a resident, team or station that neither the
            roster nor the database has; nothing was stored.
    """
    hashes = {
        entry.id: await _hash(database, passwords, entry)
        for entry in roster.accounts
        if entry.password is not None
    }

    def put(connection: Connection) -> Loaded:
        _check_references(connection, roster)
        changed: list[str] = []
        for kind, id_, done in _put_all(connection, roster, hashes, clock):
            if done:
                changed.append(f"{kind}/{id_}")
        if audit is not None:
            for target in changed:
                audit.append(
                    connection, Act(actor=actor, action="roster.put", target=target)
                )
        total = sum(len(getattr(roster, name)) for name in type(roster).model_fields)
        return Loaded(entries=total, changed=len(changed))

    return await database.write(put)


async def _hash(
    database: Database, passwords: Passwords, entry: AccountEntry
) -> str | None:
    """The text to store; None when the stored one already fits."""
    held = await database.read(lambda c: stored_password(c, entry.id))
    password = entry.password or ""
    if held and await passwords.verify(held, password):
        return None
    return await passwords.hash(password)


def _put_all(
    connection: Connection, roster: Roster, hashes: dict[str, str | None], clock: Clock
) -> list[tuple[str, str, bool]]:
    now = clock.now()
    done: list[tuple[str, str, bool]] = []
    for r in roster.residents:
        person = Resident(**r.model_dump())
        done.append(("resident", r.id, put_resident(connection, person)))
    for t in roster.teams:
        team = CareTeam(
            id=t.id,
            name=t.name,
            members=tuple(
                TeamMember(account=m.account, role=m.role) for m in t.members
            ),
            ladder=t.ladder,
        )
        done.append(("team", t.id, put_team(connection, team)))
    for c in roster.contracts:
        terms = Contract(**c.model_dump())
        done.append(("contract", c.id, put_contract(connection, terms)))
    for s in roster.stations:
        place = Station(
            id=s.id,
            site=s.site,
            name=s.name,
            public_key=base64.b64decode(s.public_key),
            setting=s.setting.value,
        )
        done.append(("station", s.id, put_station(connection, place)))
    for d in roster.devices:
        enrolled = EnrolledDevice(
            id=d.id,
            model=d.model,
            serial=d.serial,
            driver=d.driver,
            station=d.station,
            slots=tuple(DeviceSlot(slot=x.slot, resident=x.resident) for x in d.slots),
        )
        done.append(("device", d.id, put_device(connection, enrolled)))
    for a in roster.accounts:
        account = Account(
            id=a.id,
            name=a.name,
            roles=a.roles,
            name_latin=a.name_latin,
            resident=a.resident,
            stations=a.stations,
            disabled_at=(disabled_at(connection, a.id) or now) if a.disabled else None,
        )
        done.append(
            ("account", a.id, put_account(connection, account, hashes.get(a.id)))
        )
    return done


def _check_references(connection: Connection, roster: Roster) -> None:
    residents = _Known(connection, resident, {r.id for r in roster.residents})
    teams = _Known(connection, care_team, {t.id for t in roster.teams})
    stations = _Known(connection, station, {s.id for s in roster.stations})
    for number, c in enumerate(roster.contracts):
        residents.need(c.resident, f"contracts[{number}].resident")
        teams.need(c.team, f"contracts[{number}].team")
    for number, d in enumerate(roster.devices):
        if d.station:
            stations.need(d.station, f"devices[{number}].station")
        for place, slot in enumerate(d.slots):
            residents.need(slot.resident, f"devices[{number}].slots[{place}].resident")
    for number, a in enumerate(roster.accounts):
        if a.resident is not None:
            residents.need(a.resident, f"accounts[{number}].resident")
        for place, name in enumerate(a.stations):
            stations.need(name, f"accounts[{number}].stations[{place}]")


class _Known:
    """Ids that exist: in the roster, or in the database."""

    def __init__(self, connection: Connection, table: Table, ids: set[str]) -> None:
        self._connection = connection
        self._column = table.c.id
        self._ids = ids

    def need(self, id_: str, field: str) -> None:
        """Refuse a reference to nothing."""
        if id_ in self._ids:
            return
        found = self._connection.execute(
            select(self._column).where(self._column == id_)
        ).scalar_one_or_none()
        if found is None:
            raise RequestError(
                f"{field}: no such entry.", remedy="Add it, or correct the reference."
            )
        self._ids.add(id_)
