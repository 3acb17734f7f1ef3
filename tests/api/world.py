"""A hub in one temporary database, with invented people and parts that behave.

Team east: family doctor ``dr.east``, specialist ``sp.east``. Team west: ``dr.west``.
Resident r-1 is under contract with east, r-2 with west, r-3's contract with east has
expired. Station kiosk-1 is ``op.one``'s, kiosk-2 is ``op.two``'s.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, insert, update

from api.app import create_app
from api.settings import ApiSettings
from gateway.clock import ManualClock
from gateway.database.engine import Database
from gateway.database.tables import (
    dead_letter,
    measurement_session,
    metadata,
)
from gateway.database.tables.base import to_us
from gateway.model.alert import (
    Alert,
)
from gateway.model.observation import (
    Observation,
)
from gateway.model.waveform import WaveformChunk
from gateway.records.accounts import Accounts, Passwords
from gateway.records.enrolment import apply_roster
from gateway.records.roster import parse_roster
from gateway.services.bundle import Ports, Services, build_services
from tests.api.fakes import Broker, Desk, Link, Log, Replay
from tests.api.samples import NOW, make_alert, write_alert

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
