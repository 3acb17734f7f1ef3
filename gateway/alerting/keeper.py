"""The rule engine as a consumer of the hub's log: judged, stored and announced.

State, alerts, their feed and the log's cursor move in one transaction, so that a crash
at any instant neither loses nor repeats a judgement.
"""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

from sqlalchemy import Connection, select

from gateway.alerting.engine import (
    Input,
    ResidentState,
    Tick,
    Withdrawal,
    evaluate,
)
from gateway.alerting.feed import AlertFeed
from gateway.alerting.reconcile import Event
from gateway.alerting.repertoire import Repertoire
from gateway.alerting.routing import (
    UNASSIGNED_TEAM,
    Responsible,
    assign,
    deliver,
    responsible_for,
)
from gateway.alerting.rows import (
    load_profiles,
    load_states,
    save_states,
    store_event,
)
from gateway.database.tables import log
from gateway.model.alert import AlertChange
from gateway.model.observation import Observation
from gateway.model.session import Attribution
from gateway.ports.log import LogEntry
from gateway.wire.batch import decode_body

CONSUMER_NAME: Final = "rules"

# (resident, what to judge, when it arrived)
_Task = tuple[str, Input, datetime]


class AlertKeeper:
    """Implements ``gateway.ports.log.TransactionalConsumer``.

    Args:
        rules: what is judged.
        feed: where committed changes are announced.
        zone: the site's time zone; contracts begin and end on its days.
        fallback_team: answers for residents without a contract.
    """

    name = CONSUMER_NAME

    def __init__(
        self,
        *,
        rules: Repertoire,
        feed: AlertFeed,
        zone: tzinfo,
        fallback_team: str = UNASSIGNED_TEAM,
    ) -> None:
        self._rules = rules
        self._feed = feed
        self._zone = zone
        self._fallback_team = fallback_team

    def apply(
        self, connection: Connection, entries: list[LogEntry]
    ) -> list[AlertChange]:
        """Judge the claimed readings and the attributions among the entries."""
        tasks: list[_Task] = []
        for entry in entries:
            body = entry.body
            if isinstance(body, Observation):
                if body.subject:
                    tasks.append((body.subject, body, entry.received_at))
            elif isinstance(body, Attribution):
                tasks += _moved(connection, body, entry.received_at)
        return self._judge(connection, tasks)

    def committed(self, result: object) -> None:
        """Announce what ``apply`` returned."""
        if isinstance(result, list):
            self._feed.announce(result)

    def tick(
        self, connection: Connection, residents: Sequence[str], now: datetime
    ) -> list[AlertChange]:
        """Deal with the deadlines of these residents that have come."""
        return self._judge(connection, [(who, Tick(), now) for who in residents])

    def _judge(self, connection: Connection, tasks: list[_Task]) -> list[AlertChange]:
        residents = {who for who, _, _ in tasks}
        if not residents:
            return []
        before = load_states(connection, residents)
        profiles = load_profiles(connection, residents)
        after = dict(before)
        changes: list[AlertChange] = []
        for who, event, now in tasks:
            state, events = evaluate(
                after[who], event, rules=self._rules, profile=profiles[who], now=now
            )
            if events:
                state, stored = self._store(connection, state, events, now)
                changes += stored
            after[who] = state
        save_states(connection, before, after)
        return changes

    def _store(
        self,
        connection: Connection,
        state: ResidentState,
        events: Sequence[Event],
        now: datetime,
    ) -> tuple[ResidentState, list[AlertChange]]:
        alerts = dict(state.alerts)
        changes = []
        found: Responsible | None = None
        for event in events:
            routed = event
            if event.change == "raised":
                found = found or responsible_for(
                    connection,
                    event.alert.resident,
                    on=now.astimezone(self._zone).date(),
                    fallback_team=self._fallback_team,
                )
                routed = assign(event, found)
                alerts[event.alert.rule] = routed.alert
            change = store_event(connection, routed, at=now)
            deliver(connection, change)
            changes.append(change)
        return ResidentState(streams=state.streams, alerts=alerts), changes


def _moved(
    connection: Connection, attribution: Attribution, now: datetime
) -> list[_Task]:
    """What a claim or re-assignment of a reading means for both residents."""
    if attribution.stream:
        return []
    tasks: list[_Task] = []
    row = connection.execute(
        select(log.c.type, log.c.body).where(log.c.id == attribution.observation.bytes)
    ).one_or_none()
    body = None if row is None else decode_body(row.type, row.body)
    first = body.subject if isinstance(body, Observation) else None
    for old in sorted({attribution.previous, first or ""}):
        if old and old != attribution.resident:
            withdrawal = Withdrawal(observation=attribution.observation)
            tasks.append((old, withdrawal, now))
    if attribution.resident and isinstance(body, Observation):
        tasks.append((attribution.resident, body, now))
    return tasks
