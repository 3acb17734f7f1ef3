"""A hub in one temporary database, with invented people and parts that behave.

Team east: family doctor ``dr.east``, specialist ``sp.east``. Team west: ``dr.west``.
Resident r-1 is under contract with east, r-2 with west, r-3's contract with east has
expired. Station kiosk-1 is ``op.one``'s, kiosk-2 is ``op.two``'s.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx
import msgspec
from argon2 import PasswordHasher
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, insert, select, update

from api.app import create_app
from api.settings import ApiSettings
from gateway.clock import ManualClock
from gateway.codes import reading
from gateway.database.engine import Database
from gateway.database.tables import (
    alert,
    alert_change,
    dead_letter,
    log,
    measurement_session,
    metadata,
)
from gateway.database.tables.base import to_us
from gateway.errors import ConflictError, LinkClosedError, NotFoundError
from gateway.model.alert import (
    Alert,
    AlertState,
    Confirmation,
    Evidence,
    Level,
    Outcome,
)
from gateway.model.observation import (
    OBSERVATION_NAMESPACE,
    Component,
    Observation,
    Quantity,
    Setting,
    TimeQuality,
)
from gateway.model.people import Station
from gateway.model.session import Attribution
from gateway.model.waveform import WaveformChunk, chunk_id, pack_samples
from gateway.ports.log import LogEntry
from gateway.records.accounts import Accounts, Passwords
from gateway.records.enrolment import apply_roster
from gateway.records.roster import parse_roster
from gateway.records.unclaimed import UnclaimedReadings
from gateway.services.bundle import Ports, Services, build_services
from gateway.stores.series_sql import SqlSeries
from gateway.wire.batch import SessionCommand, StationCommand, encode_body

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PASSWORD = "invented-password"
# The real cost would make each log-in of a test 50 ms; the code path is the same.
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

ROSTER: dict[str, Any] = {
    "residents": [
        {"id": "r-1", "name": "虚构甲", "name_latin": "Aspen Sample",
         "birth_date": "1950-01-02", "diagnoses": ["hypertension"]},
        {"id": "r-2", "name": "虚构乙", "name_latin": "Birch Sample"},
        {"id": "r-3", "name": "虚构丙", "name_latin": "Cedar Sample"},
    ],
    "teams": [
        {"id": "east", "name": "东队", "members": [
            {"account": "dr.east", "role": "family-doctor"},
            {"account": "sp.east", "role": "specialist"}]},
        {"id": "west", "name": "西队", "members": [
            {"account": "dr.west", "role": "family-doctor"}]},
    ],
    "contracts": [
        {"id": "c-1", "resident": "r-1", "team": "east", "package": "hypertension",
         "starts": "2026-01-01"},
        {"id": "c-2", "resident": "r-2", "team": "west", "package": "diabetes",
         "starts": "2026-01-01", "ends": "2026-12-31"},
        {"id": "c-3", "resident": "r-3", "team": "east", "package": "hypertension",
         "starts": "2025-01-01", "ends": "2026-03-01"},
    ],
    "stations": [
        {"id": "kiosk-1", "site": "site-a", "name": "Kiosk one"},
        {"id": "kiosk-2", "site": "site-a", "name": "Kiosk two"},
    ],
    "devices": [
        {"id": "dev-1", "model": "Cuff", "station": "kiosk-1",
         "slots": [{"slot": 1, "resident": "r-1"}]},
    ],
    "accounts": [
        {"id": "dr.east", "name": "Doctor East", "roles": ["doctor"]},
        {"id": "dr.west", "name": "Doctor West", "roles": ["doctor"]},
        {"id": "sp.east", "name": "Specialist East", "roles": ["specialist"]},
        {"id": "op.one", "name": "Operator One", "roles": ["operator"],
         "stations": ["kiosk-1"]},
        {"id": "op.two", "name": "Operator Two", "roles": ["operator"],
         "stations": ["kiosk-2"]},
        {"id": "mg.one", "name": "Manager One", "roles": ["manager"],
         "stations": ["kiosk-1"]},
        {"id": "res.one", "name": "Resident One", "roles": ["resident"],
         "resident": "r-1"},
        {"id": "admin", "name": "Administrator", "roles": ["administrator"]},
        {"id": "auditor", "name": "Auditor", "roles": ["auditor"]},
    ],
}  # fmt: skip

# One account of each role, as the role matrix uses them.
BY_ROLE = {
    "resident": "res.one",
    "operator": "op.one",
    "manager": "mg.one",
    "doctor": "dr.east",
    "specialist": "sp.east",
    "administrator": "admin",
    "auditor": "auditor",
}


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


@dataclass(kw_only=True)
class World:
    """Everything a test touches."""

    database: Database
    clock: ManualClock
    services: Services
    log: Log
    desk: Desk
    link: Link
    broker: Broker
    app: FastAPI
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self) -> httpx.AsyncClient:
        """A browser without a log-in."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://hub.test",
            headers={"accept-language": "en"},
        )

    async def sign_in(self, account: str) -> httpx.AsyncClient:
        """A program with a token of the account."""
        client = self.client()
        if account not in self.tokens:
            async with self.client() as first:
                answer = await first.post(
                    "/api/v1/tokens",
                    json={"account": account, "password": PASSWORD, "label": "test"},
                )
            assert answer.status_code == 201, answer.text
            self.tokens[account] = answer.json()["token"]
        client.headers["authorization"] = f"Bearer {self.tokens[account]}"
        return client

    async def add(
        self, *bodies: Observation | WaveformChunk, station: str = "kiosk-1"
    ) -> None:
        """Into the log, and through its consumers."""

        def put(connection: Connection) -> None:
            for body in bodies:
                type_ = "reading" if isinstance(body, Observation) else "waveform"
                self.log.put(connection, body, type_, station)

        await self.database.write(put)

    async def raise_alert(self, **fields: Any) -> Alert:
        """A new alert, announced."""
        fresh = make_alert(**fields)
        await self.database.write(lambda c: write_alert(c, fresh, "raised"))
        self.desk.announce([fresh])
        return fresh

    async def open_session(
        self, resident: str, *, station: str = "kiosk-1", at: datetime = NOW
    ) -> str:
        """As the station reports it."""
        id_ = f"s-{station}-{resident}"
        await self.database.write(
            lambda c: c.execute(
                insert(measurement_session).values(
                    id=id_,
                    station=station,
                    resident=resident,
                    identified_by="id-card",
                    opened_by="",
                    opened_us=to_us(at),
                )
            )
        )
        return id_

    async def close_session(self, id_: str) -> None:
        """As the station reports it."""
        await self.database.write(
            lambda c: c.execute(
                update(measurement_session)
                .where(measurement_session.c.id == id_)
                .values(closed_us=to_us(NOW), end="finished")
            )
        )

    async def add_dead_letter(self) -> int:
        """A message that was not understood."""
        result = await self.database.write(
            lambda c: (
                c.execute(
                    insert(dead_letter).values(
                        digest=bytes(32),
                        topic="vitalgate/v1/site-a/kiosk-1/up/readings",
                        station="kiosk-1",
                        reason="signature",
                        detail="sig: the signature does not verify.",
                        payload=b"secret-reading",
                        first_us=to_us(NOW),
                        last_us=to_us(NOW),
                        count=3,
                    )
                ).inserted_primary_key
            )
        )
        assert result is not None
        return int(result[0])


