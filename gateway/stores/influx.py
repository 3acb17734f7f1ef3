"""InfluxDB 2 (or what speaks its write API) as a replayable projection of the log.

Servers acknowledge before they are durable (VictoriaMetrics lost the last eight to
twenty seconds over kill -9), may be wiped, full, slow or gone for days. So the
projection keeps its own place in the log and trusts only what it can read back:

* every batch ends with a marker line that holds the log position it reaches;
* a marker still there ``settle_s`` after it was written moves the durable *safe*
  position; a marker that is missing takes the projection back to the safe position;
* a server that no longer has the safe position's own marker was wiped: from the start.

Writing a line again changes nothing, so going back costs time and never correctness.
Batches are synchronous: the client's own batching mode logs and drops.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, cast

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database.engine import Database
from gateway.database.tables import consumer, log
from gateway.database.tables.base import to_us
from gateway.errors import StorageError
from gateway.model.observation import Observation
from gateway.model.session import Attribution
from gateway.ports.clock import Clock
from gateway.ports.log import LogEntry, LogReader
from gateway.stores.influx_read import Reader
from gateway.stores.lines import (
    marker_line,
    moved_lines,
    observation_lines,
)
from gateway.wire.batch import decode_body

# Log entries per write: about 4,000 lines of 120 bytes, well under usual body limits.
MAX_BATCH: Final = 1_000
# Unsettled markers kept; at one batch per wake-up this is hours, not minutes.
MAX_MARKERS: Final = 10_000
MIN_BACKOFF_S: Final = 0.5
MAX_BACKOFF_S: Final = 30.0
TIMEOUT_MS: Final = 10_000


class LineWriter:
    """Synchronous writes of ready lines; nothing is queued in memory."""

    def __init__(self, client: InfluxDBClient, bucket: str) -> None:
        self._write = client.write_api(write_options=SYNCHRONOUS)
        self._bucket = bucket

    async def write(self, lines: list[str]) -> None:
        """Write and wait for the server's answer.

        Raises:
            StorageError: the server refused, timed out or is gone.
        """
        try:
            await asyncio.to_thread(self._write_now, lines)
        except ApiException as error:
            raise StorageError(f"series server: status {error.status}.") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise StorageError(f"series server: {type(error).__name__}.") from error

    def _write_now(self, lines: list[str]) -> None:
        self._write.write(
            bucket=self._bucket,
            record=lines,
            # The client's enumeration holds plain strings.
            write_precision=cast("WritePrecision", WritePrecision.MS),
        )


@dataclass(frozen=True, slots=True)
class _Marker:
    seq: int
    at_ms: int
    written: float  # monotonic seconds


@dataclass(slots=True)
class ProjectionState:
    """For the operator and the metrics.

    Attributes:
        cursor: log position written so far (not durable by itself).
        safe: log position proved to be at the server.
        rewinds: times it went back because a marker was missing.
        failures: writes and reads that failed.
        error: the last failure's text; empty while all is well.
    """

    cursor: int = 0
    safe: int = 0
    rewinds: int = 0
    failures: int = 0
    error: str = ""


class InfluxProjection:
    """Runs until cancelled; never holds up anything else."""

    def __init__(
        self,
        database: Database,
        reader: LogReader,
        writer: LineWriter,
        back: Reader,
        *,
        clock: Clock,
        store: str = "influx",
        settle_s: float = 60.0,
        verify_s: float = 15.0,
    ) -> None:
        """Make the projection named ``store``.

        Args:
            database: holds the safe position.
            reader: the log.
            writer: the server's write side.
            back: the server's read side.
            clock: time.
            store: names the safe position and the markers; one per server.
            settle_s: a marker present this long after writing is durable.
            verify_s: how often markers are read back.
        """
        self._database = database
        self._log = reader
        self._writer = writer
        self._back = back
        self._clock = clock
        self._store = store
        self._settle = settle_s
        self._verify = verify_s
        self._markers: deque[_Marker] = deque()
        self._safe_at_ms = 0
        self.state = ProjectionState()

    async def run(self) -> None:
        """Project and verify until cancelled."""
        await self._load()
        backoff = MIN_BACKOFF_S
        started = False
        verified = self._clock.monotonic()
        while True:
            try:
                if not started:
                    await self._check_safe()
                    started = True
                if self._clock.monotonic() - verified >= self._verify:
                    await self.verify()
                    verified = self._clock.monotonic()
                moved = await self.step()
            except StorageError as error:
                self.state.failures += 1
                self.state.error = error.message
                await self._clock.sleep(backoff)
                backoff = min(MAX_BACKOFF_S, backoff * 2)
                continue
            backoff = MIN_BACKOFF_S
            self.state.error = ""
            if not moved:
                await self._idle()

    async def step(self) -> bool:
        """Write one batch; whether there was one.

        Raises:
            StorageError: not written; the position is unchanged.
        """
        entries = await self._log.read(self.state.cursor, MAX_BATCH)
        if not entries:
            return False
        lines = await self._lines(entries)
        at_ms = to_us(self._clock.now()) // 1000
        seq = entries[-1].seq
        lines.append(marker_line(self._store, seq, at_ms))
        await self._writer.write(lines)
        self.state.cursor = seq
        if len(self._markers) < MAX_MARKERS:
            self._markers.append(_Marker(seq, at_ms, self._clock.monotonic()))
        return True

    async def verify(self) -> None:
        """Read markers back: move the safe position on, or go back to it.

        Raises:
            StorageError: the server did not answer.
        """
        await self._check_safe()
        now = self._clock.monotonic()
        settled = [m for m in self._markers if now - m.written >= self._settle]
        if not settled:
            return
        present = await self._back.markers(
            self._store, settled[0].at_ms, settled[-1].at_ms
        )
        for marker in settled:
            if marker.seq not in present:
                self._rewind(self.state.safe)
                return
            self._markers.popleft()
            self.state.safe = marker.seq
            self._safe_at_ms = marker.at_ms
        await self._save()

    async def rewind(self) -> None:
        """Project everything again, from the start of the log."""
        self.state.safe = 0
        self._safe_at_ms = 0
        self._rewind(0)
        await self._save()

    async def _idle(self) -> None:
        """Wait for news, but not past the next verification."""
        waiter = asyncio.ensure_future(self._log.wait_beyond(self.state.cursor))
        timer = asyncio.ensure_future(self._clock.sleep(self._verify))
        try:
            await asyncio.wait({waiter, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
            timer.cancel()
            await asyncio.gather(waiter, timer, return_exceptions=True)

    async def _check_safe(self) -> None:
        if not self.state.safe:
            return
        present = await self._back.markers(
            self._store, self._safe_at_ms, self._safe_at_ms
        )
        if self.state.safe not in present:
            await self.rewind()

    def _rewind(self, seq: int) -> None:
        self._markers.clear()
        self.state.cursor = seq
        self.state.rewinds += 1

    async def _lines(self, entries: list[LogEntry]) -> list[str]:
        lines: list[str] = []
        for entry in entries:
            body = entry.body
            if isinstance(body, Observation) and body.subject:
                lines.extend(observation_lines(body, body.subject))
            elif isinstance(body, Attribution):
                lines.extend(await self._moved(body))
        return lines

    async def _moved(self, attribution: Attribution) -> list[str]:
        def find(connection: Connection) -> Observation | None:
            row = connection.execute(
                select(log.c.type, log.c.body).where(
                    log.c.id == attribution.observation.bytes
                )
            ).one_or_none()
            body = None if row is None else decode_body(row.type, row.body)
            return body if isinstance(body, Observation) else None

        observation = await self._database.read(find)
        if observation is None:
            return []
        lines: list[str] = []
        if attribution.previous:
            lines.extend(moved_lines(observation, attribution.previous))
        if attribution.resident:
            lines.extend(observation_lines(observation, attribution.resident))
        return lines

    async def _load(self) -> None:
        query = select(consumer.c.name, consumer.c.cursor)
        rows = await self._database.read(lambda c: c.execute(query).all())
        places = {row.name: row.cursor for row in rows}
        self.state.safe = self.state.cursor = places.get(self._store, 0)
        self._safe_at_ms = places.get(f"{self._store}-at-ms", 0)

    async def _save(self) -> None:
        places = [
            {"name": self._store, "cursor": self.state.safe},
            {"name": f"{self._store}-at-ms", "cursor": self._safe_at_ms},
        ]

        def put(connection: Connection) -> None:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(consumer)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["name"],
                    set_={"cursor": statement.excluded.cursor},
                ),
                places,
            )

        await self._database.write(put)
