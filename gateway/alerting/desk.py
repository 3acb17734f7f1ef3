"""What people do about alerts: accept, close, see. Optimistic, audited, announced.

    raised ──accept──▶ accepted ──close──▶ closed
       └────────────close (accepts too)──────▲

Every act names the version it saw. When that is no longer the present one, nothing
happens and the caller gets the fresh alert. A closed alert never opens again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, or_, select, update

from gateway.alerting.feed import AlertFeed
from gateway.alerting.reconcile import Event
from gateway.alerting.routing import CHANNEL_CONSOLE
from gateway.alerting.rows import decode_alerts, find_alert, store_event
from gateway.database.engine import Database
from gateway.database.tables import alert, delivery
from gateway.database.tables.base import to_us
from gateway.errors import ConflictError, NotFoundError, RequestError
from gateway.model.alert import Alert, AlertChange, AlertState, Level, Outcome
from gateway.ports.clock import Clock

# A note is a sentence or two; a letter belongs into the case file.
MAX_NOTE_CHARACTERS: Final = 2_000
# Open alerts of one worklist; the page after them is asked for when they are done.
MAX_OPEN: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    alert_id: UUID
    account: str
    version: int
    at: datetime


class AlertDesk:
    """Where people act on alerts."""

    def __init__(self, database: Database, clock: Clock, *, feed: AlertFeed) -> None:
        self._database = database
        self._clock = clock
        self._feed = feed

    async def accept(self, alert_id: UUID, /, *, account: str, version: int) -> Alert:
        """Take responsibility; it holds until the condition clears.

        Raises:
            ConflictError: another version now, accepted already, or closed; carries
                the fresh alert.
            NotFoundError: no such alert.
            StorageError: the database could not commit.
        """
        act = _Act(
            alert_id=alert_id, account=account, version=version, at=self._clock.now()
        )

        def accepted(connection: Connection) -> AlertChange:
            fresh = _fresh(connection, act)
            if fresh.state is AlertState.ACCEPTED:
                raise ConflictError("alert: already accepted.", current=fresh)
            after = _taken(fresh, act)
            return _commit(connection, "accepted", after, act)

        return await self._announced(await self._database.write(accepted))

    async def close(
        self,
        alert_id: UUID,
        /,
        *,
        account: str,
        version: int,
        outcome: Outcome | None,
        note: str = "",
    ) -> Alert:
        """Close with what was done. Who closes without accepting accepts by it.

        Raises:
            ConflictError: another version now, or closed; carries the fresh alert.
            NotFoundError: no such alert.
            RequestError: the outcome is missing at level high, or is the engine's
                own; or the note is too long.
            StorageError: the database could not commit.
        """
        act = _Act(
            alert_id=alert_id, account=account, version=version, at=self._clock.now()
        )
        if outcome is Outcome.CLEARED:
            raise RequestError(
                "outcome: cleared is the engine's.",
                remedy="Say what was done.",
            )
        if len(note) > MAX_NOTE_CHARACTERS:
            raise RequestError(
                "note: too long.", remedy=f"Use {MAX_NOTE_CHARACTERS} characters."
            )

        def closed(connection: Connection) -> AlertChange:
            fresh = _fresh(connection, act)
            if fresh.level is Level.HIGH and outcome is None:
                raise RequestError(
                    "outcome: a high alert is closed with one.",
                    remedy="Say what was done.",
                )
            taken = fresh if fresh.state is AlertState.ACCEPTED else _taken(fresh, act)
            after = replace(
                taken,
                state=AlertState.CLOSED,
                closed_by=account,
                closed_at=act.at,
                outcome=outcome,
                note=note,
            )
            return _commit(connection, "closed", after, act)

        return await self._announced(await self._database.write(closed))

    async def seen(self, alert_id: UUID, /, *, account: str) -> int:
        """Note that the account has looked at the alert; deliveries it concerned.

        Seen is a fact of its own: it accepts nothing.
        """
        at = to_us(self._clock.now())

        def mark(connection: Connection) -> int:
            result = connection.execute(
                update(delivery)
                .where(
                    delivery.c.alert == alert_id.bytes,
                    delivery.c.channel == CHANNEL_CONSOLE,
                    delivery.c.recipient == account,
                    delivery.c.seen_us.is_(None),
                )
                .values(seen_us=at)
            )
            connection.execute(
                update(delivery)
                .where(
                    delivery.c.alert == alert_id.bytes,
                    delivery.c.channel == CHANNEL_CONSOLE,
                    delivery.c.recipient == account,
                    delivery.c.delivered_us.is_(None),
                )
                .values(delivered_us=at)
            )
            return result.rowcount

        return await self._database.write(mark)

    async def list_open(
        self,
        teams: Collection[str],
        *,
        account: str | None = None,
        limit: int = MAX_OPEN,
    ) -> list[Alert]:
        """Open alerts of the teams (or assigned to the account), most urgent first.

        Of the same level, those waiting longest come first.
        """
        mine: list[ColumnElement[bool]] = [alert.c.team.in_(sorted(teams))]
        if account is not None:
            mine.append(alert.c.assignee == account)
        query = (
            select(alert.c.body)
            .where(alert.c.state != AlertState.CLOSED.value, or_(*mine))
            .order_by(alert.c.level, alert.c.raised_us, alert.c.id)
            .limit(min(limit, MAX_OPEN))
        )
        return await self._database.read(
            lambda c: decode_alerts(c.execute(query).scalars())
        )

    async def _announced(self, change: AlertChange) -> Alert:
        self._feed.announce([change])
        return change.alert


def _fresh(connection: Connection, act: _Act) -> Alert:
    """The alert, if it is still as the person saw it."""
    fresh = find_alert(connection, act.alert_id.bytes)
    if fresh is None:
        raise NotFoundError("alert: there is none with this id.")
    if fresh.state is AlertState.CLOSED:
        raise ConflictError("alert: already closed.", current=fresh)
    if fresh.version != act.version:
        raise ConflictError(
            "alert: changed since you saw it.",
            current=fresh,
            remedy="Look at it again.",
        )
    return fresh


def _taken(fresh: Alert, act: _Act) -> Alert:
    return replace(
        fresh,
        state=AlertState.ACCEPTED,
        accepted_by=act.account,
        accepted_at=act.at,
        assignee=act.account,
    )


def _commit(
    connection: Connection, change: str, after: Alert, act: _Act
) -> AlertChange:
    after = replace(after, version=after.version + 1, updated_at=act.at)
    event = Event(change=change, alert=after)
    return store_event(connection, event, at=act.at, by=act.account)