async def make_world(
    tmp_path: Path, *, settings: ApiSettings | None = None, zone_epoch: str = "epoch1"
) -> World:
    """A hub with the roster loaded."""
    database = Database(f"sqlite:///{tmp_path / 'hub.db'}")
    await database.write(metadata.create_all)
    clock = ManualClock(NOW)
    passwords = Passwords(FAST)
    roster = {
        **ROSTER,
        "accounts": [{**a, "password": PASSWORD} for a in ROSTER["accounts"]],
    }
    await apply_roster(database, parse_roster(roster), passwords=passwords, clock=clock)
    desk, link, book, broker = Desk(database, clock), Link(), Log(database), Broker()
    services = build_services(
        database,
        clock,
        Ports(
            series=book.series,
            desk=desk,
            link=link,
            attributions=book,
            replay=Replay(),
            broker_accounts=broker,
            broker_connected=lambda: not link.cut,
        ),
        accounts=Accounts(database, clock, passwords=passwords),
        epoch=zone_epoch,
    )
    desk.announce = services.live.announce
    return World(
        database=database,
        clock=clock,
        services=services,
        log=book,
        desk=desk,
        link=link,
        broker=broker,
        app=create_app(services, settings or ApiSettings(), CollectorRegistry()),
    )


def blood_pressure(
    number: int,
    *,
    subject: str | None = "r-1",
    station: str = "kiosk-1",
    at: datetime | None = None,
) -> Observation:
    """One blood pressure, ``number`` minutes before now unless ``at`` is given."""
    taken = at or NOW - timedelta(minutes=number)
    values = {"systolic": 120 + number, "diastolic": 80, "pulse_rate_cuff": 70}
    return Observation(
        id=uuid5(OBSERVATION_NAMESPACE, f"bp-{number}-{subject}-{station}-{taken}"),
        kind="blood_pressure_panel",
        code=reading("blood_pressure_panel").mdc,
        components=tuple(
            Component(
                name=name,
                code=reading(name).mdc,
                quantity=Quantity(unit=reading(name).unit or "", value=Decimal(value)),
            )
            for name, value in values.items()
        ),
        device="dev-1",
        station=station,
        received_at=taken,
        taken_at=taken,
        time_quality=TimeQuality.RECEIVED,
        setting=Setting.KIOSK,
        raw=b"\x16" + number.to_bytes(2, "little"),
        driver="test/1",
        subject=subject,
    )


