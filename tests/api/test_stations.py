"""Stations, sessions, commands, dead letters, enrolment, health and metrics."""

import base64
from datetime import timedelta

import msgspec
from sqlalchemy import update

from api.app import create_app
from api.settings import ApiSettings
from gateway.database.tables import audit, consumer, log, station
from gateway.database.tables.base import to_us
from gateway.wire.batch import (
    SCHEMA,
    DeviceStatus,
    SessionCommand,
    StationCommand,
    StationStatus,
)
from tests.api.samples import NOW
from tests.api.world import World


async def test_status_depth_and_age(world: World) -> None:
    status = StationStatus(
        schema=SCHEMA,
        station="kiosk-1",
        online=True,
        depth=12,
        oldest_at=NOW - timedelta(seconds=90),
        dead_letters=2,
        devices=[DeviceStatus(id="dev-1", name="Cuff", driver="gatt", state="idle")],
    )
    await world.database.write(
        lambda c: c.execute(
            update(station)
            .where(station.c.id == "kiosk-1")
            .values(status=msgspec.json.encode(status), status_us=to_us(NOW))
        )
    )
    async with await world.sign_in("op.one") as client:
        (mine,) = (await client.get("/api/v1/stations")).json()["items"]
        one = (await client.get("/api/v1/stations/kiosk-1")).json()
        other = await client.get("/api/v1/stations/kiosk-2")
    assert (mine["status"]["depth"], mine["oldest_age_s"]) == (12, 90.0)
    assert one["devices"][0]["slots"] == [{"slot": 1}]
    assert "r-1" not in str(one)
    assert other.status_code == 404
    async with await world.sign_in("admin") as client:
        everywhere = (await client.get("/api/v1/stations")).json()["items"]
    assert [s["id"] for s in everywhere] == ["kiosk-1", "kiosk-2"]
    assert everywhere[1]["status"] is None


async def test_session_is_told_to_the_station(world: World) -> None:
    path = "/api/v1/stations/kiosk-1/session"
    async with await world.sign_in("op.one") as client:
        opened = await client.post(
            path, json={"resident": "r-1", "identified_by": "id-card"}
        )
        assert opened.status_code == 202
        closed = await client.delete(f"{path}?abort=true")
        assert closed.status_code == 202
        nobody = await client.post(path, json={"resident": "r-9"})
        elsewhere = await client.post(
            "/api/v1/stations/kiosk-2/session", json={"resident": "r-1"}
        )
        slot = await client.post(
            path, json={"resident": "r-1", "identified_by": "device-slot"}
        )
    (place, first), (_, second) = world.link.sent
    assert place == "kiosk-1"
    assert isinstance(first, SessionCommand)
    assert isinstance(second, SessionCommand)
    assert (first.action, first.resident, first.by) == ("open", "r-1", "op.one")
    assert first.session == opened.json()["session"]
    assert (second.action, second.resident) == ("abort", "")
    assert [r.status_code for r in (nobody, elsewhere, slot)] == [404, 404, 422]


async def test_session_state_is_the_stations(world: World) -> None:
    path = "/api/v1/stations/kiosk-1/session"
    async with await world.sign_in("op.one") as client:
        assert (await client.get(path)).json()["session"] is None
        session = await world.open_session("r-1")
        state = (await client.get(path)).json()
    assert (state["session"], state["resident"]) == (session, "r-1")


async def test_command_is_audited_and_soon_void(world: World) -> None:
    path = "/api/v1/stations/kiosk-1/devices/dev-1/commands"
    async with await world.sign_in("op.one") as client:
        sent = await client.post(path, json={"name": "start-blood-pressure"})
        assert sent.status_code == 202
        bad = await client.post(path, json={"name": "Start; rm"})
        assert bad.status_code == 422
        world.link.cut = True
        cut = await client.post(path, json={"name": "start-blood-pressure"})
        assert cut.status_code == 503
    ((_, command),) = world.link.sent
    assert isinstance(command, StationCommand)
    assert command.expires_at == NOW + timedelta(seconds=30)
    acts = [e.act for e in await world.services.audit.entries(after=0, limit=100)]
    commands = [a for a in acts if a.action == "device.command"]
    assert [a.actor for a in commands] == ["op.one", "op.one"]


async def test_dead_letters_without_their_bytes(world: World) -> None:
    letter = await world.add_dead_letter()
    async with await world.sign_in("admin") as client:
        page = await client.get("/api/v1/dead-letters")
        (item,) = page.json()["items"]
        assert (item["reason"], item["size"], item["count"]) == ("signature", 14, 3)
        assert "secret" not in page.text
        done = await client.post(f"/api/v1/dead-letters/{letter}/replay")
        assert done.json() == {"understood": False}
        gone = await client.post("/api/v1/dead-letters/999/replay")
        assert gone.status_code == 404


