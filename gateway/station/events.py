"""Technical events of the station: begun, over, once each.

A condition that flickers is recorded when it changes, but not more often than every
``MIN_INTERVAL`` seconds; the state it has then is recorded by the next ``tick``, with
the number of changes in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import uuid4

import msgspec

from gateway.errors import QuotaExceededError
from gateway.model.session import TechnicalEvent
from gateway.ports.clock import Clock
from gateway.ports.journal import EntryType, NewEntry
from gateway.wire.batch import encode_body

# A loose plug toggles many times a second; twelve entries a minute tell as much.
MIN_INTERVAL: Final = 5.0
# Conditions known at a time; beyond it a further one is counted and not recorded.
MAX_CONDITIONS: Final = 512
# What an operator reads; drivers' texts are short.
MAX_DETAIL: Final = 200

_STATE: Final = "conditions"


class EventJournal(Protocol):
    """What events need of the journal."""

    async def append(
        self,
        entries: list[NewEntry],
        *,
        state: Mapping[str, bytes | None] | None = None,
    ) -> list[int | None]:
        """Commit entries and state together."""

    async def load_state(self, name: str) -> bytes | None:
        """Read state."""


@dataclass(slots=True)
class _Condition:
    active: bool
    detail: str
    recorded: bool  # the state last journaled
    recorded_at: float
    changes: int = 0


class Events:
    """The station's conditions and their record in the journal."""

    def __init__(self, journal: EventJournal, clock: Clock, *, station: str) -> None:
        self._journal = journal
        self._clock = clock
        self._station = station
        self._conditions: dict[tuple[str, str], _Condition] = {}
        # Events the full journal refused, or beyond ``MAX_CONDITIONS``.
        self.unrecorded = 0

    @property
    def active(self) -> list[str]:
        """Conditions that hold: ``code`` or ``code:device``, sorted."""
        return sorted(
            f"{code}:{device}" if device else code
            for (code, device), condition in self._conditions.items()
            if condition.active
        )

    async def restore(self) -> None:
        """Declare over what held before a restart; what still holds comes again.

        Raises:
            StorageError: the journal cannot be read or written.
        """
        state = await self._journal.load_state(_STATE)
        if not state:
            return
        held = msgspec.json.decode(state, type=list[tuple[str, str]])
        for code, device in held:
            await self._record(code, device, active=False, detail="Station restarted.")
        await self._journal.append([], state={_STATE: None})

    async def set(
        self, code: str, *, active: bool, device: str = "", detail: str = ""
    ) -> None:
        """A condition holds, or no longer does. Recorded when that is news.

        Raises:
            StorageError: the journal cannot be written.
        """
        key = (code, device)
        condition = self._conditions.get(key)
        if condition is None:
            if not active:
                return
            if not self._make_room():
                self.unrecorded += 1
                return
            condition = _Condition(
                active=True, detail=detail, recorded=False, recorded_at=float("-inf")
            )
            self._conditions[key] = condition
        elif condition.active == active:
            return
        else:
            condition.active = active
            condition.detail = detail
        condition.changes += 1
        if self._clock.monotonic() - condition.recorded_at >= MIN_INTERVAL:
            await self._settle(key, condition)

    async def note(self, code: str, *, device: str = "", detail: str = "") -> None:
        """Record something that happened and does not last.

        Raises:
            StorageError: the journal cannot be written.
        """
        await self._record(code, device, active=False, detail=detail)

    async def tick(self) -> None:
        """Record conditions that changed too soon after their last record.

        Raises:
            StorageError: the journal cannot be written.
        """
        now = self._clock.monotonic()
        for key, condition in list(self._conditions.items()):
            if condition.changes and now - condition.recorded_at >= MIN_INTERVAL:
                await self._settle(key, condition)

    async def _settle(self, key: tuple[str, str], condition: _Condition) -> None:
        changes, condition.changes = condition.changes, 0
        condition.recorded_at = self._clock.monotonic()
        detail = condition.detail
        if changes > 1:
            detail = f"{detail} ({changes} changes)".strip()
        elif condition.active == condition.recorded:
            return
        condition.recorded = condition.active
        await self._record(key[0], key[1], active=condition.active, detail=detail)

    def _make_room(self) -> bool:
        if len(self._conditions) < MAX_CONDITIONS:
            return True
        for key, condition in self._conditions.items():
            if not condition.active and not condition.changes:
                del self._conditions[key]
                return True
        return False

    async def _record(
        self, code: str, device: str, *, active: bool, detail: str
    ) -> None:
        now = self._clock.now()
        event = TechnicalEvent(
            id=uuid4(),
            station=self._station,
            code=code,
            at=now,
            active=active,
            device=device,
            detail=detail[:MAX_DETAIL],
        )
        held = [key for key, c in self._conditions.items() if c.active]
        entry = NewEntry(
            type=EntryType.EVENT, key=event.id.bytes, body=encode_body(event), at=now
        )
        try:
            await self._journal.append(
                [entry], state={_STATE: msgspec.json.encode(held)}
            )
        except QuotaExceededError:
            self.unrecorded += 1
