"""Alerts on MQTT: in order, at least once, after any outage, without personal data."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC
from typing import Any

import pytest
from sqlalchemy import Connection, select

from gateway.alerting.desk import AlertDesk
from gateway.alerting.feed import AlertFeed, Subscription
from gateway.alerting.keeper import AlertKeeper
from gateway.alerting.publisher import BATCH, AlertPublisher
from gateway.alerting.repertoire import Repertoire
from gateway.clock import ManualClock
from gateway.database.engine import Database
from gateway.database.tables import contract, delivery
from gateway.errors import LinkClosedError, WireError
from gateway.model.alert import Outcome
from gateway.model.observation import Observation
from gateway.ports.messaging import Delivery, MessageBus
from tests.alerting.build import START, TEAM, entry, pressure, seed_people, single


class FlakyBus:
    """A broker connection that can be away, and can break between messages."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any], int, bool]] = []
        self._up = asyncio.Event()
        self._up.set()
        self.fail_after: int | None = None

    @property
    def connected(self) -> bool:
        return self._up.is_set()

    def cut(self) -> None:
        self._up.clear()

    def restore(self) -> None:
        self.fail_after = None
        self._up.set()

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        await asyncio.sleep(0)
        if self.fail_after is not None:
            if self.fail_after == 0:
                self.cut()
            self.fail_after -= 1
        if not self.connected:
            raise LinkClosedError("broker: away.")
        self.sent.append((topic, json.loads(payload), qos, retain))

    async def wait_connected(self) -> None:
        await self._up.wait()

    async def deliveries(self) -> AsyncIterator[Delivery]:
        received: list[Delivery] = []
        for one in received:
            yield one


class Line:
    """Keeper, desk and publisher on one database."""

    def __init__(
        self, database: Database, rules: Repertoire, *, include_values: bool = False
    ) -> None:
        self.database = database
        self.clock = ManualClock(START)
        self.feed = AlertFeed()
        self.bus = FlakyBus()
        bus: MessageBus = self.bus
        self.keeper = AlertKeeper(rules=rules, feed=self.feed, zone=UTC)
        self.desk = AlertDesk(database, self.clock, feed=self.feed)
        self.publisher = AlertPublisher(
            database,
            bus,
            self.clock,
            feed=self.feed,
            site="site-a",
            include_values=include_values,
        )

    async def read_in(self, *taken: Observation) -> None:
        entries = [entry(seq, one) for seq, one in enumerate(taken, 1)]
        changes = await self.database.write(lambda c: self.keeper.apply(c, entries))
        self.keeper.committed(changes)

    def seqs(self) -> list[int]:
        return [body["seq"] for _, body, _, _ in self.bus.sent]


@pytest.fixture
async def line(database: Database, rules: Repertoire) -> Line:
    await database.write(seed_people)
    return Line(database, rules)


async def until(
    what: Callable[[], object], *, clock: ManualClock | None = None
) -> None:
    while not what():
        if clock is not None:
            clock.advance(40)
        await asyncio.sleep(0.001)


async def test_every_change_goes_to_the_teams_topic(line: Line) -> None:
    await line.read_in(pressure(190, 80), pressure(190, 80, at=600))
    assert await line.publisher.publish_next() == 2
    assert await line.publisher.publish_next() == 0
    (one, two) = line.bus.sent
    assert one[0] == f"vitalgate/v1/site-a/alerts/{TEAM}"
    assert one[2:] == (1, False)
    assert [one[1]["change"], two[1]["change"]] == ["raised", "promoted"]
    assert two[1]["level"] == "high"
    assert one[1]["calls"] is True


async def test_no_values_names_or_notes(line: Line) -> None:
    await line.read_in(single("glucose_capillary", "2.57"))
    alert = (await line.desk.list_open([TEAM]))[0]
    await line.desk.close(
        alert.id,
        account="doctor-invented",
        version=1,
        outcome=Outcome.PHONED,
        note="a private word",
    )
    await line.publisher.publish_next()
    text = json.dumps([body for _, body, _, _ in line.bus.sent])
    assert "2.57" not in text
    assert "Invented Person" not in text
    assert "private" not in text
    assert line.bus.sent[0][1]["evidence"][0]["quality"] == "ok"


