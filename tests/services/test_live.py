"""The feed's ring, and that a failing database does not end it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from gateway.services.live import FeedEntry
from tests.api.world import World


async def ready(world: World) -> None:
    """Wait until the feed knows where it stands."""
    async with asyncio.timeout(10):
        while world.services.live.since(0) is None:
            await asyncio.sleep(0.01)


async def test_order_and_ring(world: World) -> None:
    feed = world.services.live
    told: list[FeedEntry] = []
    feed.listen(told.extend)
    assert feed.since(0) is None  # not started: nothing is known
    task = asyncio.create_task(feed.run())
    await ready(world)
    for _ in range(20):
        await world.raise_alert()
    async with asyncio.timeout(10):
        while len(told) < 20:
            await asyncio.sleep(0.01)
    seqs = [e.seq for e in told]
    assert seqs == sorted(set(seqs))
    assert feed.since(seqs[4]) == told[5:]
    assert feed.since(feed.seq) == []
    assert feed.since(feed.seq + 1) is None  # not ours: from another hub's life
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_was_before_the_start_is_not_in_the_ring(world: World) -> None:
    await world.raise_alert()
    await world.services.live.start()
    assert world.services.live.since(0) is None
    assert world.services.live.since(1) == []


async def test_a_busy_database_delays_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.services.live.LOOK_EVERY_S", 0.01)
    feed = world.services.live
    await feed.start()
    real = world.database.read
    failing = 3

    async def read(work: Any) -> Any:
        nonlocal failing
        if failing:
            failing -= 1
            raise OperationalError("SELECT", {}, Exception("locked"))
        return await real(work)

    told: list[FeedEntry] = []
    feed.listen(told.extend)
    await world.raise_alert()
    monkeypatch.setattr(world.database, "read", read)
    task = asyncio.create_task(feed.run())
    async with asyncio.timeout(10):
        while not told:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert feed.failures == 3
    assert len(told) == 1
