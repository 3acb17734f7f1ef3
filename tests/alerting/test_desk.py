"""People at the desk: versions, conflicts, latches."""

import asyncio
from datetime import UTC, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from gateway.alerting.desk import MAX_NOTE_CHARACTERS, AlertDesk
from gateway.alerting.feed import AlertFeed
from gateway.alerting.keeper import AlertKeeper
from gateway.alerting.repertoire import Repertoire
from gateway.clock import ManualClock
from gateway.database.engine import Database
from gateway.database.tables import alert_change, delivery
from gateway.errors import ConflictError, NotFoundError, RequestError
from gateway.model.alert import Alert, AlertChange, AlertState, Level, Outcome
from gateway.model.observation import Observation
from tests.alerting.build import (
    DOCTOR,
    START,
    TEAM,
    entry,
    pressure,
    seed_people,
    single,
)

OTHER = "deputy-invented"


class Office:
    """A hub's alert parts on one database."""

    def __init__(self, database: Database, rules: Repertoire) -> None:
        self.database = database
        self.clock = ManualClock(START)
        self.feed = AlertFeed()
        self.keeper = AlertKeeper(rules=rules, feed=self.feed, zone=UTC)
        self.desk = AlertDesk(database, self.clock, feed=self.feed)
        self.heard: list[AlertChange] = []
        self.seq = 0

    async def read_in(self, taken: Observation) -> list[AlertChange]:
        self.seq += 1
        one = entry(self.seq, taken)
        changes = await self.database.write(lambda c: self.keeper.apply(c, [one]))
        self.keeper.committed(changes)
        self.clock.step_wall_clock(1)
        return changes

    async def raised(self, taken: Observation) -> Alert:
        (change, *_) = await self.read_in(taken)
        assert change.change == "raised"
        return change.alert


@pytest.fixture
async def office(database: Database, rules: Repertoire) -> Office:
    await database.write(seed_people)
    return Office(database, rules)


async def test_accept_then_close(office: Office) -> None:
    alert = await office.raised(single("glucose_capillary", "2.5"))
    with office.feed.listening(office.heard.extend):
        accepted = await office.desk.accept(alert.id, account=OTHER, version=1)
        closed = await office.desk.close(
            alert.id,
            account=OTHER,
            version=accepted.version,
            outcome=Outcome.PHONED,
            note="ate, feels well",
        )
    assert accepted.state is AlertState.ACCEPTED
    assert (accepted.accepted_by, accepted.assignee) == (OTHER, OTHER)
    assert accepted.accepted_at == office.clock.now()
    assert closed.state is AlertState.CLOSED
    assert (closed.closed_by, closed.outcome) == (OTHER, Outcome.PHONED)
    assert [c.change for c in office.heard] == ["accepted", "closed"]
    rows = await office.database.read(
        lambda c: c.execute(select(alert_change.c.change, alert_change.c.by)).all()
    )
    assert [tuple(row) for row in rows] == [
        ("raised", ""),
        ("accepted", OTHER),
        ("closed", OTHER),
    ]


async def test_two_accept_at_once_and_one_wins(office: Office) -> None:
    alert = await office.raised(single("glucose_capillary", "2.5"))
    results = await asyncio.gather(
        office.desk.accept(alert.id, account=DOCTOR, version=1),
        office.desk.accept(alert.id, account=OTHER, version=1),
        return_exceptions=True,
    )
    won = [r for r in results if isinstance(r, Alert)]
    lost = [r for r in results if isinstance(r, ConflictError)]
    assert len(won) == len(lost) == 1
    assert lost[0].current == won[0]


async def test_a_stale_version_gets_the_fresh_alert(office: Office) -> None:
    alert = await office.raised(pressure(190, 80))
    await office.read_in(pressure(190, 80, at=600))
    with pytest.raises(ConflictError) as caught:
        await office.desk.accept(alert.id, account=DOCTOR, version=alert.version)
    fresh = caught.value.current
    assert isinstance(fresh, Alert)
    assert (fresh.version, fresh.level) == (2, Level.HIGH)
    with pytest.raises(ConflictError):
        await office.desk.close(
            alert.id, account=DOCTOR, version=1, outcome=Outcome.PHONED
        )


