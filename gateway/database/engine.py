"""One writer, many readers, and a commit shared by whoever is waiting.

All writes run in one thread, in order; those that wait together share one transaction
(each in a savepoint of its own, so that one failure does not undo its neighbours) and
one fsync. Reads run in a small pool and see the last committed state.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.errors import StorageError

T = TypeVar("T")

# Writes that share one commit; more would only delay the first in line.
MAX_GROUP: Final = 64
# Writes waiting; beyond it callers wait for a place, which is the back-pressure.
MAX_WAITING: Final = 1024
READERS: Final = 4

_Job = tuple[Callable[[Connection], Any], "Future[Any]"]


class Database:
    """The hub's database. Close it to release files and threads."""

    def __init__(self, url: str) -> None:
        """Open ``url`` (SQLAlchemy form); tables are made by ``migrate``."""
        self.url = url
        self.engine: Engine = _make_engine(url)
        self._jobs: queue.Queue[_Job | None] = queue.Queue(MAX_WAITING)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="db-read")
        self._writer = threading.Thread(
            target=self._write_loop, name="db-write", daemon=True
        )
        self._writer.start()
        self._closed = False

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in the writer's transaction; return after the commit.

        ``work`` must not keep the connection. Its exception is raised here, with its
        own changes rolled back.

        Raises:
            StorageError: the database failed (locked, full, gone), in ``work`` or at
                the commit; an error about the data itself is raised as it is.
        """
        if self._closed:
            raise StorageError("database: closed.")
        future: Future[T] = Future()
        job: _Job = (work, future)
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            await asyncio.to_thread(self._jobs.put, job)
        return await asyncio.wrap_future(future)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` on a connection that sees the last committed state.

        Raises:
            StorageError: the database failed; other errors are ``work``'s own.
        """

        def run() -> T:
            try:
                with self.engine.connect() as connection:
                    return work(connection)
            except SQLAlchemyError as error:
                raise _at_the_edge(error) from error

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    def close(self) -> None:
        """Finish the writes that wait, then release everything."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown()
        self.engine.dispose()

    def _write_loop(self) -> None:
        while True:
            first = self._jobs.get()
            if first is None:
                return
            group = [first]
            last = False
            while len(group) < MAX_GROUP:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    last = True
                    break
                group.append(job)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Job]) -> None:
        done: list[tuple[Future[Any], Any]] = []
        try:
            with self.engine.connect() as connection, connection.begin():
                for work, future in group:
                    if not future.set_running_or_notify_cancel():
                        continue
                    savepoint = connection.begin_nested()
                    try:
                        result = work(connection)
                    except Exception as error:  # noqa: BLE001 - goes to its caller
                        savepoint.rollback()
                        future.set_exception(_at_the_edge(error))
                    else:
                        savepoint.commit()
                        done.append((future, result))
        except SQLAlchemyError as error:
            failure = StorageError(f"database: {type(error).__name__} at commit.")
            failure.__cause__ = error
            for _, future in group:
                if not future.done():
                    future.set_exception(failure)
            return
        for future, result in done:
            future.set_result(result)


def _at_the_edge(error: Exception) -> Exception:
    """A failure of the database as ``StorageError``; faults of the data as they are."""
    if not isinstance(error, (DBAPIError, PoolTimeoutError)) or isinstance(
        error, (IntegrityError, DataError, ProgrammingError, NotSupportedError)
    ):
        return error
    failure = StorageError(f"database: {type(error).__name__}.")
    failure.__cause__ = error
    return failure


def _make_engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_size=READERS + 1, hide_parameters=True)
    # Parameters are people's data: an error text must not hold them.
    engine = create_engine(
        url, connect_args={"check_same_thread": False}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 - DBAPI
        # SQLAlchemy's own BEGIN (below) must be the only one.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=10000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
