"""What the uplink sends next, and what the hub has not yet acknowledged. Pure.

Two lanes over the journal's sequence numbers:

    1 ........ backlog ranges ........ | .......... fresh ..........
                 (after, upto]          fresh_after          last_seq

Fresh entries go first, the backlog in the gaps. What was sent is a *flight* until the
hub acknowledges it. A flight overdue is sent again; while the hub is silent only the
oldest is, with back-off, as TCP does: a week without a hub must not fill the broker.
"""

import bisect
import enum
import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from gateway.ports.journal import Entry, EntryType
from gateway.wire.batch import MAX_ENTRIES_PER_BATCH

# Sent and not acknowledged by the hub: 50 ms of the fastest hub, with headroom.
MAX_UNACKNOWLEDGED: Final = 8_192
# The backlog's share of it, so that there is always room for what is fresh.
MAX_UNACKNOWLEDGED_BACKLOG: Final = 4_096
# Body bytes of one batch: with its envelope well under ``MAX_PAYLOAD_BYTES``.
MAX_BATCH_BYTES: Final = 512 * 1024
# Without an acknowledgement for so long a flight is overdue (s). A busy hub answers in
# well under a second; ten cover a restart.
RESEND_AFTER: Final = 10.0
# Longest pause between probes of a silent hub (s).
PROBE_EVERY: Final = 300.0


class Priority(enum.IntEnum):
    """Order of sending."""

    FRESH = 0
    FRESH_WAVEFORM = 1
    RESEND = 2
    BACKLOG = 3
    BACKLOG_WAVEFORM = 4

    @property
    def is_fresh(self) -> bool:
        """Committed since the uplink last caught up."""
        return self <= Priority.FRESH_WAVEFORM


@dataclass(order=True, slots=True)
class Prepared:
    """A batch that waits for a place; waveforms and others never share one."""

    priority: Priority
    number: int
    entries: list[Entry] = field(compare=False)
    attempts: int = field(default=0, compare=False)

    @property
    def waveforms(self) -> bool:
        """Whether it goes to the waveforms topic."""
        return self.entries[0].type is EntryType.WAVEFORM


@dataclass(slots=True)
class Flight:
    """Sent, not acknowledged. ``due`` is None while the broker has not taken it."""

    number: int
    seqs: list[int]
    attempts: int
    backlog: bool
    due: float | None = None