def ecg(
    index: int,
    *,
    stream: str = "ecg-1",
    subject: str | None = "r-1",
    counts: list[int] | None = None,
    rate: float = 100,
    gap: int = 0,
) -> WaveformChunk:
    """Ten seconds of one lead at 100 Hz, from sample ``index`` on."""
    values = counts or [index % 7 + i % 50 for i in range(1000)]
    return WaveformChunk(
        id=chunk_id(stream, "ecg_lead_ii", index),
        stream=stream,
        kind="ecg_lead_ii",
        code=reading("ecg_lead_ii").mdc,
        device="dev-1",
        station="kiosk-1",
        received_at=NOW,
        t0=NOW - timedelta(minutes=5) + timedelta(seconds=index / rate),
        index=index,
        rate=rate,
        scale=0.0025,
        baseline=10,
        unit="mV",
        count=len(values),
        samples=pack_samples(values),
        setting=Setting.KIOSK,
        driver="test/1",
        gap_before=gap,
        subject=subject,
    )


_numbers = iter(range(1, 1_000_000))


def make_alert(  # noqa: PLR0913 - a builder
    *,
    resident: str = "r-1",
    team: str = "east",
    level: Level = Level.HIGH,
    state: AlertState = AlertState.RAISED,
    assignee: str = "dr.east",
    kind: str = "physiological",
    station: str = "",
    at: datetime = NOW,
    outcome: Outcome | None = None,
    note: str = "",
) -> Alert:
    """An alert of its own rule, so that keys never collide."""
    number = next(_numbers)
    return Alert(
        id=uuid5(OBSERVATION_NAMESPACE, f"alert-{number}"),
        key=f"{resident}|rule-{number}",
        rule="bp.crisis",
        rule_version="1",
        resident=resident,
        level=level,
        state=state,
        confirmation=Confirmation.UNCONFIRMED,
        version=1,
        raised_at=at,
        updated_at=at,
        evidence=(
            Evidence(
                observation=UUID(int=number), taken_at=at, values={"systolic": "186"}
            ),
        ),
        team=team,
        assignee=assignee,
        kind=kind,
        station=station,
        outcome=outcome,
        note=note,
    )


def write_alert(connection: Connection, fresh: Alert, change: str) -> None:
    """The alert as it is now, and the change that made it so."""
    body = msgspec.json.encode(fresh)
    values = {
        "key": fresh.key,
        "resident": fresh.resident,
        "team": fresh.team,
        "assignee": fresh.assignee,
        "level": fresh.level.rank,
        "state": fresh.state.value,
        "version": fresh.version,
        "raised_us": to_us(fresh.raised_at),
        "updated_us": to_us(fresh.updated_at),
        "body": body,
    }
    held = connection.execute(
        update(alert).where(alert.c.id == fresh.id.bytes).values(**values)
    )
    if not held.rowcount:
        connection.execute(insert(alert).values(id=fresh.id.bytes, **values))
    connection.execute(
        insert(alert_change).values(
            alert=fresh.id.bytes,
            change=change,
            at_us=to_us(fresh.updated_at),
            by="",
            body=body,
        )
    )
