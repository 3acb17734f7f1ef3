"""The audit trail: who did what to whom, append-only, each entry chained to the last.

    hash = SHA-256(previous hash || canonical JSON of the entry)

A chain shows a changed, removed or moved entry. It does not show that its end was cut
off, or that all of it was written anew: for that its head is kept elsewhere.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select

from gateway.database.engine import Database
from gateway.database.tables import audit
from gateway.database.tables.base import from_us, to_us
from gateway.ports.clock import Clock

GENESIS: Final = bytes(32)
# Entries read at a time while the chain is verified; bounds memory, not the answer.
VERIFY_STEP: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing done, or refused.

    Attributes:
        actor: account id, or ``system``.
        action: stable token, such as ``alert.accept``.
        target: what it was done to: an id, never a name or a value.
        resident: pseudonym of the person concerned; empty when none.
        outcome: ``done`` or ``refused``.
        detail: further facts without names or values.
    """

    actor: str
    action: str
    target: str
    resident: str = ""
    outcome: str = "done"
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A committed act."""

    seq: int
    at: datetime
    act: Act


class AuditTrail:
    """Appends to the chain, reads it and proves it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def record(self, act: Act) -> None:
        """Append in a transaction of its own."""
        await self._database.write(lambda c: self.append(c, act))

    def append(self, connection: Connection, act: Act) -> None:
        """Append inside the caller's transaction, in the writer's thread."""
        last = connection.execute(
            select(audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
        ).scalar_one_or_none()
        values = _values(to_us(self._clock.now()), act)
        digest = _chain(GENESIS if last is None else last, values)
        connection.execute(insert(audit).values(**values, hash=digest))

    async def entries(self, *, after: int, limit: int) -> list[AuditEntry]:
        """Entries with ``seq > after``, in order."""
        query = select(audit).where(audit.c.seq > after).order_by(audit.c.seq)
        rows = await self._database.read(lambda c: c.execute(query.limit(limit)).all())
        return [_entry(row) for row in rows]

    async def verify(self) -> int | None:
        """The ``seq`` of the first entry that does not fit; None when all do."""

        def walk(connection: Connection) -> int | None:
            before, seq = GENESIS, 0
            while True:
                query = select(audit).where(audit.c.seq > seq).order_by(audit.c.seq)
                rows = connection.execute(query.limit(VERIFY_STEP)).all()
                if not rows:
                    return None
                for row in rows:
                    digest = _chain(before, _values(row.at_us, _entry(row).act))
                    if digest != row.hash:
                        return int(row.seq)
                    before, seq = digest, row.seq

        return await self._database.read(walk)


def _values(at_us: int, act: Act) -> dict[str, Any]:
    return {
        "at_us": at_us,
        "actor": act.actor,
        "action": act.action,
        "target": act.target,
        "resident": act.resident,
        "outcome": act.outcome,
        "detail": act.detail,
    }


def _chain(before: bytes, values: dict[str, Any]) -> bytes:
    canonical = json.dumps(
        values, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(before + canonical.encode()).digest()


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        seq=row.seq,
        at=from_us(row.at_us),
        act=Act(
            actor=row.actor,
            action=row.action,
            target=row.target,
            resident=row.resident,
            outcome=row.outcome,
            detail=row.detail,
        ),
    )