async def test_accepting_what_just_cleared_does_not_reopen_it(office: Office) -> None:
    alert = await office.raised(single("glucose_capillary", "3.5"))
    await office.read_in(single("glucose_capillary", 6, at=600))
    for version in (alert.version, alert.version + 1):
        with pytest.raises(ConflictError) as caught:
            await office.desk.accept(alert.id, account=DOCTOR, version=version)
        fresh = caught.value.current
        assert isinstance(fresh, Alert)
        assert fresh.state is AlertState.CLOSED
        assert fresh.outcome is Outcome.CLEARED
    assert await office.desk.list_open([TEAM]) == []


async def test_accepting_twice_is_a_conflict(office: Office) -> None:
    alert = await office.raised(pressure(190, 80))
    accepted = await office.desk.accept(alert.id, account=DOCTOR, version=1)
    with pytest.raises(ConflictError, match="already accepted"):
        await office.desk.accept(alert.id, account=OTHER, version=accepted.version)


async def test_high_is_closed_with_an_outcome_only(office: Office) -> None:
    alert = await office.raised(single("glucose_capillary", "2.5"))
    with pytest.raises(RequestError, match="outcome"):
        await office.desk.close(alert.id, account=DOCTOR, version=1, outcome=None)
    with pytest.raises(RequestError, match="engine"):
        await office.desk.close(
            alert.id, account=DOCTOR, version=1, outcome=Outcome.CLEARED
        )
    with pytest.raises(RequestError, match="note"):
        await office.desk.close(
            alert.id,
            account=DOCTOR,
            version=1,
            outcome=Outcome.PHONED,
            note="x" * (MAX_NOTE_CHARACTERS + 1),
        )
    (still,) = await office.desk.list_open([TEAM])
    assert still == alert


async def test_closing_directly_accepts_as_well(office: Office) -> None:
    alert = await office.raised(pressure(190, 80))
    closed = await office.desk.close(alert.id, account=DOCTOR, version=1, outcome=None)
    assert closed.accepted_by == DOCTOR
    assert closed.version == 2


async def test_after_a_person_closed_only_a_newer_reading_raises(
    office: Office,
) -> None:
    alert = await office.raised(single("glucose_capillary", "2.5", at=60))
    await office.desk.close(
        alert.id, account=DOCTOR, version=1, outcome=Outcome.ADVISED
    )
    assert await office.read_in(single("glucose_capillary", "2.4", at=30)) == []
    changes = await office.read_in(single("glucose_capillary", "2.4", at=90))
    assert [c.change for c in changes] == ["raised"]
    assert changes[0].alert.id != alert.id


async def test_no_such_alert(office: Office) -> None:
    with pytest.raises(NotFoundError):
        await office.desk.accept(UUID(int=1), account=DOCTOR, version=1)


async def test_the_worklist_is_by_level_then_age(office: Office) -> None:
    await office.read_in(pressure(165, 80))
    await office.read_in(single("glucose_capillary", "3.5", at=5))
    await office.read_in(single("glucose_capillary", "2.5", at=9))
    await office.read_in(single("spo2", 90, at=20))
    rules = [alert.rule for alert in await office.desk.list_open([TEAM])]
    assert rules == ["glu.hypo_l2", "glu.hypo_l1", "spo2.critical", "bp.grade2"]
    assert await office.desk.list_open(["team-other"]) == []
    assert len(await office.desk.list_open([], account=DOCTOR)) == 4
    assert len(await office.desk.list_open([TEAM], limit=1)) == 1


async def test_seen_is_a_fact_of_its_own(office: Office) -> None:
    alert = await office.raised(pressure(190, 80))
    office.clock.advance(30)
    assert await office.desk.seen(alert.id, account=OTHER) == 0
    assert await office.desk.seen(alert.id, account=DOCTOR) == 1
    assert await office.desk.seen(alert.id, account=DOCTOR) == 0
    rows = await office.database.read(
        lambda c: c.execute(
            select(delivery.c.channel, delivery.c.recipient, delivery.c.seen_us)
        ).all()
    )
    seen = {(r.channel, r.recipient): r.seen_us for r in rows}
    assert set(seen) == {("console", DOCTOR), ("mqtt", TEAM)}
    assert seen["console", DOCTOR] is not None
    assert seen["mqtt", TEAM] is None
    (still,) = await office.desk.list_open([TEAM])
    assert still.state is AlertState.RAISED
    assert office.clock.now() - START > timedelta(seconds=30)
