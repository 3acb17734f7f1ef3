"""The journal's SQLite file: WAL, ``synchronous=FULL``, one writer.

Every method runs in the journal's writer thread, between ``begin`` and ``commit``.
What a transaction changes in memory is staged and takes effect at the commit, so that
a transaction that fails leaves nothing behind.
"""

import hashlib
import os
import sqlite3
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from gateway.errors import QuotaExceededError, StorageError
from gateway.ports.journal import Entry, EntryType, NewEntry
from gateway.station.journal_open import lock, move_aside, open_file
from gateway.station.journal_schema import (
    ENTRY_TYPES,
    TYPE_NUMBERS,
    Figures,
    NewDeadLetter,
    from_microseconds,
    to_microseconds,
)

# A meter remembers up to about 2,000 records and sends them all after a battery change:
# this covers some sixty such devices at one station, for about 15 MB of memory.
MAX_RECENT_KEYS: Final = 131_072
# One reading is below 2 KiB and ten seconds of one lead at 1 kHz below 48 KiB. Larger
# is a fault of ours, and would not fit a batch either.
MAX_ENTRY_BYTES: Final = 262_144
# A noisy line can fill a disk with junk; the newest thousand tell what is wrong.
MAX_DEAD_LETTERS: Final = 1_000
# Framers bound their buffers at 4 KiB; a longer run is kept up to here.
MAX_DEAD_LETTER_BYTES: Final = 16_384
# Row, key and index bytes of an entry beside its body, for the check before writing.
ENTRY_OVERHEAD_BYTES: Final = 96

# The part of the quota each type may fill: what is cheapest to lose is refused first.
# The last tenth is for readings and sessions, half of it also for technical events.
SHARE: Final[Mapping[EntryType, float]] = {
    EntryType.WAVEFORM: 0.90,
    EntryType.EVENT: 0.95,
    EntryType.READING: 1.0,
    EntryType.SESSION: 1.0,
}

_COUNTERS: Final = (
    "refused_waveforms",
    "refused_readings",
    "refused_events",
    "duplicates",
    "dead_letters_evicted",
    "wrong_epoch",
    "epochs_started",
)


