"""Whose readings one may see: a role alone grants nothing."""

from datetime import timedelta

import pytest

from gateway.model.alert import AlertState, Outcome
from tests.api.samples import NOW, blood_pressure, ecg
from tests.api.world import World

VALUES = (
    "/api/v1/residents/{0}",
    "/api/v1/residents/{0}/latest",
    "/api/v1/residents/{0}/recent",
    "/api/v1/residents/{0}/readings?metric=systolic",
    "/api/v1/residents/{0}/windows?metric=systolic&width=3600",
    "/api/v1/residents/{0}/waveforms",
)


async def statuses(world: World, account: str, resident: str) -> set[int]:
    async with await world.sign_in(account) as client:
        return {
            (await client.get(path.format(resident))).status_code for path in VALUES
        }


async def listed(world: World, account: str) -> list[str]:
    async with await world.sign_in(account) as client:
        answer = await client.get("/api/v1/residents")
        return [r["id"] for r in answer.json()["items"]]


async def test_doctor_sees_own_contracts_only(world: World) -> None:
    assert await statuses(world, "dr.east", "r-1") == {200}
    assert await statuses(world, "dr.east", "r-2") == {404}
    assert await statuses(world, "dr.west", "r-1") == {404}
    assert await listed(world, "dr.east") == ["r-1"]


async def test_not_yours_looks_like_not_there(world: World) -> None:
    async with await world.sign_in("dr.east") as client:
        hers = await client.get("/api/v1/residents/r-2")
        nobodys = await client.get("/api/v1/residents/r-999")
    assert hers.json() == nobodys.json()


async def test_contract_ends_with_its_last_day(world: World) -> None:
    # r-3's contract ended on 1 March; now is 2 March, 16:00 in Shanghai.
    assert await statuses(world, "dr.east", "r-3") == {404}
    world.clock.step_wall_clock(-86_400)
    assert await statuses(world, "dr.east", "r-3") == {200}


async def test_contract_day_is_the_sites(world: World) -> None:
    # 1 March 23:59 in Shanghai is 15:59 UTC, the last minute of the contract.
    world.clock.step_wall_clock(-(16 * 3600 + 60))
    assert await statuses(world, "dr.east", "r-3") == {200}
    world.clock.step_wall_clock(120)
    assert await statuses(world, "dr.east", "r-3") == {404}


async def test_open_alert_outlives_the_contract(world: World) -> None:
    alert = await world.raise_alert(resident="r-3", team="east")
    assert await statuses(world, "dr.east", "r-3") == {200}
    assert await listed(world, "dr.east") == ["r-1", "r-3"]
    async with await world.sign_in("dr.east") as client:
        closed = await client.post(
            f"/api/v1/alerts/{alert.id}/close",
            json={"version": 1, "outcome": "phoned"},
        )
        assert closed.status_code == 200
    assert await statuses(world, "dr.east", "r-3") == {404}


async def test_resident_sees_only_themselves(world: World) -> None:
    assert await statuses(world, "res.one", "r-1") == {200}
    assert await statuses(world, "res.one", "r-2") == {404}
    assert await listed(world, "res.one") == ["r-1"]


async def test_specialist_needs_a_referral(world: World) -> None:
    assert await statuses(world, "sp.east", "r-1") == {404}
    assert await listed(world, "sp.east") == []
    await world.raise_alert(
        resident="r-1", state=AlertState.CLOSED, outcome=Outcome.REFERRED
    )
    assert await statuses(world, "sp.east", "r-1") == {200}
    assert await listed(world, "sp.east") == ["r-1"]
    world.clock.step_wall_clock(91 * 86_400)
    world.tokens.clear()  # the token has expired as well
    assert await statuses(world, "sp.east", "r-1") == {404}


async def test_specialist_sees_what_was_escalated_to_them(world: World) -> None:
    await world.raise_alert(resident="r-1", assignee="sp.east")
    assert await statuses(world, "sp.east", "r-1") == {200}
    assert await statuses(world, "sp.east", "r-2") == {404}


