"""Somebody always answers."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, select

from gateway.alerting.feed import AlertFeed
from gateway.alerting.keeper import AlertKeeper
from gateway.alerting.repertoire import Repertoire
from gateway.alerting.routing import (
    FLAG_NO_CONTRACT,
    FLAG_NO_DOCTOR,
    UNASSIGNED_TEAM,
    Responsible,
    responsible_for,
)
from gateway.database.engine import Database
from gateway.database.tables import delivery
from gateway.model.alert import Alert
from tests.alerting.build import (
    DOCTOR,
    RESIDENT,
    TEAM,
    entry,
    pressure,
    put_contract,
    put_member,
    put_resident,
    seed_people,
    single,
)

TODAY = date(2026, 3, 2)


async def who(database: Database, *, on: date = TODAY) -> Responsible:
    return await database.read(lambda c: responsible_for(c, RESIDENT, on=on))


async def test_the_family_doctor_of_the_contract(database: Database) -> None:
    await database.write(seed_people)
    assert await who(database) == Responsible(team=TEAM, account=DOCTOR)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([("d1", "deputy"), ("m1", "health-manager")], "d1"),
        ([("m1", "health-manager"), ("s1", "specialist")], "s1"),
        ([("m1", "health-manager")], "m1"),
        ([("x1", "visitor")], "x1"),
    ],
)
async def test_then_deputy_then_any_member(
    members: list[tuple[str, str]], expected: str, database: Database
) -> None:
    def seed(connection: Connection) -> None:
        seed_people(connection, doctor=False)
        for id_, role in members:
            put_member(connection, id_, role)

    await database.write(seed)
    assert await who(database) == Responsible(team=TEAM, account=expected)


async def test_then_the_team_with_a_flag(database: Database) -> None:
    await database.write(lambda c: seed_people(c, doctor=False))
    assert await who(database) == Responsible(
        team=TEAM, account="", flags=(FLAG_NO_DOCTOR,)
    )


async def test_a_disabled_doctor_answers_for_nobody(database: Database) -> None:
    def seed(connection: Connection) -> None:
        seed_people(connection, doctor=False)
        put_member(connection, "gone", "family-doctor", disabled=True)
        put_member(connection, "d1", "deputy")

    await database.write(seed)
    assert (await who(database)).account == "d1"


@pytest.mark.parametrize(
    ("day", "team"),
    [
        (date(2025, 12, 31), UNASSIGNED_TEAM),
        (date(2026, 1, 1), TEAM),
        (date(2026, 6, 30), TEAM),
        (date(2026, 7, 1), UNASSIGNED_TEAM),
    ],
)
async def test_contracts_begin_and_end_on_days(
    day: date, team: str, database: Database
) -> None:
    def seed(connection: Connection) -> None:
        seed_people(connection)
        put_resident(connection, "r-2")

    await database.write(seed)

    def end(connection: Connection) -> Responsible:
        from gateway.database.tables import contract  # noqa: PLC0415 - only here

        connection.execute(contract.update().values(ends=date(2026, 6, 30)))
        return responsible_for(connection, RESIDENT, on=day)

    assert (await database.write(end)).team == team


async def test_the_newest_of_several_contracts_counts(database: Database) -> None:
    def seed(connection: Connection) -> None:
        seed_people(connection)
        connection.exec_driver_sql(
            "INSERT INTO care_team (id, name, ladder) VALUES ('team-b', 'B', '[]')"
        )
        put_contract(connection, RESIDENT, "team-b", starts=date(2026, 2, 1))

    await database.write(seed)
    assert (await who(database)).team == "team-b"


async def test_without_a_contract_the_fallback_team(database: Database) -> None:
    found = await who(database)
    assert found.team == UNASSIGNED_TEAM
    assert found.flags == (FLAG_NO_CONTRACT, FLAG_NO_DOCTOR)


async def raise_one(
    database: Database, keeper: AlertKeeper, **more: object
) -> tuple[Alert, list[tuple[str, str]]]:
    received = more.get("received")
    taken = single("glucose_capillary", "2.5")
    one = entry(1, taken, received=received if isinstance(received, int) else None)
    (change,) = await database.write(lambda c: keeper.apply(c, [one]))
    rows = await database.read(
        lambda c: c.execute(select(delivery.c.channel, delivery.c.recipient)).all()
    )
    return change.alert, [(row.channel, row.recipient) for row in rows]


async def test_an_unrouted_alert_reaches_the_fallback_team(
    database: Database, rules: Repertoire
) -> None:
    keeper = AlertKeeper(
        rules=rules, feed=AlertFeed(), zone=UTC, fallback_team="team-desk"
    )
    alert, rows = await raise_one(database, keeper)
    assert alert.team == "team-desk"
    assert alert.flags == (FLAG_NO_CONTRACT, FLAG_NO_DOCTOR)
    assert rows == [("console", "team-desk"), ("mqtt", "team-desk")]


async def test_back_fill_pages_nobody(database: Database, rules: Repertoire) -> None:
    await database.write(seed_people)
    keeper = AlertKeeper(rules=rules, feed=AlertFeed(), zone=UTC)
    alert, rows = await raise_one(database, keeper, received=200_000)
    assert alert.historical
    assert rows == []
    assert alert.assignee == DOCTOR, "it stands in the worklist all the same"


async def test_the_day_is_the_sites(database: Database, rules: Repertoire) -> None:
    def seed(connection: Connection) -> None:
        seed_people(connection, doctor=False)
        put_resident(connection, "r-night")
        put_contract(connection, "r-night", TEAM, starts=date(2026, 3, 3))

    await database.write(seed)
    late = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
    seconds = int((late - datetime(2026, 3, 2, 8, 0, tzinfo=UTC)).total_seconds())
    for hours, team in ((0, UNASSIGNED_TEAM), (8, TEAM)):
        keeper = AlertKeeper(
            rules=rules, feed=AlertFeed(), zone=timezone(timedelta(hours=hours))
        )
        taken = pressure(230, at=seconds + hours, subject="r-night")
        one = entry(1, taken)

        def judge(
            connection: Connection, keeper: AlertKeeper = keeper, one: object = one
        ) -> str:
            found = keeper.apply(connection, [one])  # type: ignore[list-item]  # bound above
            connection.rollback()
            return found[0].alert.team

        with database.engine.connect() as connection:
            assert judge(connection) == team
