"""A process that appends for ever and reports each append that returned."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from gateway.ports.journal import EntryType, NewEntry
from gateway.station.journal import SqliteJournal

WRITERS = 8


async def write(journal: SqliteJournal, writer: int, start: int) -> None:
    number = start
    while True:
        body = f"{writer}/{number}".encode()
        entry = NewEntry(
            type=EntryType.READING,
            key=body,
            body=body,
            at=datetime(2026, 3, 1, tzinfo=UTC),
        )
        seq = (await journal.append([entry]))[0]
        os.write(1, b"%d %s\n" % (seq or 0, body))
        number += 1


async def main(path: Path, start: int) -> None:
    journal = SqliteJournal(path, quota_bytes=100_000_000)
    async with asyncio.TaskGroup() as tasks:
        for writer in range(WRITERS):
            tasks.create_task(write(journal, writer, start))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
