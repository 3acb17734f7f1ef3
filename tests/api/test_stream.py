"""The live feed against a real server: replay, epochs, audiences, slow clients."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from api.auth import COOKIE
from api.settings import ApiSettings
from gateway.model.alert import AlertState, Level, Outcome
from gateway.records.access import audience_of
from tests.api.serving import PATIENCE_S, Served, serve
from tests.api.world import PASSWORD, World, make_world

QUICK = ApiSettings(beat_s=0.05, coalesce_above=1000)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    world = await make_world(tmp_path, settings=QUICK)
    try:
        async with serve(world) as served:
            yield served
    finally:
        world.database.close()


async def test_snapshot_then_changes_then_beats(served: Served) -> None:
    before = await served.world.raise_alert()
    await served.world.raise_alert(state=AlertState.CLOSED)
    async with served.stream("dr.east") as reader:
        snapshot = await reader.next()
        assert snapshot is not None
        assert snapshot.name == "snapshot"
        assert [a["id"] for a in snapshot.data["alerts"]] == [str(before.id)]
        assert snapshot.id == f"epoch1-{snapshot.data['seq']}"
        fresh = await served.world.raise_alert(level=Level.LOW)
        change = await reader.skip_to("change")
        assert [c["alert"]["id"] for c in change.data["changes"]] == [str(fresh.id)]
        assert change.data["changes"][0]["change"] == "raised"
        assert change.data["seq"] > snapshot.data["seq"]
        beat = await reader.skip_to("beat")
        assert beat.data["seq"] == change.data["seq"]


async def test_each_audience_sees_its_own(served: Served) -> None:
    async with (
        served.stream("dr.east") as east,
        served.stream("dr.west") as west,
        served.stream("op.one") as operator,
        served.stream("admin") as administrator,
    ):
        for reader in (east, west, operator, administrator):
            await reader.skip_to("snapshot")
        a = await served.world.raise_alert(team="east", resident="r-1")
        b = await served.world.raise_alert(team="west", resident="r-2")
        c = await served.world.raise_alert(
            team="", resident="", kind="technical", station="kiosk-1"
        )
        seen = []
        for reader in (east, west, operator, administrator):
            change = await reader.skip_to("change")
            seen.append([x["alert"]["id"] for x in change.data["changes"]])
            assert (await reader.skip_to("beat")).name == "beat"
    assert [str(a.id)] == seen[0]
    assert [str(b.id)] == seen[1]
    assert [str(c.id)] == seen[2] == seen[3]


async def test_new_team_of_a_resident_hears_of_the_old_teams_alert(
    served: Served,
) -> None:
    async with served.stream("dr.west") as west:
        await west.skip_to("snapshot")
        # Raised for team east, while the resident is under contract with west.
        alert = await served.world.raise_alert(team="east", resident="r-2")
        change = await west.skip_to("change")
        assert change.data["changes"][0]["alert"]["id"] == str(alert.id)


async def test_last_event_id_replays_what_was_missed(served: Served) -> None:
    async with served.stream("dr.east") as reader:
        seen = await reader.skip_to("snapshot")
    await served.until_streams(0)
    missed = [await served.world.raise_alert() for _ in range(3)]
    await served.world.raise_alert(team="west", resident="r-2")
    await _told(served, 4)
    async with served.stream("dr.east", last_event_id=seen.id) as reader:
        change = await reader.next()
    assert change is not None
    assert change.name == "change"
    ids = [c["alert"]["id"] for c in change.data["changes"]]
    assert ids == [str(a.id) for a in missed]


async def test_nothing_missed_is_no_snapshot(served: Served) -> None:
    async with served.stream("dr.east") as reader:
        seen = await reader.skip_to("snapshot")
    async with served.stream("dr.east", last_event_id=seen.id) as reader:
        first = await reader.next()
    assert first is not None
    assert first.name == "beat"


@pytest.mark.parametrize(
    "last",
    ["epoch0-1", "epoch1-99999", "epoch1-x", "epoch1--1", "x" * 90, "-", "epoch1-²"],
)
async def test_another_epoch_or_nonsense_gets_a_snapshot(
    served: Served, last: str
) -> None:
    await served.world.raise_alert()
    async with served.stream("dr.east", last_event_id=last) as reader:
        first = await reader.next()
    assert first is not None
    assert first.name == "snapshot"


async def test_ring_that_no_longer_reaches_back_gives_a_snapshot(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = served.world.services.live
    async with served.stream("dr.east") as reader:
        seen = await reader.skip_to("snapshot")
    monkeypatch.setattr("gateway.services.live.MAX_RING", 2)
    feed._ring = type(feed._ring)(maxlen=2)
    for _ in range(4):
        await served.world.raise_alert()
    await _told(served, 4)
    async with served.stream("dr.east", last_event_id=seen.id) as reader:
        first = await reader.next()
    assert first is not None
    assert first.name == "snapshot"


async def test_sign_out_closes_the_stream(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.base, timeout=PATIENCE_S) as browser:
        await browser.post(
            "/api/v1/login", json={"account": "dr.east", "password": PASSWORD}
        )
        cookies = {COOKIE: browser.cookies[COOKIE]}
        async with served.stream("dr.east") as other:  # a token's, which stays
            await other.skip_to("snapshot")
            async with (
                httpx.AsyncClient(
                    base_url=served.base, cookies=cookies, timeout=PATIENCE_S
                ) as tab,
                tab.stream("GET", "/api/v1/stream") as answer,
            ):
                await served.until_streams(2)
                out = await browser.post("/api/v1/logout")
                assert out.status_code == 204
                async with asyncio.timeout(PATIENCE_S):
                    async for _ in answer.aiter_bytes():
                        pass
            await served.until_streams(1)
            assert (await other.skip_to("beat")).name == "beat"


async def test_losing_the_team_closes_the_stream(served: Served) -> None:
    async with (
        served.stream("dr.east") as east,
        served.stream("dr.west") as west,
        await served.world.sign_in("admin") as admin,
    ):
        await east.skip_to("snapshot")
        await west.skip_to("snapshot")
        done = await admin.put(
            "/api/v1/teams/east", json={"id": "east", "name": "东队", "members": []}
        )
        assert done.json()["changed"] == 1
        await east.end()
        assert (await west.skip_to("beat")).name == "beat"


async def test_expired_log_in_closes_the_stream(served: Served) -> None:
    async with served.stream("dr.east") as reader:
        await reader.skip_to("snapshot")
        served.world.clock.advance(91 * 86_400)
        await reader.end()


async def test_slow_client_is_cut_and_others_go_on(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Large frames: the kernel itself takes some megabytes for a connection.
    monkeypatch.setattr("api.live.MAX_FRAMES", 5)
    token = (await served.world.sign_in("dr.east")).headers["authorization"]
    slow = socket.create_connection(("127.0.0.1", served.server.port))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(
        b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: "
        + f"{token}\r\n\r\n".encode()
    )  # and never reads
    try:
        async with served.stream("dr.east") as reader:
            await reader.skip_to("snapshot")
            await served.until_streams(2)
            async with asyncio.timeout(45):
                while served.streams == 2:
                    await served.world.raise_alert(note="x" * 200_000)
                    await reader.skip_to("change")
            last = await served.world.raise_alert()
            change = await reader.skip_to("change")
            assert change.data["changes"][-1]["alert"]["id"] == str(last.id)
    finally:
        slow.close()
    registry = served.world.app.state.metrics.registry
    assert registry.get_sample_value("vitalgate_api_streams_cut_total") == 1


async def test_streams_per_log_in_are_limited(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.live.MAX_PER_LOGIN", 1)
    async with served.stream("dr.east") as reader:
        await reader.skip_to("snapshot")
        async with await served.world.sign_in("dr.east") as client:
            more = await client.get("/api/v1/stream")
    assert more.status_code == 429
    assert more.headers["retry-after"] == "5"


async def test_many_events_are_joined(tmp_path: Path) -> None:
    settings = ApiSettings(beat_s=5, coalesce_above=1, coalesce_s=0.2)
    world = await make_world(tmp_path, settings=settings)
    async with serve(world) as served, served.stream("dr.east") as reader:
        await reader.skip_to("snapshot")
        alert = await world.raise_alert()
        await reader.skip_to("change")
        later = [await world.raise_alert() for _ in range(3)]
        await world.desk.accept(alert.id, account="dr.east", version=1)
        await world.desk.close(
            alert.id, account="dr.east", version=2, outcome=Outcome.PHONED, note=""
        )
        states: dict[str, str] = {}
        frames = 0
        while len(states) < 4 or states[str(alert.id)] != "closed":
            change = await reader.skip_to("change")
            frames += 1
            for c in change.data["changes"]:
                states[c["alert"]["id"]] = c["alert"]["state"]
        assert set(states) == {str(a.id) for a in [alert, *later]}
        assert frames < 5
    world.database.close()


async def test_server_ends_with_an_open_stream(tmp_path: Path) -> None:
    world = await make_world(tmp_path, settings=QUICK)
    async with serve(world) as served, served.stream("dr.east") as reader:
        await reader.skip_to("snapshot")
        served.server.stop()
        await reader.end()
        await served.until_streams(0)
    world.database.close()


async def test_a_change_of_another_process_is_found(served: Served) -> None:
    async with served.stream("dr.east") as reader:
        await reader.skip_to("snapshot")
        served.world.desk.announce = lambda _: None
        alert = await served.world.raise_alert()
        change = await reader.skip_to("change")
    assert change.data["changes"][0]["alert"]["id"] == str(alert.id)


async def _told(served: Served, at_least: int) -> None:
    """Wait until the feed has told that many changes."""
    async with asyncio.timeout(PATIENCE_S):
        while served.world.services.live.seq < at_least:
            await asyncio.sleep(0.01)


async def test_feed_is_not_needed_for_the_snapshot(world: World) -> None:
    alert = await world.raise_alert()
    viewer = await world.services.access.viewer(
        (await world.services.accounts.find("dr.east")) or pytest.fail("no account")
    )
    snapshot = await world.services.live.snapshot(audience_of(viewer))
    assert [c.alert.id for c in snapshot.cards] == [alert.id]
