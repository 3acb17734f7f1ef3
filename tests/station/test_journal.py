import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import NotFoundError, QuotaExceededError, StorageError
from gateway.ports.journal import EntryType, NewEntry
from gateway.station import journal as journal_module
from gateway.station import journal_file
from gateway.station.journal import SqliteJournal
from gateway.station.journal_schema import NewDeadLetter

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
QUOTA = 50_000_000


def entry(
    number: int,
    *,
    type_: EntryType = EntryType.READING,
    size: int = 100,
    at: datetime = NOW,
) -> NewEntry:
    body = f"{number}:".encode().ljust(size, b".")
    return NewEntry(type=type_, key=f"key-{number}".encode(), body=body, at=at)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path / "journal.db", quota_bytes=QUOTA)
    yield journal
    journal.close()


async def reopened(journal: SqliteJournal, quota: int = QUOTA) -> SqliteJournal:
    journal.close()
    return SqliteJournal(journal._path, quota_bytes=quota)


async def test_numbers_rise_by_one_and_survive_a_restart(
    journal: SqliteJournal,
) -> None:
    assert await journal.append([entry(1), entry(2)]) == [1, 2]
    assert await journal.append([entry(3)]) == [3]
    again = await reopened(journal)
    assert again.epoch == journal.epoch
    assert await again.append([entry(4)]) == [4]
    assert [e.seq for e in await again.fresh(0, 10)] == [1, 2, 3, 4]
    assert [e.body[:2] for e in await again.fresh(2, 10)] == [b"3:", b"4:"]
    again.close()


async def test_a_key_is_held_beyond_its_acknowledgement(
    journal: SqliteJournal,
) -> None:
    await journal.append([entry(1), entry(2)])
    await journal.acknowledge(journal.epoch, 2, [])
    assert await journal.append([entry(1), entry(3), entry(3)]) == [None, 3, None]
    again = await reopened(journal)
    assert await again.append([entry(2), entry(3), entry(4)]) == [None, None, 4]
    assert again.figures.duplicates == 4
    again.close()


async def test_numbers_do_not_start_again_when_everything_was_acknowledged(
    journal: SqliteJournal,
) -> None:
    await journal.append([entry(n) for n in range(5)])
    await journal.acknowledge(journal.epoch, 5, [])
    again = await reopened(journal)
    assert await again.append([entry(9)]) == [6]
    again.close()


async def test_old_keys_are_forgotten_at_the_limit(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "MAX_RECENT_KEYS", 3)
    await journal.append([entry(n) for n in range(1, 6)])
    assert await journal.append([entry(5)]) == [None]
    assert await journal.append([entry(1)]) == [6]
    again = await reopened(journal)
    assert await again.append([entry(5), entry(2)]) == [None, 7]
    again.close()


async def test_acknowledgement_frees_ranges_from_file_and_memory(
    journal: SqliteJournal,
) -> None:
    await journal.append([entry(n) for n in range(1, 11)])
    await journal.acknowledge(journal.epoch, 2, [(5, 6), (9, 9)])
    assert [e.seq for e in await journal.fresh(0, 100)] == [3, 4, 7, 8, 10]
    assert [e.seq for e in await journal.held([1, 3, 5, 10])] == [3, 10]
    state = await journal.state()
    assert (state.depth, state.acknowledged, state.last_seq) == (5, 2, 10)
    again = await reopened(journal)
    assert [e.seq for e in await again.fresh(3, 2)] == [4, 7]
    assert again.figures.depth == 5
    again.close()


async def test_another_epochs_acknowledgement_frees_nothing_and_is_counted(
    journal: SqliteJournal,
) -> None:
    await journal.append([entry(1)])
    await journal.acknowledge("another", 1, [])
    assert journal.figures.depth == 1
    assert journal.figures.wrong_epoch == 1


async def test_a_rolled_back_disk_starts_a_new_epoch(journal: SqliteJournal) -> None:
    await journal.append([entry(1)])
    before = journal.epoch
    await journal.acknowledge(before, 500, [])
    assert journal.epoch != before
    assert journal.figures.depth == 1
    assert journal.figures.epochs_started == 2
    await journal.acknowledge(journal.epoch, 0, [(1, 1)])
    assert journal.figures.depth == 0


async def test_waveforms_are_refused_before_events_and_events_before_readings(
    tmp_path: Path,
) -> None:
    journal = SqliteJournal(tmp_path / "j.db", quota_bytes=400_000)
    sizes = {
        EntryType.WAVEFORM: 20_000,
        EntryType.EVENT: 2_000,
        EntryType.READING: 2_000,
    }
    fills = {}
    number = 0
    for type_, size in sizes.items():
        while True:
            number += 1
            try:
                await journal.append([entry(number, type_=type_, size=size)])
            except QuotaExceededError:
                fills[type_] = journal.figures.fill
                break
    figures = journal.figures
    page = 4096 / 400_000  # fill is counted in whole pages
    assert 0.80 < fills[EntryType.WAVEFORM] <= 0.90 + page
    assert 0.90 < fills[EntryType.EVENT] <= 0.95 + page
    assert 0.96 < fills[EntryType.READING] <= 1.0 + page
    assert figures.refused_waveforms == 1
    assert figures.refused_events == 1
    assert figures.refused_readings == 1
    # Refusals are remembered, and what is freed can be used again.
    await journal.acknowledge(journal.epoch, figures.last_seq, [])
    again = await reopened(journal, 400_000)
    assert again.figures.refused_waveforms == 1
    assert again.figures.fill < 0.5
    await again.append([entry(9_000, type_=EntryType.WAVEFORM, size=20_000)])
    again.close()


