"""What could not be read, as an administrator sees it: reasons, never contents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import func, select

from gateway.database.engine import Database
from gateway.database.tables import dead_letter
from gateway.database.tables.base import from_us
from gateway.errors import NotFoundError
from gateway.model.people import Role
from gateway.records.access import Viewer
from gateway.records.audit import Act, AuditTrail
from gateway.services.access import require_role
from gateway.services.pages import Page, decode_cursor, encode_cursor


class Replay(Protocol):
    """Takes a dead letter in once more; implemented by the hub's intake."""

    async def replay(self, id_: int) -> bool:
        """Whether it was understood this time.

        Raises:
            NotFoundError: there is none with this id.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message that was not understood. Its bytes may hold readings: not shown."""

    id: int
    topic: str
    station: str
    reason: str
    detail: str
    size: int
    first_at: datetime
    last_at: datetime
    count: int
    replayed_at: datetime | None


class DeadLetterBox:
    """Lists dead letters and has them read again."""

    def __init__(self, database: Database, audit: AuditTrail, replay: Replay) -> None:
        self._database = database
        self._audit = audit
        self._replay = replay

    async def page(self, viewer: Viewer, *, cursor: str, limit: int) -> Page[Letter]:
        """Newest first.

        Raises:
            AccessDeniedError: not an administrator.
            RequestError: the cursor is not one of this list's.
        """
        require_role(viewer, Role.ADMINISTRATOR)
        key = decode_cursor(cursor, int)
        t = dead_letter.c
        query = select(
            t.id, t.topic, t.station, t.reason, t.detail, t.first_us, t.last_us,
            t.count, t.replayed_us, func.length(t.payload).label("size"),
        ).order_by(t.id.desc())  # fmt: skip
        if key is not None:
            query = query.where(t.id < key[0])
        rows = await self._database.read(
            lambda c: c.execute(query.limit(limit + 1)).all()
        )
        items = [
            Letter(
                id=row.id,
                topic=row.topic,
                station=row.station,
                reason=row.reason,
                detail=row.detail,
                size=row.size,
                first_at=from_us(row.first_us),
                last_at=from_us(row.last_us),
                count=row._mapping["count"],  # noqa: SLF001 - tuple.count hides it
                replayed_at=None
                if row.replayed_us is None
                else from_us(row.replayed_us),
            )
            for row in rows[:limit]
        ]
        more = len(rows) > limit
        return Page(items=items, next=encode_cursor(items[-1].id) if more else "")

    async def replay(self, viewer: Viewer, id_: int) -> bool:
        """Have one read again; whether it was understood.

        Raises:
            AccessDeniedError: not an administrator.
            NotFoundError: there is none with this id.
        """
        require_role(viewer, Role.ADMINISTRATOR)
        query = select(dead_letter.c.id).where(dead_letter.c.id == id_)
        if await self._database.read(lambda c: c.execute(query).first()) is None:
            raise NotFoundError("dead letter: not found.")
        understood = await self._replay.replay(id_)
        await self._audit.record(
            Act(
                actor=viewer.id,
                action="dead-letter.replay",
                target=str(id_),
                detail="understood" if understood else "refused again",
            )
        )
        return understood
