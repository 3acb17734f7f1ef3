"""Measurement sessions at this station: open, close, idle, abort.

A change takes effect at once, so that a reading that comes the next moment is judged by
it, and is then journaled together with the station's state; an open session survives a
restart.
"""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

import msgspec

from gateway.errors import NotFoundError, QuotaExceededError
from gateway.model.observation import Setting
from gateway.model.session import IdentifiedBy, MeasurementSession, SessionEnd
from gateway.ports.clock import Clock
from gateway.ports.journal import EntryType, NewEntry
from gateway.station.session_rules import Owner, Taken, owner
from gateway.wire.batch import StationConfig, encode_body

# Closed sessions remembered: some hours at a busy kiosk. Readings older than that come
# from a device's memory and are claimed by hand.
MAX_RECENT: Final = 64

_STATE: Final = "sessions"
_CONFIG: Final = "config"


class StateJournal(Protocol):
    """What sessions need of the journal."""

    async def append(
        self,
        entries: list[NewEntry],
        *,
        state: Mapping[str, bytes | None] | None = None,
    ) -> list[int | None]:
        """Commit entries and state together."""

    async def set_state(self, state: Mapping[str, bytes | None]) -> None:
        """Commit state alone."""

    async def load_state(self, name: str) -> bytes | None:
        """Read state."""


class Sessions:
    """The station's sessions and the persons of its device slots and cards."""

    def __init__(
        self,
        journal: StateJournal,
        clock: Clock,
        *,
        station: str,
        setting: Setting,
        idle: timedelta,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        """``idle`` is how long a session stays open without a reading."""
        self._journal = journal
        self._clock = clock
        self._station = station
        self.setting = setting
        self._idle = idle
        self._new_id = new_id
        self._open: MeasurementSession | None = None
        self._active_at: float | None = None
        self._recent: deque[MeasurementSession] = deque(maxlen=MAX_RECENT)
        self._config = StationConfig(schema=1, version=0)
        # Changes that the full journal refused; they are in force all the same.
        self.unrecorded = 0

    @property
    def current(self) -> MeasurementSession | None:
        """The open session."""
        return self._open

    @property
    def config_version(self) -> int:
        """Version of the slots and cards in force; 0 before the first."""
        return self._config.version

    async def restore(self) -> None:
        """Take up what was open, and the last configuration, after a restart.

        A session older than the idle time is closed: nobody saw who came meanwhile.

        Raises:
            StorageError: the journal cannot be read or written.
        """
        state = await self._journal.load_state(_STATE)
        for session in _SESSIONS.decode(state) if state else []:
            if session.closed_at is None:
                self._open = session
                self._active_at = self._clock.monotonic()
            else:
                self._recent.append(session)
        config = await self._journal.load_state(_CONFIG)
        if config:
            self._config = msgspec.json.decode(config, type=StationConfig)
        if self._open and self._clock.now() - self._open.opened_at > self._idle:
            await self.close(SessionEnd.IDLE)

    async def configure(self, config: StationConfig) -> bool:
        """Put slots and cards in force; False for an older version than the present.

        Raises:
            StorageError: the journal cannot be written.
        """
        if config.version < self._config.version:
            return False
        self._config = config
        await self._journal.set_state({_CONFIG: msgspec.json.encode(config)})
        return True

    async def open(
        self,
        *,
        resident: str,
        identified_by: IdentifiedBy,
        by: str = "",
        session: str = "",
    ) -> MeasurementSession:
        """Open a session; the one before is closed as ``next-person``.

        The same person identified again keeps the session, unless the hub named a new
        one. A session id that was already seen changes nothing.

        Raises:
            StorageError: the journal cannot be written.
        """
        known = next((s for s in self._sessions() if session and s.id == session), None)
        if known is not None:
            return known
        now = self._clock.now()
        changed: list[MeasurementSession] = []
        if self._open is not None:
            if self._open.resident == resident and not session:
                self._active_at = self._clock.monotonic()
                return self._open
            changed.append(self._end(SessionEnd.NEXT_PERSON, now))
        opened = MeasurementSession(
            id=session or self._new_id(),
            station=self._station,
            resident=resident,
            identified_by=identified_by,
            opened_at=now,
            opened_by=by,
        )
        self._open = opened
        self._active_at = self._clock.monotonic()
        await self._record([*changed, opened], now)
        return opened

    async def open_by_card(self, card: str, *, by: str = "") -> MeasurementSession:
        """Open the session of a card's holder; ``card`` is the salted hash.

        Raises:
            NotFoundError: no person is known for the card; the open session is closed
                all the same, for somebody else now stands at the station.
            StorageError: the journal cannot be written.
        """
        resident = self._config.cards.get(card)
        if resident is None:
            await self.close(SessionEnd.NEXT_PERSON)
            raise NotFoundError(
                "card: not known at this station.",
                remedy="Register the card with the resident at the hub.",
            )
        return await self.open(
            resident=resident, identified_by=IdentifiedBy.HEALTH_CARD, by=by
        )

    async def close(
        self, end: SessionEnd = SessionEnd.FINISHED, *, session: str = ""
    ) -> MeasurementSession | None:
        """Close the open session; None when none is, or it is not the one named.

        Raises:
            StorageError: the journal cannot be written.
        """
        if self._open is None or (session and session != self._open.id):
            return None
        now = self._clock.now()
        closed = self._end(end, now)
        await self._record([closed], now)
        return closed

    async def tick(self) -> None:
        """Close a session that was idle for too long.

        Raises:
            StorageError: the journal cannot be written.
        """
        deadline = self.next_deadline()
        if deadline is not None and self._clock.monotonic() >= deadline:
            await self.close(SessionEnd.IDLE)

    def next_deadline(self) -> float | None:
        """When the open session becomes idle, on the monotonic clock."""
        if self._active_at is None:
            return None
        return self._active_at + self._idle.total_seconds()

    def owner(self, taken: Taken) -> Owner:
        """Whose reading it is; a reading of the open session keeps it open."""
        found = owner(
            taken,
            sessions=self._sessions(),
            slots=self._config.slots,
            setting=self.setting,
        )
        if self._open is not None and found.session == self._open.id:
            self._active_at = self._clock.monotonic()
        return found

    def _sessions(self) -> list[MeasurementSession]:
        return [*self._recent, *([self._open] if self._open else [])]

    def _end(self, end: SessionEnd, at: datetime) -> MeasurementSession:
        if self._open is None:
            raise RuntimeError("no session is open")
        closed = msgspec.structs.replace(
            self._open, closed_at=max(at, self._open.opened_at), end=end
        )
        self._recent.append(closed)
        self._open = None
        self._active_at = None
        return closed

    async def _record(self, changed: list[MeasurementSession], at: datetime) -> None:
        state = {_STATE: _SESSIONS_OUT.encode(self._sessions())}
        entries = [
            NewEntry(
                type=EntryType.SESSION,
                key=f"session|{s.id}|{s.end or 'open'}".encode(),
                body=encode_body(s),
                at=at,
            )
            for s in changed
        ]
        try:
            await self._journal.append(entries, state=state)
        except QuotaExceededError:
            # Who stands at the station must be right even with a full disk.
            self.unrecorded += len(changed)
            await self._journal.set_state(state)


_SESSIONS: Final = msgspec.json.Decoder(list[MeasurementSession])
_SESSIONS_OUT: Final = msgspec.json.Encoder()