async def test_nothing_of_a_refused_call_is_kept(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j.db", quota_bytes=100_000)
    with pytest.raises(QuotaExceededError):
        await journal.append(
            [entry(1), entry(2, size=90_000)], state={"open": b"session"}
        )
    assert journal.figures.depth == 0
    assert await journal.load_state("open") is None
    assert await journal.append([entry(1)]) == [1]
    journal.close()


async def test_a_full_disk_is_a_refusal_and_not_a_crash(
    journal: SqliteJournal,
) -> None:
    await journal.append([entry(1)])
    pages = journal._file._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._file._connection.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(QuotaExceededError, match="full"):
        await journal.append([entry(2, size=50_000)])
    journal._file._connection.execute("PRAGMA max_page_count=100000")
    assert await journal.append([entry(3)]) == [2]
    assert journal.figures.refused_readings == 1
    assert [e.seq for e in await journal.fresh(0, 10)] == [1, 2]


async def test_one_bad_call_does_not_undo_those_committed_with_it(
    journal: SqliteJournal,
) -> None:
    outcomes = await asyncio.gather(
        *(journal.append([entry(n)]) for n in range(50)),
        journal.append([entry(99, size=journal_file.MAX_ENTRY_BYTES + 1)]),
        *(journal.append([entry(n)]) for n in range(50, 80)),
        return_exceptions=True,
    )
    failures = [o for o in outcomes if isinstance(o, BaseException)]
    assert [type(f) for f in failures] == [StorageError]
    assert journal.figures.depth == 80


async def test_appends_that_wait_together_share_commits(
    journal: SqliteJournal,
) -> None:
    commits = 0

    def count(_entries: object) -> None:
        nonlocal commits
        commits += 1

    journal.listen(count)
    await asyncio.gather(*(journal.append([entry(n)]) for n in range(500)))
    assert journal.figures.depth == 500
    assert commits < 250


async def test_reads_beyond_the_memory_tail_come_from_the_file(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "MAX_TAIL_ENTRIES", 10)
    for n in range(1, 41):
        await journal.append([entry(n)])
    assert len(journal._tail) == 10
    for after in (0, 15, 29, 30, 35, 40):
        found = [e.seq for e in await journal.fresh(after, 7)]
        assert found == list(range(after + 1, 41))[:7]


async def test_last_before_finds_the_newest_older_entry(
    journal: SqliteJournal,
) -> None:
    assert await journal.last_before(NOW) == 0
    for n in range(1, 5):
        await journal.append([entry(n, at=NOW + timedelta(minutes=n))])
    assert await journal.last_before(NOW + timedelta(minutes=3)) == 2


async def test_bookmarks_and_state_last(journal: SqliteJournal) -> None:
    await journal.set_bookmark("dev-1", "sequence", "17")
    await journal.set_bookmark("dev-1", "sequence", "18")
    await journal.append([], state={"open": b"a"})
    again = await reopened(journal)
    assert await again.bookmarks("dev-1") == {"sequence": "18"}
    assert await again.bookmarks("dev-2") == {}
    assert await again.load_state("open") == b"a"
    await again.set_state({"open": None})
    assert await again.load_state("open") is None
    again.close()


async def test_dead_letters_are_counted_bounded_and_replayable(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "MAX_DEAD_LETTERS", 3)

    def letter(raw: bytes, minute: int) -> NewDeadLetter:
        return NewDeadLetter(
            device="dev-1",
            driver="d/1",
            reason="checksum",
            raw=raw,
            at=NOW + timedelta(minutes=minute),
        )

    first = await journal.add_dead_letter(letter(b"\x01", 0))
    assert await journal.add_dead_letter(letter(b"\x01", 1)) == first
    held = await journal.dead_letter(first)
    assert (held.count, held.raw, held.reason) == (2, b"\x01", "checksum")
    assert held.last_at - held.first_at == timedelta(minutes=1)
    for n in range(2, 6):
        await journal.add_dead_letter(letter(bytes([n]), n))
    assert [d.raw for d in await journal.dead_letters(limit=9)] == [
        b"\x05",
        b"\x04",
        b"\x03",
    ]
    assert journal.figures.dead_letters_evicted == 2
    newest = (await journal.dead_letters(limit=1))[0]
    await journal.mark_replayed(newest.id, NOW)
    assert journal.figures.dead_letters == 2
    with pytest.raises(NotFoundError):
        await journal.dead_letter(first)


async def test_a_long_dead_letter_says_that_it_was_cut(
    journal: SqliteJournal,
) -> None:
    raw = b"\xaa" * (journal_file.MAX_DEAD_LETTER_BYTES + 5)
    held = await journal.dead_letter(
        await journal.add_dead_letter(
            NewDeadLetter(device="", driver="", reason="noise", raw=raw, at=NOW)
        )
    )
    assert len(held.raw) == journal_file.MAX_DEAD_LETTER_BYTES
    assert held.reason == "noise (first 16384 of 16389 bytes)"


async def test_a_damaged_file_is_set_aside_and_measuring_goes_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database" * 500)
    journal = SqliteJournal(path, quota_bytes=QUOTA)
    assert journal.set_aside is not None
    assert journal.set_aside.read_bytes().startswith(b"not a database")
    assert await journal.append([entry(1)]) == [1]
    journal.close()


async def test_a_second_process_is_kept_out(journal: SqliteJournal) -> None:
    with pytest.raises(StorageError, match="another process"):
        SqliteJournal(journal._path, quota_bytes=QUOTA)


async def test_another_release_s_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    for _ in range(2):  # the lock was given back
        with pytest.raises(StorageError, match="schema 99"):
            SqliteJournal(path, quota_bytes=QUOTA)


async def test_a_closed_journal_refuses(journal: SqliteJournal) -> None:
    journal.close()
    with pytest.raises(StorageError, match="closed"):
        await journal.append([entry(1)])