@pytest.mark.parametrize("account", ["op.one", "mg.one"])
async def test_operator_sees_the_open_session_from_its_beginning(
    world: World, account: str
) -> None:
    await world.add(blood_pressure(30), blood_pressure(1), ecg(0))
    assert await statuses(world, account, "r-1") == {404}
    session = await world.open_session("r-1", at=NOW - timedelta(minutes=2))
    assert await statuses(world, account, "r-1") == {200}
    assert await statuses(world, account, "r-2") == {404}
    async with await world.sign_in(account) as client:
        page = await client.get("/api/v1/residents/r-1/readings?metric=systolic")
        recent = await client.get("/api/v1/residents/r-1/recent")
        latest = await client.get("/api/v1/residents/r-1/latest")
        strips = await client.get("/api/v1/residents/r-1/waveforms")
        before = await client.get(f"/api/v1/readings/{blood_pressure(30).id}")
        during = await client.get(f"/api/v1/readings/{blood_pressure(1).id}")
        samples = await client.get("/api/v1/waveforms/ecg-1?kind=ecg_lead_ii")
    assert [p["value"] for p in page.json()["items"]] == ["121"]
    assert len(recent.json()["items"]) == 1
    assert latest.json()["points"]["systolic"]["value"] == "121"
    assert strips.json()["items"] == []
    assert (before.status_code, during.status_code) == (404, 200)
    assert samples.status_code == 404
    await world.close_session(session)
    assert await statuses(world, account, "r-1") == {404}


async def test_session_at_another_station_grants_nothing(world: World) -> None:
    await world.open_session("r-1", station="kiosk-2")
    assert await statuses(world, "op.one", "r-1") == {404}


@pytest.mark.parametrize("account", ["admin", "auditor"])
async def test_no_clinical_values_for_administration(
    world: World, account: str
) -> None:
    assert await statuses(world, account, "r-1") == {403}


async def test_administrator_lists_without_clinical_fields(world: World) -> None:
    async with await world.sign_in("admin") as client:
        items = (await client.get("/api/v1/residents")).json()["items"]
    assert [r["id"] for r in items] == ["r-1", "r-2", "r-3"]
    assert {r["diagnoses"] for r in items} == {None}
    assert {r["spo2_scale"] for r in items} == {None}


async def test_views_are_audited_once_in_a_while(world: World) -> None:
    for _ in range(3):
        await statuses(world, "dr.east", "r-1")
    entries = await world.services.audit.entries(after=0, limit=100)
    views = [e for e in entries if e.act.action == "resident.view"]
    assert [(v.act.actor, v.act.resident) for v in views] == [("dr.east", "r-1")]
    world.clock.advance(901)
    await statuses(world, "dr.east", "r-1")
    entries = await world.services.audit.entries(after=0, limit=100)
    assert sum(e.act.action == "resident.view" for e in entries) == 2


async def test_alerts_of_other_teams_are_not_there(world: World) -> None:
    alert = await world.raise_alert()
    for account, status in (("dr.east", 200), ("dr.west", 404), ("op.one", 404)):
        async with await world.sign_in(account) as client:
            answer = await client.get(f"/api/v1/alerts/{alert.id}")
            assert answer.status_code == status, account
            acted = await client.post(
                f"/api/v1/alerts/{alert.id}/accept", json={"version": 9}
            )
            assert acted.status_code == (409 if status == 200 else 404)


async def test_technical_alerts_go_to_the_station(world: World) -> None:
    alert = await world.raise_alert(
        resident="", team="", assignee="", kind="technical", station="kiosk-1"
    )
    path = f"/api/v1/alerts/{alert.id}"
    seen = {}
    for account in ("op.one", "op.two", "mg.one", "admin", "dr.east"):
        async with await world.sign_in(account) as client:
            ids = [
                a["id"] for a in (await client.get("/api/v1/alerts")).json()["items"]
            ]
            status = (await client.get(path)).status_code
            assert (str(alert.id) in ids) == (status == 200)
            seen[account] = status
    assert seen == {
        "op.one": 200, "op.two": 404, "mg.one": 200, "admin": 200, "dr.east": 404,
    }  # fmt: skip
    async with await world.sign_in("op.one") as client:
        accepted = await client.post(f"{path}/accept", json={"version": 1})
    assert accepted.status_code == 200
