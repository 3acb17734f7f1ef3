"""The worklist: alerts in order of urgency, accepting and closing them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from gateway.database.engine import Database
from gateway.database.tables import alert, alert_change, contract
from gateway.errors import AccessDeniedError, ConflictError, NotFoundError, RequestError
from gateway.model.alert import Alert, AlertState, Level, Outcome
from gateway.model.people import Resident
from gateway.records.access import Audience, Viewer, audience_of, may_act_on_alert
from gateway.records.audit import Act, AuditTrail
from gateway.records.people import active_contracts, find_residents
from gateway.services.access import Access
from gateway.services.pages import Page, decode_cursor, encode_cursor

# Rows looked through for one page when who may see them is known only afterwards.
MAX_SCANNED: Final = 5000
# Open alerts of a snapshot. A doctor with more has another problem than this limit;
# the snapshot says that it was cut, and the list pages on.
MAX_SNAPSHOT: Final = 1000
_STEP: Final = 200

_ALERT = msgspec.json.Decoder(Alert)
_IS_TECHNICAL: Final = b'"kind":"technical"'


class AlertDesk(Protocol):
    """Where people act on alerts; implemented by ``gateway.alerting``."""

    async def accept(self, alert_id: UUID, /, *, account: str, version: int) -> Alert:
        """Take responsibility.

        Raises:
            ConflictError: another version now, or closed; carries the fresh alert.
            NotFoundError: no such alert.
        """

    async def close(
        self,
        alert_id: UUID,
        /,
        *,
        account: str,
        version: int,
        outcome: Outcome,
        note: str,
    ) -> Alert:
        """Close with what was done.

        Raises:
            ConflictError: another version now, or closed; carries the fresh alert.
            NotFoundError: no such alert.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCard:
    """An alert with the person it is about.

    Attributes:
        resident: None for a technical alert.
        teams: those with an active contract with the resident.
    """

    alert: Alert
    resident: Resident | None
    teams: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The open alerts of an audience as of feed entry ``seq``."""

    seq: int
    cards: list[AlertCard]
    cut: bool


class Alerts:
    """Lists alerts and passes what people do about them to the desk."""

    def __init__(
        self, database: Database, access: Access, audit: AuditTrail, desk: AlertDesk
    ) -> None:
        self._database = database
        self._access = access
        self._audit = audit
        self._desk = desk

    async def page(
        self,
        viewer: Viewer,
        *,
        state: AlertState | None,
        level: Level | None,
        resident: str,
        cursor: str,
        limit: int,
    ) -> Page[AlertCard]:
        """Open alerts by level and age, newest first; closed ones by their closing.

        ``state`` None means open. A page may come short, with a ``next``, when many
        rows had to be looked through.

        Raises:
            RequestError: the cursor is not one of this list's.
        """
        audience = audience_of(viewer)
        today = self._access.today()
        key = decode_cursor(cursor, int, int, str)

        def load(connection: Connection) -> Page[AlertCard]:
            after, scanned = key, 0
            dialect = connection.dialect.name
            items: list[AlertCard] = []
            while scanned < MAX_SCANNED:
                rows = connection.execute(
                    _rows(
                        dialect, audience, today, state, level, resident, after
                    ).limit(_STEP)
                ).all()
                cards = load_cards(connection, [r.body for r in rows], today)
                for row, card in zip(rows, cards, strict=True):
                    scanned += 1
                    at = row.updated_us if state is AlertState.CLOSED else row.raised_us
                    after = (row.level, at, row.id.hex())
                    if not audience.sees(card.alert, card.teams):
                        continue
                    items.append(card)
                    if len(items) == limit:
                        return Page(items=items, next=encode_cursor(*after))
                if len(rows) < _STEP:
                    return Page(items=items, next="")
            return Page(items=items, next=encode_cursor(*after) if after else "")

        return await self._database.read(load)

    async def one(self, viewer: Viewer, id_: UUID) -> AlertCard:
        """One alert.

        Raises:
            NotFoundError: no such alert, or not theirs to see.
        """
        today = self._access.today()

        def load(connection: Connection) -> AlertCard | None:
            body = connection.execute(
                select(alert.c.body).where(alert.c.id == id_.bytes)
            ).scalar_one_or_none()
            return None if body is None else load_cards(connection, [body], today)[0]

        card = await self._database.read(load)
        if card is None or not audience_of(viewer).sees(card.alert, card.teams):
            raise NotFoundError("alert: not found.")
        return card

    async def accept(self, viewer: Viewer, id_: UUID, *, version: int) -> AlertCard:
        """Take responsibility for an alert.

        Raises:
            NotFoundError: no such alert, or not theirs to see.
            AccessDeniedError: they may see it, not act on it.
            ConflictError: it has moved on; carries the fresh ``AlertCard``.
        """
        card = await self._actable(viewer, id_)
        try:
            fresh = await self._desk.accept(id_, account=viewer.id, version=version)
        except ConflictError as error:
            raise await self._conflict(viewer, id_, error) from error
        await self._note(viewer, fresh, "alert.accept")
        return AlertCard(alert=fresh, resident=card.resident, teams=card.teams)

    async def close(
        self, viewer: Viewer, id_: UUID, *, version: int, outcome: Outcome, note: str
    ) -> AlertCard:
        """Close an alert with what was done.

        Raises:
            NotFoundError: no such alert, or not theirs to see.
            AccessDeniedError: they may see it, not act on it.
            RequestError: ``cleared`` is the engine's word, not a person's.
            ConflictError: it has moved on; carries the fresh ``AlertCard``.
        """
        if outcome is Outcome.CLEARED:
            raise RequestError("outcome: only the engine says that it cleared.")
        card = await self._actable(viewer, id_)
        try:
            fresh = await self._desk.close(
                id_, account=viewer.id, version=version, outcome=outcome, note=note
            )
        except ConflictError as error:
            raise await self._conflict(viewer, id_, error) from error
        await self._note(viewer, fresh, "alert.close")
        return AlertCard(alert=fresh, resident=card.resident, teams=card.teams)

    async def snapshot(self, audience: Audience) -> Snapshot:
        """What an audience has open now."""
        today = self._access.today()

        def load(connection: Connection) -> Snapshot:
            dialect = connection.dialect.name
            # Before the alerts: a change in between is then told once more, not lost.
            seq = connection.execute(select(func.max(alert_change.c.seq))).scalar_one()
            rows = connection.execute(
                _rows(dialect, audience, today, None, None, "", None).limit(MAX_SCANNED)
            ).all()
            cards = [
                card
                for card in load_cards(connection, [r.body for r in rows], today)
                if audience.sees(card.alert, card.teams)
            ]
            return Snapshot(
                seq=seq or 0,
                cards=cards[:MAX_SNAPSHOT],
                cut=len(cards) > MAX_SNAPSHOT or len(rows) == MAX_SCANNED,
            )

        return await self._database.read(load)

    async def _actable(self, viewer: Viewer, id_: UUID) -> AlertCard:
        card = await self.one(viewer, id_)
        if not may_act_on_alert(viewer, card.alert, card.teams):
            raise AccessDeniedError("alert: this account may only watch it.")
        return card

    async def _conflict(
        self, viewer: Viewer, id_: UUID, error: ConflictError
    ) -> ConflictError:
        card = await self.one(viewer, id_)
        return ConflictError(error.message, current=card)

    async def _note(self, viewer: Viewer, fresh: Alert, action: str) -> None:
        outcome = "" if fresh.outcome is None else f" outcome={fresh.outcome}"
        await self._audit.record(
            Act(
                actor=viewer.id,
                action=action,
                target=str(fresh.id),
                resident=fresh.resident,
                detail=f"level={fresh.level} version={fresh.version}{outcome}",
            )
        )


def load_cards(
    connection: Connection, bodies: Collection[bytes], on: date
) -> list[AlertCard]:
    """Alerts as stored, with their residents and those residents' teams."""
    alerts = [_ALERT.decode(body) for body in bodies]
    ids = {a.resident for a in alerts if a.resident}
    people = find_residents(connection, ids)
    contracts = active_contracts(connection, ids, on)
    return [
        AlertCard(
            alert=a,
            resident=people.get(a.resident),
            teams=frozenset(c.team for c in contracts.get(a.resident, ())),
        )
        for a in alerts
    ]