class Lanes:
    """See the module's docstring. Times are monotonic seconds, given by the caller."""

    def __init__(self, *, horizon: int) -> None:
        """Entries up to ``horizon`` are backlog."""
        self.fresh_after = horizon
        self._backlog: deque[list[int]] = deque([[0, horizon]] if horizon else [])
        self._ready: list[Prepared] = []
        self._flights: dict[int, Flight] = {}
        self._numbers = 0
        self._upto = 0
        self._ranges: list[tuple[int, int]] = []
        self._unanswered = 0  # overdue flights sent since the hub last answered
        self._probe_at = 0.0
        self.unacknowledged = 0
        self._unacknowledged_backlog = 0

    # --- what to fetch ---------------------------------------------------------------

    @property
    def takes_fresh(self) -> bool:
        """Whether there is room for more fresh entries."""
        waiting = any(p.priority.is_fresh for p in self._ready)
        return not waiting and self.unacknowledged < MAX_UNACKNOWLEDGED

    @property
    def backlog(self) -> tuple[int, int] | None:
        """The oldest range (after, upto] to fetch, when there is room for it."""
        if (
            self._ready
            or not self._backlog
            or self._unacknowledged_backlog >= MAX_UNACKNOWLEDGED_BACKLOG
            or self.unacknowledged >= MAX_UNACKNOWLEDGED
        ):
            return None
        after, upto = self._backlog[0]
        return after, upto

    def split(self, horizon: int) -> None:
        """Fresh entries up to ``horizon`` have grown old: they join the backlog."""
        if horizon > self.fresh_after:
            self._backlog.append([self.fresh_after, horizon])
            self.fresh_after = horizon

    def fetched_fresh(self, entries: list[Entry]) -> None:
        """The next entries after ``fresh_after``."""
        self.fresh_after = entries[-1].seq
        self._prepare(entries, Priority.FRESH, Priority.FRESH_WAVEFORM)

    def fetched_backlog(self, entries: list[Entry]) -> None:
        """The next entries of the range in ``backlog``; none: it is done."""
        current = self._backlog[0]
        inside = [e for e in entries if e.seq <= current[1]]
        if inside:
            current[0] = inside[-1].seq
            self._prepare(inside, Priority.BACKLOG, Priority.BACKLOG_WAVEFORM)
        if not inside or current[0] >= current[1]:
            self._backlog.popleft()

    def overdue(self, now: float) -> Flight | None:
        """A flight to fetch again with ``fetched_again``."""
        if self._unanswered and now < self._probe_at:
            return None
        return next(
            (f for f in self._flights.values() if f.due is not None and f.due <= now),
            None,
        )

    def fetched_again(self, flight: Flight, entries: list[Entry], now: float) -> None:
        """An overdue flight's entries that the journal still holds."""
        if flight.number not in self._flights:
            return  # acknowledged while the journal was read
        self._drop(flight)
        if not entries:
            return
        pause = min(RESEND_AFTER * 2**self._unanswered, PROBE_EVERY)
        self._probe_at = now + pause
        self._unanswered = min(self._unanswered + 1, 16)
        self._prepare(
            entries, Priority.RESEND, Priority.RESEND, attempts=flight.attempts
        )

    # --- sending ---------------------------------------------------------------------

    def next_batch(self, *, only_fresh: bool) -> tuple[Prepared, Flight] | None:
        """The batch to send now, which becomes a flight; None when there is none."""
        while self._ready:
            if only_fresh and not self._ready[0].priority.is_fresh:
                return None
            prepared = heapq.heappop(self._ready)
            prepared.entries = [e for e in prepared.entries if not self._holds(e.seq)]
            if prepared.entries:
                return prepared, self._depart(prepared)
        return None

    def taken(self, flight: Flight, now: float) -> None:
        """The broker took it (PUBACK)."""
        flight.due = now + RESEND_AFTER

    def failed(self, prepared: Prepared, flight: Flight) -> None:
        """The broker did not take it: it waits again, in its old place."""
        if flight.number in self._flights:
            self._drop(flight)
            heapq.heappush(self._ready, prepared)

    def acknowledged(self, upto: int, ranges: list[tuple[int, int]]) -> None:
        """The hub holds these; every flight is freed of them."""
        self._upto = max(self._upto, upto)
        self._ranges = sorted(ranges)
        self._unanswered = 0
        for flight in list(self._flights.values()):
            if not self._touches(flight.seqs[0], flight.seqs[-1]):
                continue
            left = [seq for seq in flight.seqs if not self._holds(seq)]
            if not left:
                self._drop(flight)
            elif len(left) < len(flight.seqs):
                self._count(flight, len(left) - len(flight.seqs))
                flight.seqs = left

    # --- inside ----------------------------------------------------------------------

    def _holds(self, seq: int) -> bool:
        if seq <= self._upto:
            return True
        place = bisect.bisect_right(self._ranges, (seq, 2**63)) - 1
        return place >= 0 and seq <= self._ranges[place][1]

    def _touches(self, first: int, last: int) -> bool:
        """Whether anything from ``first`` to ``last`` may be held."""
        if first <= self._upto:
            return True
        place = bisect.bisect_right(self._ranges, (last, 2**63)) - 1
        return place >= 0 and first <= self._ranges[place][1]

    def _prepare(
        self,
        entries: list[Entry],
        priority: Priority,
        waveform: Priority,
        *,
        attempts: int = 0,
    ) -> None:
        """Split by topic, number and bytes."""
        groups: dict[bool, list[Entry]] = {False: [], True: []}
        for entry in entries:
            groups[entry.type is EntryType.WAVEFORM].append(entry)
        for is_waveform, group in groups.items():
            part: list[Entry] = []
            size = 0
            for entry in group:
                full = len(part) >= MAX_ENTRIES_PER_BATCH
                if part and (full or size + len(entry.body) > MAX_BATCH_BYTES):
                    self._push(waveform if is_waveform else priority, part, attempts)
                    part, size = [], 0
                part.append(entry)
                size += len(entry.body)
            if part:
                self._push(waveform if is_waveform else priority, part, attempts)

    def _push(self, priority: Priority, entries: list[Entry], attempts: int) -> None:
        self._numbers += 1
        heapq.heappush(
            self._ready, Prepared(priority, self._numbers, entries, attempts)
        )

    def _depart(self, prepared: Prepared) -> Flight:
        self._numbers += 1
        flight = Flight(
            number=self._numbers,
            seqs=[e.seq for e in prepared.entries],
            attempts=prepared.attempts + 1,
            backlog=not prepared.priority.is_fresh,
        )
        self._flights[flight.number] = flight
        self._count(flight, len(flight.seqs))
        return flight

    def _drop(self, flight: Flight) -> None:
        del self._flights[flight.number]
        self._count(flight, -len(flight.seqs))

    def _count(self, flight: Flight, change: int) -> None:
        self.unacknowledged += change
        if flight.backlog:
            self._unacknowledged_backlog += change