async def test_enrol_station(world: World) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    entry = {"id": "bag-1", "site": "site-a", "setting": "visit", "public_key": key}
    async with await world.sign_in("admin") as client:
        done = (await client.put("/api/v1/stations/bag-1", json=entry)).json()
        assert done["station"]["enrolled"] is True
        assert world.broker.passwords["site-a/bag-1"] == done["mqtt_password"]
        mismatch = await client.put("/api/v1/stations/bag-2", json=entry)
        short = await client.put(
            "/api/v1/stations/bag-1", json={**entry, "public_key": "AAAA"}
        )
    assert (mismatch.status_code, short.status_code) == (422, 422)


async def test_enrol_people_over_the_api(world: World) -> None:
    async with (
        await world.sign_in("admin") as admin,
        await world.sign_in("dr.east") as doctor,
    ):
        resident = {"id": "r-4", "name": "虚构丁"}
        put = await admin.put("/api/v1/residents/r-4", json=resident)
        assert put.json() == {"entries": 1, "changed": 1}
        again = await admin.put("/api/v1/residents/r-4", json=resident)
        assert again.json() == {"entries": 1, "changed": 0}
        assert (await doctor.get("/api/v1/residents/r-4")).status_code == 404
        contract = {
            "id": "c-4",
            "resident": "r-4",
            "team": "east",
            "package": "diabetes",
            "starts": "2026-03-01",
        }
        await admin.put("/api/v1/contracts/c-4", json=contract)
        assert (await doctor.get("/api/v1/residents/r-4")).status_code == 200
        lost = await admin.put(
            "/api/v1/contracts/c-5", json={**contract, "id": "c-5", "team": "north"}
        )
        assert lost.status_code == 422
        assert "contracts[0].team" in lost.json()["detail"]
        nothing = await admin.post(
            "/api/v1/roster",
            json={"residents": [{"id": "r-5", "name": "x"}], "contracts": [
                {**contract, "id": "c-6", "team": "north"}]},
        )  # fmt: skip
        assert nothing.status_code == 422
        listed = (await admin.get("/api/v1/residents")).json()["items"]
        assert "r-5" not in [r["id"] for r in listed]  # all or none


async def test_audit_is_read_and_proven(world: World) -> None:
    async with await world.sign_in("auditor") as client:
        page = (await client.get("/api/v1/audit?limit=1")).json()
        assert page["items"][0]["action"] == "token.issue"
        proof = (await client.get("/api/v1/audit/verify")).json()
        assert proof == {"intact": True, "first_bad": None}
        first = page["items"][0]["seq"]
        await world.database.write(
            lambda c: c.execute(
                update(audit).where(audit.c.seq == first).values(actor="somebody")
            )
        )
        broken = (await client.get("/api/v1/audit/verify")).json()
        assert broken == {"intact": False, "first_bad": first}


async def test_ready_names_what_is_not(world: World) -> None:
    async with world.client() as client:
        assert (await client.get("/health/live")).json()["ok"] is True
        assert (await client.get("/health/ready")).status_code == 200
        world.link.cut = True
        down = await client.get("/health/ready")
        assert down.status_code == 503
        failed = [c["name"] for c in down.json()["checks"] if not c["ok"]]
        assert failed == ["broker"]


async def test_ready_watches_consumers(world: World) -> None:
    await world.database.write(
        lambda c: (
            c.execute(
                log.insert().values(
                    seq=20_001,
                    id=bytes(16),
                    type="event",
                    station="kiosk-1",
                    received_us=0,
                    body=b"{}",
                )
            ),
            c.execute(consumer.insert().values(name="rules", cursor=1)),
        )
    )
    async with world.client() as client:
        checks = (await client.get("/health/ready")).json()["checks"]
    rules = next(c for c in checks if c["name"] == "consumer:rules")
    assert rules == {"name": "consumer:rules", "ok": False, "detail": "lag=20000"}


async def test_metrics_for_this_machine_or_the_token(world: World) -> None:
    world.app = create_app(world.services, ApiSettings(metrics_token="metrics-secret"))
    async with world.client() as client:
        await client.get("/health/live")
        local = await client.get("/metrics")
        assert 'route="/health/live"' in local.text
        proxied = {"x-forwarded-for": "203.0.113.9"}
        assert (await client.get("/metrics", headers=proxied)).status_code == 404
        wrong = {**proxied, "authorization": "Bearer guess"}
        assert (await client.get("/metrics", headers=wrong)).status_code == 404
        right = {**proxied, "authorization": "Bearer metrics-secret"}
        assert (await client.get("/metrics", headers=right)).status_code == 200
    world.app = create_app(world.services, ApiSettings())
    async with world.client() as client:
        empty = {**proxied, "authorization": "Bearer "}
        assert (await client.get("/metrics", headers=empty)).status_code == 404
