"""Opening the journal's file: lock, pragmas, tables, and what to do when damaged."""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final
from uuid import uuid4

from gateway.errors import StorageError
from gateway.station.journal_schema import SCHEMA, SCHEMA_VERSION

# Keeps the write-ahead log from staying large after a burst.
WAL_LIMIT_BYTES: Final = 8_388_608


def lock(path: Path) -> int:
    """Hold the file's lock: sequence numbers are given out from memory.

    Raises:
        StorageError: another process holds it.
    """
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StorageError(
            "journal: another process has it open.",
            remedy="Stop the other station process.",
        ) from error
    return descriptor


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file, made with its tables when there is none.

    Raises:
        sqlite3.DatabaseError: it is no database, or cannot be opened.
        StorageError: another release wrote it.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA journal_size_limit={WAL_LIMIT_BYTES}")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            _create(connection)
    except sqlite3.Error:
        connection.close()
        raise
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        connection.close()
        raise StorageError(
            f"journal: schema {version} is not {SCHEMA_VERSION}.",
            remedy="Use the release that wrote it to send what it holds.",
        )
    return connection


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (str(uuid4()),))
    connection.execute("INSERT INTO meta VALUES ('epochs_started', '1')")
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.execute("COMMIT")


def move_aside(path: Path) -> Path:
    """Rename a damaged file and its write-ahead log; the new path."""
    target = path.with_name(f"{path.name}.damaged-{uuid4().hex[:8]}")
    path.rename(target)
    for suffix in ("-wal", "-shm"):
        companion = Path(f"{path}{suffix}")
        if companion.exists():
            companion.rename(f"{target}{suffix}")
    return target
