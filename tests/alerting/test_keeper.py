"""The engine in the hub's database: durable, transactional, replayable."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from gateway.alerting.feed import AlertFeed
from gateway.alerting.keeper import AlertKeeper
from gateway.alerting.reconcile import Event
from gateway.alerting.repertoire import Repertoire
from gateway.alerting.rows import (
    find_alert,
    load_states,
    read_changes,
    store_event,
)
from gateway.alerting.ticker import Ticker
from gateway.clock import ManualClock
from gateway.database.engine import Database
from gateway.database.tables import alert, metadata, rule_state
from gateway.database.tables.base import from_us
from gateway.model.alert import Alert, AlertChange, AlertState, Confirmation, Level
from gateway.model.observation import Observation
from gateway.model.session import Attribution
from gateway.ports.log import LogEntry, TransactionalConsumer
from tests.alerting.build import (
    RESIDENT,
    START,
    TEAM,
    attribution,
    entry,
    pressure,
    put_resident,
    seed_people,
    single,
    store_in_log,
)

DAY = 86_400


def make_keeper(rules: Repertoire, feed: AlertFeed | None = None) -> AlertKeeper:
    return AlertKeeper(rules=rules, feed=feed or AlertFeed(), zone=UTC)


async def feed_in(
    database: Database, keeper: AlertKeeper, *entries: LogEntry
) -> list[AlertChange]:
    changes = await database.write(lambda c: keeper.apply(c, list(entries)))
    keeper.committed(changes)
    return changes


async def open_alerts(database: Database, resident: str = RESIDENT) -> dict[str, Alert]:
    states = await database.read(lambda c: load_states(c, [resident]))
    return dict(states[resident].alerts)


async def deadlines(database: Database) -> list[datetime]:
    query = select(rule_state.c.deadline_us).where(
        rule_state.c.deadline_us.is_not(None)
    )
    found = await database.read(lambda c: c.execute(query).scalars().all())
    return sorted({from_us(at) for at in found})


def test_is_a_transactional_consumer(rules: Repertoire) -> None:
    keeper: TransactionalConsumer = make_keeper(rules)
    assert keeper.name == "rules"


async def test_a_reading_becomes_a_routed_alert(
    database: Database, rules: Repertoire
) -> None:
    await database.write(seed_people)
    feed = AlertFeed()
    heard: list[AlertChange] = []
    with feed.listening(heard.extend):
        await feed_in(database, make_keeper(rules, feed), entry(1, pressure(190, 80)))
    (found,) = (await open_alerts(database)).values()
    assert (found.rule, found.level) == ("bp.crisis", Level.MEDIUM)
    assert (found.team, found.assignee) == (TEAM, "doctor-invented")
    assert [change.alert for change in heard] == [found]
    assert await database.read(lambda c: read_changes(c, 0, 10)) == heard


async def test_unclaimed_and_normal_readings_raise_nothing(
    database: Database, rules: Repertoire
) -> None:
    keeper = make_keeper(rules)
    assert await feed_in(database, keeper, entry(1, pressure(230, subject=None))) == []
    assert await feed_in(database, keeper, entry(2, pressure(120))) == []
    assert await feed_in(database, keeper) == []


async def test_state_survives_a_restart_between_any_two_entries(
    tmp_path: Path, rules: Repertoire
) -> None:
    readings = [
        pressure(190, 80),
        pressure(150, 80, at=60),
        pressure(189, 80, at=600),
        pressure(120, 70, at=3_600),
        pressure(120, 70, at=7_200),
    ]
    outcomes = []
    for restart in (False, True):
        url = f"sqlite:///{tmp_path / f'hub-{restart}.db'}"
        database = Database(url)
        await database.write(metadata.create_all)
        for seq, taken in enumerate(readings, 1):
            if restart:
                database.close()
                database = Database(url)
            await feed_in(database, make_keeper(rules), entry(seq, taken))
        outcomes.append(await database.read(lambda c: read_changes(c, 0, 100)))
        database.close()
    assert outcomes[0] == outcomes[1]
    assert [c.change for c in outcomes[0] if c.alert.rule == "bp.crisis"] == [
        "raised",
        "evidence",  # the repeat a minute later made it hide one rule more
        "promoted",
        "condition-gone",
    ]


async def test_a_transaction_that_fails_leaves_nothing_and_runs_again(
    database: Database, rules: Repertoire
) -> None:
    keeper = make_keeper(rules)
    entries = [entry(1, pressure(190, 80))]

    def killed(connection: Connection) -> None:
        keeper.apply(connection, entries)
        raise RuntimeError("killed before the commit")

    with pytest.raises(RuntimeError, match="killed"):
        await database.write(killed)
    assert await open_alerts(database) == {}
    assert await database.read(lambda c: read_changes(c, 0, 10)) == []
    await feed_in(database, keeper, *entries)
    assert len(await open_alerts(database)) == 1


async def test_the_same_entries_again_raise_nothing_twice(
    database: Database, rules: Repertoire
) -> None:
    keeper = make_keeper(rules)
    entries = [entry(1, pressure(190, 80)), entry(2, pressure(190, 80, at=600))]
    first = await feed_in(database, keeper, *entries)
    assert [c.change for c in first] == ["raised", "promoted"]
    assert await feed_in(database, keeper, *entries) == []


async def test_one_batch_or_many_is_the_same(tmp_path: Path, rules: Repertoire) -> None:
    entries = [
        entry(seq, taken)
        for seq, taken in enumerate(
            [
                pressure(190, 80),
                single("glucose_capillary", "2.5", at=5),
                pressure(190, 80, at=600, subject="r-invented-2"),
                pressure(190, 80, at=700),
                single("spo2", 88, at=800),
            ],
            1,
        )
    ]
    results = []
    for batches in ([entries], [[one] for one in entries]):
        database = Database(f"sqlite:///{tmp_path / f'hub-{len(batches)}.db'}")
        await database.write(metadata.create_all)
        for batch in batches:
            await feed_in(database, make_keeper(rules), *batch)
        results.append(await database.read(lambda c: read_changes(c, 0, 100)))
        database.close()
    assert results[0] == results[1]


async def test_the_database_itself_refuses_a_second_open_alert(
    database: Database, rules: Repertoire
) -> None:
    (change,) = await feed_in(database, make_keeper(rules), entry(1, pressure(190, 80)))
    twin = Alert(
        **{
            **{f: getattr(change.alert, f) for f in change.alert.__struct_fields__},
            "id": entry(9, pressure(1)).id,
        }
    )
    event = Event(change="raised", alert=twin)
    with pytest.raises(IntegrityError):
        await database.write(lambda c: store_event(c, event, at=START))


class TestAttribution:
    async def claim(
        self,
        database: Database,
        keeper: AlertKeeper,
        claim: Attribution,
        received: float = 60,
    ) -> list[AlertChange]:
        return await feed_in(database, keeper, entry(9, claim, received=received))

    async def logged(self, database: Database, taken: Observation) -> Observation:
        await database.write(lambda c: store_in_log(c, taken))
        return taken

    async def test_a_claim_is_judged_for_its_resident(
        self, database: Database, rules: Repertoire
    ) -> None:
        taken = await self.logged(database, pressure(190, 80, subject=None))
        keeper = make_keeper(rules)
        claim = attribution(taken, resident_id=RESIDENT)
        changes = await self.claim(database, keeper, claim)
        assert [c.change for c in changes] == ["raised"]
        assert not changes[0].alert.historical

    async def test_a_claim_days_later_is_back_fill(
        self, database: Database, rules: Repertoire
    ) -> None:
        taken = await self.logged(database, pressure(225, 80, subject=None))
        claim = attribution(taken, resident_id=RESIDENT)
        changes = await self.claim(database, make_keeper(rules), claim, 2 * DAY)
        assert [(c.alert.level, c.alert.historical) for c in changes] == [
            (Level.LOW, True)
        ]

    async def test_a_re_assignment_moves_the_alert(
        self, database: Database, rules: Repertoire
    ) -> None:
        taken = await self.logged(database, pressure(190, 80))
        keeper = make_keeper(rules)
        await feed_in(database, keeper, entry(1, taken))
        move = attribution(taken, resident_id="r-invented-2", previous=RESIDENT)
        changes = await self.claim(database, keeper, move)
        assert [(c.change, c.alert.resident) for c in changes] == [
            ("withdrawn", RESIDENT),
            ("closed", RESIDENT),
            ("raised", "r-invented-2"),
        ]

    async def test_an_aborted_session_withdraws_without_a_new_person(
        self, database: Database, rules: Repertoire
    ) -> None:
        taken = await self.logged(database, single("glucose_capillary", "2.5"))
        keeper = make_keeper(rules)
        await feed_in(database, keeper, entry(1, taken))
        release = attribution(taken, resident_id="", previous=RESIDENT)
        changes = await self.claim(database, keeper, release)
        assert [c.change for c in changes] == ["withdrawn", "condition-gone"]
        found = (await open_alerts(database))["glu.hypo_l2"]
        assert found.evidence[0].quality == "withdrawn"

    async def test_moving_back_again_raises_again(
        self, database: Database, rules: Repertoire
    ) -> None:
        taken = await self.logged(database, pressure(190, 80))
        keeper = make_keeper(rules)
        await feed_in(database, keeper, entry(1, taken))
        away = attribution(taken, resident_id="r-invented-2", previous=RESIDENT)
        back = attribution(taken, resident_id=RESIDENT, previous="r-invented-2")
        await self.claim(database, keeper, away)
        changes = await self.claim(database, keeper, back)
        assert [(c.change, c.alert.resident) for c in changes] == [
            ("withdrawn", "r-invented-2"),
            ("closed", "r-invented-2"),
            ("raised", RESIDENT),
        ]
        ids = await database.read(lambda c: c.execute(select(alert.c.id)).all())
        assert len(ids) == 3

    async def test_of_a_reading_that_is_not_held_does_nothing(
        self, database: Database, rules: Repertoire
    ) -> None:
        claim = attribution(pressure(190, 80), resident_id=RESIDENT)
        assert await self.claim(database, make_keeper(rules), claim) == []


async def test_diagnoses_come_from_the_record(
    database: Database, rules: Repertoire
) -> None:
    await database.write(
        lambda c: put_resident(c, RESIDENT, diagnoses='["diabetes"]', spo2_scale=2)
    )
    keeper = make_keeper(rules)
    await feed_in(database, keeper, entry(1, single("glucose_fasting", 8)))
    await feed_in(database, keeper, entry(2, single("spo2", 90)))
    assert set(await open_alerts(database)) == {"glu.fasting_uncontrolled"}


class TestTicker:
    async def test_a_deadline_survives_a_restart(
        self, tmp_path: Path, rules: Repertoire
    ) -> None:
        url = f"sqlite:///{tmp_path / 'hub.db'}"
        database = Database(url)
        await database.write(metadata.create_all)
        await feed_in(database, make_keeper(rules), entry(1, pressure(190, 80)))
        database.close()
        database = Database(url)
        clock = ManualClock(START + timedelta(seconds=1_199))
        feed = AlertFeed()
        keeper = make_keeper(rules, feed)
        ticker = Ticker(database, clock, keeper=keeper, feed=feed)
        assert await deadlines(database) == [START + timedelta(seconds=1_200)]
        heard: list[AlertChange] = []
        with feed.listening(heard.extend):
            assert await ticker.tick() == 0
            clock.advance(1)
            assert await ticker.tick() == 1
            assert await ticker.tick() == 0
        assert [c.change for c in heard] == ["no-repeat"]
        assert heard[0].alert.confirmation is Confirmation.NO_REPEAT
        assert heard[0].alert.state is AlertState.RAISED
        assert await deadlines(database) == []
        database.close()

    async def test_a_clock_that_jumps_over_deadlines_deals_with_all(
        self, database: Database, rules: Repertoire
    ) -> None:
        feed = AlertFeed()
        keeper = make_keeper(rules, feed)
        entries = [
            entry(i, pressure(190, 80, at=i, subject=f"r-invented-{i}"))
            for i in range(1, 451)
        ]
        await feed_in(database, keeper, *entries)
        clock = ManualClock(START)
        clock.step_wall_clock(9 * DAY)
        ticker = Ticker(database, clock, keeper=keeper, feed=feed)
        handled = 0
        while now := await ticker.tick():
            handled += now
        assert handled == 450
        assert await deadlines(database) == []


async def test_an_alert_that_is_not_there(database: Database) -> None:
    assert await database.read(lambda c: find_alert(c, b"\0" * 16)) is None