class JournalFile:
    """One journal file, locked against a second process."""

    def __init__(self, path: Path, *, quota_bytes: int) -> None:
        """Open or create it.

        Raises:
            StorageError: it cannot be opened, or another process has it.
        """
        self.path = path
        self.quota_bytes = quota_bytes
        self.set_aside: Path | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = lock(path)
        try:
            self._connection = self._open()
            self._load()
        except sqlite3.Error as error:
            os.close(self._lock)
            raise StorageError(
                f"journal: {error}.", remedy="Check the path and its permissions."
            ) from error
        except StorageError:
            os.close(self._lock)
            raise

    def _open(self) -> sqlite3.Connection:
        try:
            return open_file(self.path)
        except sqlite3.OperationalError:
            raise  # permissions, a missing folder: nothing that a new file would cure
        except sqlite3.DatabaseError:
            # Damaged: measuring must go on, and the damaged file may be salvaged.
            self.set_aside = move_aside(self.path)
            return open_file(self.path)

    def _load(self) -> None:
        execute = self._connection.execute
        meta = dict(execute("SELECT name, value FROM meta").fetchall())
        self._counters: dict[str, int] = {n: int(meta.get(n, 0)) for n in _COUNTERS}
        self._saved_counters = dict(self._counters)
        rows = execute("SELECT key FROM held_key ORDER BY seq").fetchall()
        self._key_order: deque[bytes] = deque(row[0] for row in rows)
        self._keys: set[bytes] = set(self._key_order)
        self._last_seq: int = execute(
            "SELECT MAX((SELECT COALESCE(MAX(seq), 0) FROM entry),"
            " (SELECT COALESCE(MAX(seq), 0) FROM held_key))"
        ).fetchone()[0]
        self._depth: int = execute("SELECT COUNT(*) FROM entry").fetchone()[0]
        self._letters = 0
        self._letters_changed = True
        self.figures: Figures = self._measure(meta["epoch"])

    def close(self) -> None:
        """Release the file and the lock."""
        self._connection.close()
        os.close(self._lock)

    # --- transactions ----------------------------------------------------------------

    def begin(self) -> None:
        """Start a transaction."""
        self._staged: list[Entry] = []
        self._staged_keys: dict[bytes, int] = {}
        self._staged_bytes = 0
        self._removed = 0
        self._next_seq = self._last_seq + 1
        self._next_epoch = self.figures.epoch
        self._next_counters = dict(self._counters)
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> list[Entry]:
        """Make everything since ``begin`` durable; the entries appended."""
        if self._next_counters != self._saved_counters:
            self._connection.executemany(
                "REPLACE INTO meta VALUES (?, ?)",
                [(name, str(value)) for name, value in self._next_counters.items()],
            )
        expired = self._next_seq - 1 - MAX_RECENT_KEYS
        if self._staged and expired > 0:
            self._connection.execute("DELETE FROM held_key WHERE seq <= ?", (expired,))
        self._connection.execute("COMMIT")
        self._saved_counters = dict(self._next_counters)
        self._counters = self._next_counters
        self._last_seq = self._next_seq - 1
        self._depth += len(self._staged) - self._removed
        for key in self._staged_keys:
            self._keys.add(key)
            self._key_order.append(key)
        while len(self._key_order) > MAX_RECENT_KEYS:
            self._keys.discard(self._key_order.popleft())
        self.figures = self._measure(self._next_epoch)
        return self._staged

    def rollback(self) -> None:
        """Undo everything since ``begin``, except that refusals stay counted."""
        if self._connection.in_transaction:
            # A roll-back that fails shows as the failure of the next BEGIN.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    # --- entries ---------------------------------------------------------------------

    def append(
        self, entries: list[NewEntry], state: Mapping[str, bytes | None]
    ) -> list[int | None]:
        """Insert entries and set state; the seq of each, None for a key already held.

        Raises:
            QuotaExceededError: the quota is used up; nothing was inserted.
            StorageError: an entry is larger than ``MAX_ENTRY_BYTES``.
        """
        fresh: list[NewEntry] = []
        keys: dict[bytes, int] = {}
        seqs: list[int | None] = []
        for entry in entries:
            if len(entry.body) > MAX_ENTRY_BYTES:
                raise StorageError(f"entry: larger than {MAX_ENTRY_BYTES} bytes.")
            if (
                entry.key in self._keys
                or entry.key in self._staged_keys
                or entry.key in keys
            ):
                seqs.append(None)
                continue
            seq = self._next_seq + len(fresh)
            keys[entry.key] = seq
            seqs.append(seq)
            fresh.append(entry)
        self._check_quota(fresh)
        self._next_counters["duplicates"] += len(entries) - len(fresh)
        if fresh:
            first = self._next_seq
            self._connection.executemany(
                "INSERT INTO entry VALUES (?, ?, ?, ?)",
                [
                    (first + i, TYPE_NUMBERS[e.type], to_microseconds(e.at), e.body)
                    for i, e in enumerate(fresh)
                ],
            )
            self._connection.executemany(
                "INSERT INTO held_key VALUES (?, ?)",
                [(seq, key) for key, seq in keys.items()],
            )
            self._staged += [
                Entry(seq=first + i, type=e.type, body=e.body, at=e.at)
                for i, e in enumerate(fresh)
            ]
            self._staged_keys |= keys
            self._next_seq += len(fresh)
        self.set_state(state)
        return seqs

    def acknowledge(
        self, epoch: str, upto: int, ranges: list[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Delete what the hub holds; the inclusive ranges freed.

        A hub that holds what this journal never committed has seen a later state of
        the disk: it was rolled back, and its next numbers would be taken for held. A
        new epoch begins, under which everything still here is sent again.
        """
        if epoch != self._next_epoch:
            self._next_counters["wrong_epoch"] += 1
            return []
        wanted = [(0, upto), *ranges] if upto > 0 else list(ranges)
        if any(last >= self._next_seq for _, last in wanted):
            self._next_epoch = str(uuid4())
            self._next_counters["epochs_started"] += 1
            self._connection.execute(
                "UPDATE meta SET value = ? WHERE name = 'epoch'", (self._next_epoch,)
            )
            return []
        for first, last in wanted:
            self._removed += self._connection.execute(
                "DELETE FROM entry WHERE seq BETWEEN ? AND ?", (first, last)
            ).rowcount
        return wanted

    # --- everything beside the entries -----------------------------------------------

    def set_state(self, state: Mapping[str, bytes | None]) -> None:
        """Set named values; None removes one."""
        for name, value in state.items():
            if value is None:
                self._connection.execute(
                    "DELETE FROM station_state WHERE name = ?", (name,)
                )
            else:
                self._connection.execute(
                    "REPLACE INTO station_state VALUES (?, ?)", (name, value)
                )

    def set_bookmark(self, device: str, key: str, value: str) -> None:
        """Remember a value for a device."""
        self._connection.execute(
            "REPLACE INTO bookmark VALUES (?, ?, ?)", (device, key, value)
        )

    def add_dead_letter(self, letter: NewDeadLetter) -> int:
        """Set bytes aside; the same bytes again raise the count. The letter's id."""
        raw, reason = letter.raw, letter.reason
        if len(raw) > MAX_DEAD_LETTER_BYTES:
            raw = raw[:MAX_DEAD_LETTER_BYTES]
            reason = f"{reason} (first {len(raw)} of {len(letter.raw)} bytes)"
        text = f"{letter.device}|{letter.driver}|{letter.channel}|{letter.reason}|"
        digest = hashlib.sha256(text.encode() + letter.raw).digest()
        at = to_microseconds(letter.at)
        row = self._connection.execute(
            "INSERT INTO dead_letter VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, 1, NULL, ?)"
            " ON CONFLICT (digest) DO UPDATE SET count = count + 1,"
            " last_us = excluded.last_us, replayed_us = NULL RETURNING id",
            (
                digest,
                letter.device,
                letter.driver,
                letter.channel,
                reason,
                at,
                at,
                raw,
            ),
        ).fetchone()
        evicted = self._connection.execute(
            "DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter"
            " ORDER BY last_us DESC, id DESC LIMIT -1 OFFSET ?)",
            (MAX_DEAD_LETTERS,),
        ).rowcount
        self._next_counters["dead_letters_evicted"] += evicted
        self._letters_changed = True
        return int(row[0])

    def mark_replayed(self, letter: int, at: datetime) -> None:
        """Note that a dead letter was decoded after all."""
        self._connection.execute(
            "UPDATE dead_letter SET replayed_us = ? WHERE id = ?",
            (to_microseconds(at), letter),
        )
        self._letters_changed = True

    # --- inside ----------------------------------------------------------------------

    def _check_quota(self, entries: list[NewEntry]) -> None:
        used = self.figures.bytes_used + self._staged_bytes
        size = sum(len(e.body) + ENTRY_OVERHEAD_BYTES for e in entries)
        for entry in entries:
            if used + size > self.quota_bytes * SHARE[entry.type]:
                self.refuse(entries)
                raise QuotaExceededError(
                    "journal: the disk quota is used up.",
                    remedy="Restore the connection to the hub, or raise the quota.",
                )
        self._staged_bytes += size

    def refuse(self, entries: list[NewEntry]) -> None:
        """Count entries that were refused; it survives this transaction's roll-back."""
        names = {
            EntryType.WAVEFORM: "refused_waveforms",
            EntryType.EVENT: "refused_events",
        }
        for entry in entries:
            name = names.get(entry.type, "refused_readings")
            self._counters[name] += 1
            self._next_counters[name] += 1

    def _measure(self, epoch: str) -> Figures:
        execute = self._connection.execute
        pages = execute("PRAGMA page_count").fetchone()[0]
        free = execute("PRAGMA freelist_count").fetchone()[0]
        size = execute("PRAGMA page_size").fetchone()[0]
        oldest = execute("SELECT seq, at_us FROM entry ORDER BY seq LIMIT 1").fetchone()
        if self._letters_changed:
            self._letters_changed = False
            self._letters = execute(
                "SELECT COUNT(*) FROM dead_letter WHERE replayed_us IS NULL"
            ).fetchone()[0]
        return Figures(
            epoch=epoch,
            depth=self._depth,
            first_seq=oldest[0] if oldest else self._last_seq + 1,
            last_seq=self._last_seq,
            oldest_at=from_microseconds(oldest[1]) if oldest else None,
            bytes_used=(pages - free) * size,
            bytes_quota=self.quota_bytes,
            dead_letters=self._letters,
            **self._counters,
        )


def entry_of(row: tuple[int, int, int, bytes]) -> Entry:
    """An entry from its row."""
    seq, type_, at_us, body = row
    return Entry(
        seq=seq, type=ENTRY_TYPES[type_], body=body, at=from_microseconds(at_us)
    )
