"""The station's journal: committed before it is shown, sent or forgotten.

One thread writes. Calls that wait together share one transaction and one fsync; each
returns after the commit. Reads see the last committed state. What was committed last
is also held in memory, so that the uplink sends it without reading it back.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from gateway.errors import NotFoundError, QuotaExceededError, StorageError
from gateway.ports.journal import Entry, JournalState, NewEntry
from gateway.station.journal_file import JournalFile, entry_of
from gateway.station.journal_schema import (
    DeadLetter,
    Figures,
    NewDeadLetter,
    from_microseconds,
    to_microseconds,
)

T = TypeVar("T")

# Calls that share one commit; more would only delay the first in line.
MAX_GROUP: Final = 128
# Calls waiting for the writer; beyond it callers wait here: back-pressure on devices.
MAX_WAITING: Final = 1_024
# Entries kept in memory for the uplink: some seconds of a busy station.
MAX_TAIL_ENTRIES: Final = 4_096
# And their bodies: ECG chunks are up to 50 KiB.
MAX_TAIL_BYTES: Final = 8_388_608
# Rows of one read; a batch has at most 256 entries.
MAX_READ: Final = 4_096
# SQLite takes at most this many parameters in one statement.
_MAX_PARAMETERS: Final = 900

Listener = Callable[[list[Entry]], None]


@dataclass(slots=True)
class _Job:
    work: Callable[[JournalFile], Any]
    future: asyncio.Future[Any]
    entries: list[NewEntry] = field(default_factory=list)


class SqliteJournal:
    """``gateway.ports.journal.Journal`` on one SQLite file, and what else must last.

    Belongs to one event loop. ``close`` it to release the file.
    """

    def __init__(self, path: Path, *, quota_bytes: int) -> None:
        """Open or create the file; a damaged one is set aside.

        Raises:
            StorageError: it cannot be opened, or another process has it.
        """
        self._file = JournalFile(path, quota_bytes=quota_bytes)
        self.set_aside: Path | None = self._file.set_aside
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = asyncio.Semaphore(MAX_WAITING)
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="journal-read")
        self._path = path
        self._figures = self._file.figures
        self._tail: dict[int, Entry] = {}
        self._tail_bytes = 0
        # Every entry held above this number is in the tail.
        self._tail_after = self._figures.last_seq
        self._listeners: list[Listener] = []
        self._closed = False
        self._writer = threading.Thread(
            target=self._write_loop, name="journal-write", daemon=True
        )
        self._writer.start()

    @property
    def epoch(self) -> str:
        """Changes when the disk was replaced or rolled back."""
        return self._figures.epoch

    @property
    def figures(self) -> Figures:
        """The journal in numbers, as of the last commit seen by the event loop."""
        return self._figures

    def listen(self, listener: Listener) -> None:
        """Have ``listener`` called in the event loop with entries after each commit."""
        self._listeners.append(listener)

    # --- the port --------------------------------------------------------------------

    async def append(
        self,
        entries: list[NewEntry],
        *,
        state: Mapping[str, bytes | None] | None = None,
    ) -> list[int | None]:
        """Commit; the seq of each entry, None for one whose key is already held.

        ``state`` is set in the same transaction; see ``load_state``.

        Raises:
            QuotaExceededError: the disk quota is used up; nothing was appended.
            StorageError: an entry is too large, or the file cannot be written.
        """
        named = state or {}
        return await self._write(lambda file: file.append(entries, named), entries)

    async def fresh(self, after: int, limit: int) -> list[Entry]:
        """Unacknowledged entries with ``seq > after``, oldest first."""
        if after >= self._tail_after:
            return [self._tail[seq] for seq in self._tail_within(after + 1)[:limit]]
        rows = await self._read(
            "SELECT seq, type, at_us, body FROM entry WHERE seq > ?"
            " ORDER BY seq LIMIT ?",
            (after, min(limit, MAX_READ)),
        )
        return [entry_of(row) for row in rows]

    async def acknowledge(
        self, epoch: str, upto: int, ranges: list[tuple[int, int]]
    ) -> None:
        """Free entries that the hub holds: all up to ``upto``, and inclusive ranges.

        Another epoch's acknowledgement frees nothing and is counted; one for entries
        that were never committed here starts a new epoch (the disk was rolled back).

        Raises:
            StorageError: the file cannot be written.
        """
        freed = await self._write(lambda file: file.acknowledge(epoch, upto, ranges))
        for first, last in freed:
            for seq in self._tail_within(first, last):
                self._tail_bytes -= len(self._tail.pop(seq).body)

    async def state(self) -> JournalState:
        """Depth, age and fill."""
        figures = self._figures
        return JournalState(
            epoch=figures.epoch,
            depth=figures.depth,
            oldest_at=figures.oldest_at,
            last_seq=figures.last_seq,
            acknowledged=figures.first_seq - 1,
            bytes_used=figures.bytes_used,
            bytes_quota=figures.bytes_quota,
            refused_waveforms=figures.refused_waveforms,
            refused_readings=figures.refused_readings,
        )

    # --- what the uplink needs beside the port ---------------------------------------

    async def held(self, seqs: list[int]) -> list[Entry]:
        """Those of the entries that are still unacknowledged, oldest first."""
        found: list[Entry] = []
        for start in range(0, len(seqs), _MAX_PARAMETERS):
            part = seqs[start : start + _MAX_PARAMETERS]
            marks = ",".join("?" * len(part))
            rows = await self._read(
                "SELECT seq, type, at_us, body FROM entry"  # noqa: S608 - only marks
                f" WHERE seq IN ({marks}) ORDER BY seq",
                part,
            )
            found += [entry_of(row) for row in rows]
        return found

    async def last_before(self, at: datetime) -> int:
        """The newest unacknowledged entry older than ``at``; 0 when there is none."""
        rows = await self._read(
            "SELECT seq FROM entry WHERE at_us < ? ORDER BY seq DESC LIMIT 1",
            (to_microseconds(at),),
        )
        return int(rows[0][0]) if rows else 0

    # --- what else must last ---------------------------------------------------------

    async def load_state(self, name: str) -> bytes | None:
        """A value set with ``append`` or ``set_state``; None when it was never set."""
        rows = await self._read(
            "SELECT value FROM station_state WHERE name = ?", (name,)
        )
        return bytes(rows[0][0]) if rows else None

    async def set_state(self, state: Mapping[str, bytes | None]) -> None:
        """Set named values durably; None removes one.

        Raises:
            StorageError: the file cannot be written.
        """
        await self._write(lambda file: file.set_state(state))

    async def bookmarks(self, device: str) -> dict[str, str]:
        """What was remembered for a device."""
        rows = await self._read(
            "SELECT key, value FROM bookmark WHERE device = ?", (device,)
        )
        return dict(rows)

    async def set_bookmark(self, device: str, key: str, value: str) -> None:
        """Remember a value for a device, durably.

        Raises:
            StorageError: the file cannot be written.
        """
        await self._write(lambda file: file.set_bookmark(device, key, value))

    async def add_dead_letter(self, letter: NewDeadLetter) -> int:
        """Set bytes aside durably; the same bytes again raise the count. Its id.

        Raises:
            StorageError: the file cannot be written.
        """
        return await self._write(lambda file: file.add_dead_letter(letter))

    async def dead_letters(
        self, *, limit: int, below: int | None = None
    ) -> list[DeadLetter]:
        """The newest first, those with an id less than ``below``."""
        rows = await self._read(
            f"{_DEAD_LETTER} WHERE id < ? ORDER BY id DESC LIMIT ?",
            (2**62 if below is None else below, min(limit, MAX_READ)),
        )
        return [_dead_letter_of(row) for row in rows]

    async def dead_letter(self, letter: int) -> DeadLetter:
        """One of them.

        Raises:
            NotFoundError: there is none with this id.
        """
        rows = await self._read(f"{_DEAD_LETTER} WHERE id = ?", (letter,))
        if not rows:
            raise NotFoundError("dead letter: there is none with this id.")
        return _dead_letter_of(rows[0])

    async def mark_replayed(self, letter: int, at: datetime) -> None:
        """Note that a dead letter was decoded after all.

        Raises:
            StorageError: the file cannot be written.
        """
        await self._write(lambda file: file.mark_replayed(letter, at))

    def close(self) -> None:
        """Finish the writes that wait, then release the file and the threads."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown()
        self._file.close()

    def _tail_within(self, first: int, last: int | None = None) -> list[int]:
        """The sequence numbers in the tail from ``first`` to ``last``."""
        end = self._figures.last_seq
        end = end if last is None else min(last, end)
        if end - first < len(self._tail):
            return [seq for seq in range(first, end + 1) if seq in self._tail]
        return [seq for seq in self._tail if first <= seq <= end]

    # --- threads ---------------------------------------------------------------------

    async def _read(self, sql: str, values: Any) -> list[Any]:  # noqa: ANN401 - DBAPI
        def run() -> list[Any]:
            with closing(sqlite3.connect(self._path)) as connection:
                return connection.execute(sql, values).fetchall()

        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)
        except sqlite3.Error as error:
            raise StorageError(f"journal: {error}.") from error

    async def _write(
        self, work: Callable[[JournalFile], T], entries: list[NewEntry] | None = None
    ) -> T:
        if self._closed:
            raise StorageError("journal: closed.")
        async with self._waiting:
            future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            self._jobs.put(_Job(work, future, entries or []))
            return await future

    def _write_loop(self) -> None:
        while True:
            job = self._jobs.get()
            group: list[_Job] = []
            while job is not None:
                group.append(job)
                if len(group) >= MAX_GROUP:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._commit(group)
            if job is None:
                return

    def _commit(self, group: list[_Job]) -> None:
        """Run the jobs in one transaction; one by one when that fails."""
        file = self._file
        outcomes: list[tuple[_Job, Any, Exception | None]] = []
        committed: list[Entry] = []
        try:
            file.begin()
            for job in group:
                try:
                    outcomes.append((job, job.work(file), None))
                except StorageError as refusal:
                    # Raised before anything was changed: its neighbours stand.
                    outcomes.append((job, None, refusal))
            committed = file.commit()
        except Exception as error:  # noqa: BLE001 - goes to its caller
            file.rollback()
            if len(group) > 1:
                for job in group:
                    self._commit([job])
                return
            outcomes = [(group[0], None, self._failure(group[0], error))]
        loop = group[0].future.get_loop()
        try:
            loop.call_soon_threadsafe(self._settle, outcomes, committed, file.figures)
        except RuntimeError:
            # The loop has ended: nobody waits, and what was committed stays.
            return

    def _failure(self, job: _Job, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        failure = StorageError(f"journal: {error}.")
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            self._file.refuse(job.entries)
            failure = QuotaExceededError(
                "journal: the disk is full.", remedy="Free space on the disk."
            )
        failure.__cause__ = error
        return failure

    def _settle(
        self,
        outcomes: list[tuple[_Job, Any, Exception | None]],
        committed: list[Entry],
        figures: Figures,
    ) -> None:
        self._figures = figures
        for entry in committed:
            self._tail[entry.seq] = entry
            self._tail_bytes += len(entry.body)
        while len(self._tail) > MAX_TAIL_ENTRIES or self._tail_bytes > MAX_TAIL_BYTES:
            seq = next(iter(self._tail))
            self._tail_bytes -= len(self._tail.pop(seq).body)
            self._tail_after = seq
        for job, result, failure in outcomes:
            if job.future.done():
                continue  # cancelled meanwhile
            if failure is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(failure)
        if committed:
            for listener in self._listeners:
                listener(committed)


_DEAD_LETTER: Final = (
    "SELECT id, device, driver, channel, reason, raw, first_us, last_us, count,"
    " replayed_us FROM dead_letter"
)


def _dead_letter_of(row: Any) -> DeadLetter:  # noqa: ANN401 - a DBAPI row
    return DeadLetter(
        id=row[0],
        device=row[1],
        driver=row[2],
        channel=row[3],
        reason=row[4],
        raw=row[5],
        first_at=from_microseconds(row[6]),
        last_at=from_microseconds(row[7]),
        count=row[8],
        replayed_at=None if row[9] is None else from_microseconds(row[9]),
    )
