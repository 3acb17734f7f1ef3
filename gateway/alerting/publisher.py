"""Alert changes to the care team's MQTT topic, each at least once and in order.

It reads the feed's table after a cursor of its own: a broker that is away delays
nothing but itself, and what happened meanwhile is published when it is back. A message
names the resident by pseudonym and holds neither names nor notes, nor values unless the
site asks for them.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.alerting.feed import AlertFeed, Subscription
from gateway.alerting.routing import CHANNEL_MQTT, UNASSIGNED_TEAM, calls
from gateway.alerting.rows import read_changes
from gateway.database.engine import Database
from gateway.database.tables import consumer, delivery
from gateway.database.tables.base import to_us
from gateway.errors import LinkClosedError, WireError
from gateway.model.alert import AlertChange
from gateway.ports.clock import Clock
from gateway.ports.messaging import MessageBus
from gateway.wire.topics import IDENTIFIER, alert_topic

CURSOR_NAME: Final = "alerts-mqtt"
SCHEMA: Final = 1

# Messages on their way at once: under the client's own in-flight window.
BATCH: Final = 32
# Seconds between tries while the broker is away.
MIN_BACKOFF_S: Final = 0.5
MAX_BACKOFF_S: Final = 30.0


class AlertPublisher:
    """Publishes until cancelled. ``run`` lives in a TaskGroup.

    Args:
        site: the site's topic level.
        include_values: also publish the values behind an alert (health data).
    """

    def __init__(
        self,
        database: Database,
        bus: MessageBus,
        clock: Clock,
        *,
        feed: AlertFeed,
        site: str,
        include_values: bool = False,
    ) -> None:
        if not IDENTIFIER.match(site):
            raise WireError(
                "site: not a valid identifier.",
                reason="identifier",
                remedy="Use 1-63 of a-z, 0-9, - and _.",
            )
        self._database = database
        self._bus = bus
        self._clock = clock
        self._feed = feed
        self._site = site
        self._include_values = include_values

    async def run(self) -> None:
        """Publish what is there, then what comes, for ever.

        Raises:
            StorageError: the database cannot commit; the supervisor restarts this.
        """
        backoff = MIN_BACKOFF_S
        with self._feed.subscribed() as subscription:
            while True:
                try:
                    published = await self.publish_next()
                except LinkClosedError as error:
                    await self._note_failure(type(error).__name__)
                    await self._clock.sleep(backoff)
                    backoff = min(backoff * 2, MAX_BACKOFF_S)
                    await self._bus.wait_connected()
                    continue
                backoff = MIN_BACKOFF_S
                if not published:
                    await _news(subscription)

    async def publish_next(self) -> int:
        """Publish the next changes; how many.

        Raises:
            LinkClosedError: the broker did not take all of them; none counts as done.
            StorageError: published, but the cursor did not move: they come again.
        """
        changes = await self._database.read(_next_changes)
        if not changes:
            return 0
        sent = await asyncio.gather(
            *(
                self._bus.publish(
                    self._topic(change.alert.team),
                    self.payload(change),
                    qos=1,
                    retain=False,
                )
                for change in changes
            ),
            return_exceptions=True,
        )
        for result in sent:
            if isinstance(result, BaseException):
                raise result
        at = self._clock.now()
        await self._database.write(lambda c: _done(c, changes, at))
        return len(changes)

    def payload(self, change: AlertChange) -> bytes:
        """The message: JSON, schema in ``docs/alerting.md``."""
        alert = change.alert
        evidence: list[dict[str, Any]] = []
        for item in alert.evidence:
            shown: dict[str, Any] = {
                "observation": item.observation,
                "taken_at": item.taken_at,
                "quality": item.quality,
            }
            if self._include_values:
                shown["values"] = item.values
            evidence.append(shown)
        return msgspec.json.encode(
            {
                "schema": SCHEMA,
                "seq": change.seq,
                "change": change.change,
                "calls": calls(change),
                "at": change.at,
                "id": alert.id,
                "resident": alert.resident,
                "rule": alert.rule,
                "rule_version": alert.rule_version,
                "kind": alert.kind,
                "level": alert.level,
                "state": alert.state,
                "confirmation": alert.confirmation,
                "condition_present": alert.condition_present,
                "historical": alert.historical,
                "version": alert.version,
                "team": alert.team,
                "assignee": alert.assignee,
                "station": alert.station,
                "raised_at": alert.raised_at,
                "hides": alert.hides,
                "flags": alert.flags,
                "evidence": evidence,
                "evidence_total": alert.evidence_total,
            }
        )

    def _topic(self, team: str) -> str:
        # A team whose id is no topic level must not stop the others' alerts.
        known = team if IDENTIFIER.match(team) else UNASSIGNED_TEAM
        return alert_topic(self._site, known)

    async def _note_failure(self, reason: str) -> None:
        """A failed try is a fact of the delivery, visible to an operator."""

        def note(connection: Connection) -> None:
            waiting = [change.seq for change in _next_changes(connection)]
            connection.execute(
                update(delivery)
                .where(
                    delivery.c.change.in_(waiting),
                    delivery.c.channel == CHANNEL_MQTT,
                    delivery.c.delivered_us.is_(None),
                )
                .values(attempts=delivery.c.attempts + 1, error=reason)
            )

        await self._database.write(note)


async def _news(subscription: Subscription) -> None:
    # What was announced is in the table; the table is what is read.
    await subscription.take()


def _next_changes(connection: Connection) -> list[AlertChange]:
    after = connection.execute(
        select(consumer.c.cursor).where(consumer.c.name == CURSOR_NAME)
    ).scalar()
    return read_changes(connection, after or 0, BATCH)


def _done(connection: Connection, changes: Sequence[AlertChange], at: datetime) -> None:
    connection.execute(
        update(delivery)
        .where(
            delivery.c.change.in_([change.seq for change in changes]),
            delivery.c.channel == CHANNEL_MQTT,
        )
        .values(delivered_us=to_us(at), attempts=delivery.c.attempts + 1, error="")
    )
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(consumer).values(
        name=CURSOR_NAME, cursor=changes[-1].seq
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"cursor": statement.excluded.cursor}
        )
    )
