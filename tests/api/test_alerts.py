"""The worklist over HTTP: order, versions, conflicts."""

from datetime import timedelta

from gateway.model.alert import AlertState, Level
from tests.api.samples import NOW
from tests.api.world import World


async def test_worklist_is_ordered_by_urgency_then_newest(world: World) -> None:
    old = await world.raise_alert(level=Level.HIGH, at=NOW - timedelta(hours=2))
    low = await world.raise_alert(level=Level.LOW, at=NOW)
    new = await world.raise_alert(level=Level.HIGH, at=NOW - timedelta(hours=1))
    await world.raise_alert(team="west", resident="r-2")
    await world.raise_alert(state=AlertState.CLOSED)
    async with await world.sign_in("dr.east") as client:
        items = (await client.get("/api/v1/alerts")).json()["items"]
        high = (await client.get("/api/v1/alerts?level=high")).json()["items"]
        closed = (await client.get("/api/v1/alerts?state=closed")).json()["items"]
    assert [a["id"] for a in items] == [str(new.id), str(old.id), str(low.id)]
    assert len(high) == 2
    assert len(closed) == 1
    assert items[0]["resident"] == {
        "id": "r-1",
        "name": "虚构甲",
        "name_latin": "Aspen Sample",
    }


async def test_pages_hold_each_alert_once(world: World) -> None:
    made = [
        await world.raise_alert(
            level=Level.MEDIUM if n % 3 else Level.HIGH,
            at=NOW - timedelta(minutes=n // 2),
        )
        for n in range(11)
    ]
    seen: list[str] = []
    cursor = ""
    async with await world.sign_in("dr.east") as client:
        while True:
            page = (await client.get(f"/api/v1/alerts?limit=3&cursor={cursor}")).json()
            seen += [a["id"] for a in page["items"]]
            cursor = page["next"]
            if not cursor:
                break
    assert sorted(seen) == sorted(str(a.id) for a in made)
    assert len(seen) == len(set(seen))


async def test_accept_then_close(world: World) -> None:
    alert = await world.raise_alert()
    path = f"/api/v1/alerts/{alert.id}"
    async with await world.sign_in("dr.east") as client:
        read = await client.get(path)
        assert read.headers["etag"] == '"1"'
        accepted = await client.post(
            f"{path}/accept", json={}, headers={"if-match": read.headers["etag"]}
        )
        assert accepted.status_code == 200
        assert accepted.json()["accepted_by"] == "dr.east"
        assert accepted.headers["etag"] == '"2"'
        closed = await client.post(
            f"{path}/close", json={"version": 2, "outcome": "visited", "note": "ok"}
        )
    assert closed.json()["state"] == "closed"
    assert closed.json()["outcome"] == "visited"
    acts = [e.act for e in await world.services.audit.entries(after=0, limit=100)]
    assert [a.action for a in acts if a.action.startswith("alert.")] == [
        "alert.accept",
        "alert.close",
    ]


async def test_a_stale_version_gets_the_fresh_state(world: World) -> None:
    alert = await world.raise_alert()
    path = f"/api/v1/alerts/{alert.id}"
    async with await world.sign_in("dr.east") as client:
        await client.post(f"{path}/accept", json={"version": 1})
        stale = await client.post(f"{path}/accept", json={"version": 1})
        assert stale.status_code == 409
        assert stale.headers["content-type"] == "application/problem+json"
        current = stale.json()["current"]
        assert current == (await client.get(path)).json()
        assert (current["version"], current["state"]) == (2, "accepted")


async def test_accepting_a_closed_alert_never_opens_it_again(world: World) -> None:
    alert = await world.raise_alert()
    path = f"/api/v1/alerts/{alert.id}"
    async with await world.sign_in("dr.east") as client:
        await client.post(f"{path}/close", json={"version": 1, "outcome": "phoned"})
        late = await client.post(f"{path}/accept", json={"version": 2})
        assert late.status_code == 409
        assert late.json()["current"]["state"] == "closed"
        assert (await client.get(path)).json()["state"] == "closed"


async def test_versions_are_asked_for_and_must_agree(world: World) -> None:
    alert = await world.raise_alert()
    path = f"/api/v1/alerts/{alert.id}/accept"
    async with await world.sign_in("dr.east") as client:
        missing = await client.post(path, json={})
        differing = await client.post(
            path, json={"version": 1}, headers={"if-match": '"2"'}
        )
        nonsense = await client.post(path, json={}, headers={"if-match": "*"})
    assert [r.status_code for r in (missing, differing, nonsense)] == [422] * 3


async def test_only_the_engine_says_cleared(world: World) -> None:
    alert = await world.raise_alert()
    async with await world.sign_in("dr.east") as client:
        answer = await client.post(
            f"/api/v1/alerts/{alert.id}/close",
            json={"version": 1, "outcome": "cleared"},
        )
    assert answer.status_code == 422


async def test_specialist_acts_only_on_what_was_escalated(world: World) -> None:
    theirs = await world.raise_alert(assignee="sp.east")
    others = await world.raise_alert()
    async with await world.sign_in("sp.east") as client:
        done = await client.post(
            f"/api/v1/alerts/{theirs.id}/accept", json={"version": 1}
        )
        hidden = await client.post(
            f"/api/v1/alerts/{others.id}/accept", json={"version": 1}
        )
        listed = (await client.get("/api/v1/alerts")).json()["items"]
    assert (done.status_code, hidden.status_code) == (200, 404)
    assert [a["id"] for a in listed] == [str(theirs.id)]


async def test_administrator_watches_technical_alerts_only(world: World) -> None:
    alert = await world.raise_alert(
        resident="", team="", kind="technical", station="kiosk-2"
    )
    async with await world.sign_in("admin") as client:
        listed = (await client.get("/api/v1/alerts")).json()["items"]
        acted = await client.post(
            f"/api/v1/alerts/{alert.id}/accept", json={"version": 1}
        )
    assert [a["id"] for a in listed] == [str(alert.id)]
    assert acted.status_code == 403