async def test_values_when_the_site_asks(database: Database, rules: Repertoire) -> None:
    line = Line(database, rules, include_values=True)
    await line.read_in(single("glucose_capillary", "2.57"))
    await line.publisher.publish_next()
    (evidence,) = line.bus.sent[0][1]["evidence"]
    assert evidence["values"] == {"glucose_capillary": "2.57"}


async def test_an_outage_delays_only_the_publisher(line: Line) -> None:
    task = asyncio.create_task(line.publisher.run())
    line.bus.cut()
    await line.read_in(pressure(190, 80))
    await line.read_in(single("glucose_capillary", "2.5"))
    assert len(await line.desk.list_open([TEAM])) == 2

    def tries(connection: Connection) -> list[tuple[int, str, int | None]]:
        columns = (delivery.c.attempts, delivery.c.error, delivery.c.delivered_us)
        query = select(*columns).where(delivery.c.channel == "mqtt")
        return [(r[0], r[1], r[2]) for r in connection.execute(query)]

    while not any(row[0] for row in await line.database.read(tries)):
        await asyncio.sleep(0.001)
    failed = [row for row in await line.database.read(tries) if row[0]]
    assert {(row[1], row[2]) for row in failed} == {("LinkClosedError", None)}
    line.bus.restore()
    await until(lambda: len(line.bus.sent) >= 2, clock=line.clock)
    while any(row[2] is None for row in await line.database.read(tries)):
        await asyncio.sleep(0.001)
    assert {row[1] for row in await line.database.read(tries)} == {""}
    assert sorted(set(line.seqs())) == [1, 2]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_break_inside_a_batch_repeats_but_loses_nothing(line: Line) -> None:
    await line.read_in(
        *(pressure(190, 80, at=i, subject=f"r-invented-{i}") for i in range(1, 41))
    )
    line.bus.fail_after = 5
    with pytest.raises(LinkClosedError):
        await line.publisher.publish_next()
    line.bus.restore()
    while await line.publisher.publish_next():
        pass
    assert set(line.seqs()) == set(range(1, 41))
    again = line.seqs()[len(line.seqs()) - 40 :]
    assert again == list(range(1, 41)), "in order"
    assert BATCH < 40


async def test_a_restart_goes_on_where_it_was(line: Line, rules: Repertoire) -> None:
    await line.read_in(pressure(190, 80))
    await line.publisher.publish_next()
    await line.read_in(single("glucose_capillary", "2.5"))
    after = Line(line.database, rules)
    await after.publisher.publish_next()
    assert after.seqs() == [2]


async def test_news_wakes_the_publisher(line: Line) -> None:
    task = asyncio.create_task(line.publisher.run())
    await asyncio.sleep(0.01)
    await line.read_in(pressure(190, 80))
    await until(lambda: line.bus.sent)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_team_that_is_no_topic_level_stops_nobody(line: Line) -> None:
    def odd(connection: Connection) -> None:
        connection.exec_driver_sql(
            "INSERT INTO care_team (id, name, ladder) VALUES ('A/#', 'odd', '[]')"
        )
        connection.execute(contract.update().values(team="A/#"))

    await line.database.write(odd)
    await line.read_in(pressure(190, 80))
    await line.publisher.publish_next()
    assert line.bus.sent[0][0] == "vitalgate/v1/site-a/alerts/unassigned"


async def test_a_site_must_be_a_topic_level(line: Line) -> None:
    with pytest.raises(WireError):
        AlertPublisher(
            line.database, line.bus, line.clock, feed=line.feed, site="Site A"
        )


async def test_a_slow_subscriber_is_told_and_catches_up(line: Line) -> None:
    with line.feed.subscribed(limit=3) as subscription:
        await line.read_in(
            *(pressure(190, 80, at=i, subject=f"r-invented-{i}") for i in range(9))
        )
        assert subscription.lagged
        assert await subscription.take() == []
        await line.read_in(single("glucose_capillary", "2.5"))
        (change,) = await subscription.take()
        assert change.alert.rule == "glu.hypo_l2"
    await line.read_in(single("spo2", 80))
    assert not (await _waiting(subscription))


async def _waiting(subscription: Subscription) -> bool:
    try:
        return bool(await asyncio.wait_for(subscription.take(), timeout=0.02))
    except TimeoutError:
        return False
