from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.clock import ManualClock
from gateway.errors import NotFoundError
from gateway.model.observation import Setting
from gateway.model.session import IdentifiedBy, MeasurementSession, SessionEnd
from gateway.ports.journal import EntryType
from gateway.station.journal import SqliteJournal
from gateway.station.sessions import Sessions
from gateway.wire.batch import StationConfig, decode_body
from tests.station.fake_hub import START

CARD = IdentifiedBy.ID_CARD


def make(journal: SqliteJournal, clock: ManualClock) -> Sessions:
    return Sessions(
        journal,
        clock,
        station="kiosk-7",
        setting=Setting.KIOSK,
        idle=timedelta(minutes=5),
    )


@dataclass
class Desk:
    clock: ManualClock
    journal: SqliteJournal
    sessions: Sessions

    async def journaled(self) -> list[tuple[str, SessionEnd | None]]:
        found = []
        for entry in await self.journal.fresh(0, 100):
            assert entry.type is EntryType.SESSION
            body = decode_body("session", entry.body)
            assert isinstance(body, MeasurementSession)
            found.append((body.resident, body.end))
        return found


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = ManualClock(START)
    journal = SqliteJournal(tmp_path / "j.db", quota_bytes=50_000_000)
    yield Desk(clock, journal, make(journal, clock))
    journal.close()


async def test_a_new_card_closes_the_previous_session(desk: Desk) -> None:
    await desk.sessions.open(resident="res-a", identified_by=CARD)
    desk.clock.advance(60)
    second = await desk.sessions.open(resident="res-b", identified_by=CARD, by="op-1")
    assert desk.sessions.current == second
    assert await desk.journaled() == [
        ("res-a", None),
        ("res-a", SessionEnd.NEXT_PERSON),
        ("res-b", None),
    ]


async def test_the_same_card_again_keeps_the_session(desk: Desk) -> None:
    first = await desk.sessions.open(resident="res-a", identified_by=CARD)
    desk.clock.advance(240)
    assert await desk.sessions.open(resident="res-a", identified_by=CARD) == first
    desk.clock.advance(240)
    await desk.sessions.tick()
    assert desk.sessions.current == first


async def test_an_idle_session_is_closed(desk: Desk) -> None:
    await desk.sessions.open(resident="res-a", identified_by=CARD)
    desk.clock.advance(299)
    await desk.sessions.tick()
    assert await desk.journaled() == [("res-a", None)]
    desk.clock.advance(1)
    await desk.sessions.tick()
    assert desk.sessions.current is None
    assert (await desk.journaled())[-1] == ("res-a", SessionEnd.IDLE)


async def test_the_wall_clock_stepping_does_not_end_a_session(desk: Desk) -> None:
    await desk.sessions.open(resident="res-a", identified_by=CARD)
    desk.clock.step_wall_clock(86_400)
    await desk.sessions.tick()
    assert desk.sessions.current is not None


async def test_an_open_session_survives_a_restart(desk: Desk) -> None:
    opened = await desk.sessions.open(resident="res-a", identified_by=CARD)
    desk.clock.advance(60)
    again = make(desk.journal, desk.clock)
    await again.restore()
    assert again.current == opened
    await again.close()
    after = make(desk.journal, desk.clock)
    await after.restore()
    assert after.current is None


async def test_a_session_is_not_taken_up_after_a_long_power_cut(desk: Desk) -> None:
    await desk.sessions.open(resident="res-a", identified_by=CARD)
    desk.clock.advance(3_600)
    again = make(desk.journal, desk.clock)
    await again.restore()
    assert again.current is None
    assert (await desk.journaled())[-1] == ("res-a", SessionEnd.IDLE)


async def test_a_session_of_the_hub_delivered_twice_opens_once(desk: Desk) -> None:
    for _ in range(2):
        await desk.sessions.open(resident="res-a", identified_by=CARD, session="s-1")
    await desk.sessions.close(session="s-1")
    await desk.sessions.open(resident="res-a", identified_by=CARD, session="s-1")
    assert desk.sessions.current is None
    assert len(await desk.journaled()) == 2


async def test_closing_another_session_than_the_open_one_does_nothing(
    desk: Desk,
) -> None:
    opened = await desk.sessions.open(resident="res-a", identified_by=CARD)
    assert await desk.sessions.close(session="other") is None
    assert desk.sessions.current == opened


async def test_an_unknown_card_still_ends_the_open_session(desk: Desk) -> None:
    config = StationConfig(schema=1, version=3, cards={"hash-b": "res-b"})
    assert await desk.sessions.configure(config)
    await desk.sessions.open(resident="res-a", identified_by=CARD)
    with pytest.raises(NotFoundError):
        await desk.sessions.open_by_card("hash-x")
    assert desk.sessions.current is None
    opened = await desk.sessions.open_by_card("hash-b")
    assert opened.resident == "res-b"


async def test_an_older_configuration_does_not_replace_a_newer_one(
    desk: Desk,
) -> None:
    await desk.sessions.configure(StationConfig(schema=1, version=3))
    old = StationConfig(schema=1, version=2, cards={"h": "res-a"})
    assert not await desk.sessions.configure(old)
    again = make(desk.journal, desk.clock)
    await again.restore()
    assert again.config_version == 3


async def test_a_full_disk_does_not_leave_the_last_person_open(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START)
    journal = SqliteJournal(tmp_path / "j.db", quota_bytes=1_000)
    sessions = make(journal, clock)
    await sessions.open(resident="res-a", identified_by=CARD)
    await sessions.open(resident="res-b", identified_by=CARD)
    assert sessions.current is not None
    assert sessions.current.resident == "res-b"
    assert sessions.unrecorded == 3
    again = make(journal, clock)
    await again.restore()
    assert again.current == sessions.current
    journal.close()