def _rows(
    dialect: str,
    audience: Audience,
    today: date,
    state: AlertState | None,
    level: Level | None,
    resident: str,
    after: tuple[Any, ...] | None,
) -> Any:  # noqa: ANN401 - SQLAlchemy's Select of these columns
    closed = state is AlertState.CLOSED
    at = alert.c.updated_us if closed else alert.c.raised_us
    query = select(
        alert.c.id, alert.c.level, alert.c.raised_us, alert.c.updated_us, alert.c.body
    ).where(_reach(audience, today, dialect))
    if state is None:
        query = query.where(alert.c.state != AlertState.CLOSED.value)
    else:
        query = query.where(alert.c.state == state.value)
    if level is not None:
        query = query.where(alert.c.level == level.rank)
    if resident:
        query = query.where(alert.c.resident == resident)
    if after is not None:
        rank, instant, mark = after
        try:
            digest = bytes.fromhex(mark)
        except ValueError as error:
            raise RequestError("cursor: not a cursor of this list.") from error
        later = or_(at < instant, and_(at == instant, alert.c.id > digest))
        if not closed:
            later = or_(alert.c.level > rank, and_(alert.c.level == rank, later))
        query = query.where(later)
    if closed:
        return query.order_by(at.desc(), alert.c.id)
    return query.order_by(alert.c.level, at.desc(), alert.c.id)


def _reach(audience: Audience, today: date, dialect: str) -> ColumnElement[bool]:
    """Every row that the audience might see; ``Audience.sees`` decides."""
    ways: list[ColumnElement[bool]] = []
    if audience.teams:
        teams = sorted(audience.teams)
        ways.append(alert.c.team.in_(teams))
        ways.append(
            alert.c.resident.in_(
                select(contract.c.resident).where(
                    contract.c.team.in_(teams),
                    contract.c.starts <= today,
                    or_(contract.c.ends.is_(None), contract.c.ends >= today),
                )
            )
        )
    if audience.specialist:
        # Who accepted or closed it is inside the body.
        ways.append(
            or_(
                alert.c.assignee == audience.specialist,
                alert.c.state != AlertState.RAISED.value,
            )
        )
    if audience.stations or audience.all_technical:
        # The kind is inside the body; a note that says the same is sorted out after.
        if dialect == "sqlite":
            ways.append(func.instr(alert.c.body, _IS_TECHNICAL) > 0)
        else:
            ways.append(alert.c.body.like(b"%" + _IS_TECHNICAL + b"%"))
    return or_(*ways) if ways else alert.c.id.is_(None)
