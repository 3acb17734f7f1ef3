"""What could not be read: kept with its reason and bytes, counted, replayable."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database.engine import Database
from gateway.database.tables import dead_letter
from gateway.database.tables.base import from_us, to_us
from gateway.errors import NotFoundError

# Rows kept; beyond it letters are counted and no longer stored, so that a hostile
# station cannot fill the disk that readings need.
MAX_LETTERS: Final = 100_000
# Bytes kept of one letter: the largest legal message, and no more of an illegal one.
MAX_KEPT_BYTES: Final = 1_000_000
# Characters shown of an entry's type; ours have at most twelve.
MAX_TYPE_LENGTH: Final = 32

_ENTRY: Final = "entry type "
_NO_TYPE: Final = re.compile("[^a-z0-9-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A message or an entry that was not understood.

    Attributes:
        topic: where it came; for an entry, its batch's topic.
        reason: stable token: ``seal``, ``signature``, ``batch``, ``entry`` …
        detail: what a person needs to find the fault; never a value.
        payload: the bytes; an entry's alone, not its whole batch.
        entry_type: the entry's type; empty for a whole message.
    """

    topic: str
    station: str
    reason: str
    detail: str
    payload: bytes
    entry_type: str = ""

    @property
    def digest(self) -> bytes:
        """Equal for the same bytes on the same topic."""
        text = f"{self.topic}\0{self.entry_type}\0".encode("utf-8", "surrogatepass")
        return hashlib.sha256(text + self.payload).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A stored one."""

    id: int
    topic: str
    station: str
    reason: str
    detail: str
    payload: bytes
    first_at: datetime
    last_at: datetime
    count: int
    replayed_at: datetime | None

    @property
    def entry_type(self) -> str:
        """The type of an entry's letter; empty for a whole message."""
        if not self.detail.startswith(_ENTRY):
            return ""
        return self.detail.removeprefix(_ENTRY).partition(":")[0]


def store(connection: Connection, refused: Iterable[Refused], now: datetime) -> int:
    """Keep letters; how many were new. The same bytes again raise ``count``."""
    rows = [
        {
            "digest": item.digest,
            "topic": _text(item.topic),
            "station": item.station,
            "reason": item.reason,
            "detail": _detail(item),
            "payload": item.payload[:MAX_KEPT_BYTES],
            "first_us": to_us(now),
            "last_us": to_us(now),
            "count": 1,
        }
        for item in refused
    ]
    if not rows:
        return 0
    before = _count(connection)
    if before >= MAX_LETTERS:
        known = connection.execute(
            select(dead_letter.c.digest).where(
                dead_letter.c.digest.in_([row["digest"] for row in rows])
            )
        )
        digests = set(known.scalars())
        rows = [row for row in rows if row["digest"] in digests]
        if not rows:
            return 0
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(dead_letter)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["digest"],
            set_={
                "count": dead_letter.c.count + 1,
                "last_us": statement.excluded.last_us,
                # Refused again: it was not understood after all.
                "replayed_us": None,
            },
        ),
        rows,
    )
    return _count(connection) - before


def _detail(item: Refused) -> str:
    kind = ""
    if item.entry_type:
        # A peer's word: only what a type can be, so that it is no text of its own.
        kind = f"{_ENTRY}{_NO_TYPE.sub('?', item.entry_type)[:MAX_TYPE_LENGTH]}: "
    cut = len(item.payload) - MAX_KEPT_BYTES
    tail = f" ({cut} bytes more were not kept)" if cut > 0 else ""
    return _text(f"{kind}{item.detail}{tail}")


def _text(value: str) -> str:
    """Text that every database takes: no NUL, no lone surrogates."""
    return value.replace("\0", "?").encode("utf-8", "replace").decode()


def _count(connection: Connection) -> int:
    count = connection.execute(select(func.count()).select_from(dead_letter))
    return int(count.scalar_one())


class DeadLetters:
    """Reading them, and marking one as replayed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(
        self, limit: int, *, before: int | None = None
    ) -> list[DeadLetter]:
        """Newest first; ``before`` is an id, for the next page."""
        query = select(dead_letter).order_by(dead_letter.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(dead_letter.c.id < before)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [_letter(row) for row in rows]

    async def get(self, id_: int) -> DeadLetter:
        """One letter.

        Raises:
            NotFoundError: there is none with this id.
        """
        query = select(dead_letter).where(dead_letter.c.id == id_)
        row = await self._database.read(lambda c: c.execute(query).one_or_none())
        if row is None:
            raise NotFoundError("dead letter: none with this id.")
        return _letter(row)

    async def counts(self) -> dict[str, int]:
        """Letters not yet replayed, by reason."""
        query = (
            select(dead_letter.c.reason, func.count())
            .where(dead_letter.c.replayed_us.is_(None))
            .group_by(dead_letter.c.reason)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return {row[0]: int(row[1]) for row in rows}

    async def mark_replayed(self, id_: int, at: datetime) -> None:
        """Remember that the letter was understood at last."""
        statement = (
            update(dead_letter)
            .where(dead_letter.c.id == id_)
            .values(replayed_us=to_us(at))
        )
        await self._database.write(lambda c: c.execute(statement))


def _letter(row: object) -> DeadLetter:
    data = row._mapping  # type: ignore[attr-defined]  # noqa: SLF001 - public in SQLAlchemy
    replayed = data["replayed_us"]
    return DeadLetter(
        id=data["id"],
        topic=data["topic"],
        station=data["station"],
        reason=data["reason"],
        detail=data["detail"],
        payload=data["payload"],
        first_at=from_us(data["first_us"]),
        last_at=from_us(data["last_us"]),
        count=data["count"],
        replayed_at=None if replayed is None else from_us(replayed),
    )
