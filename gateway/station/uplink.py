"""From the journal to the hub: fresh readings first, the backlog in the gaps.

Driven by events: a commit, a PUBACK, an acknowledgement by the hub. The broker's PUBACK
makes room for the next batch; only the hub's acknowledgement frees journal entries.
While all places are taken, entries gather, so batches grow with the load by themselves.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from gateway.errors import LinkError, StorageError
from gateway.ports.clock import Clock
from gateway.ports.journal import Entry
from gateway.ports.messaging import MessageBus
from gateway.station.journal import Listener
from gateway.station.lanes import Flight, Lanes, Prepared
from gateway.wire.batch import (
    MAX_ENTRIES_PER_BATCH,
    SCHEMA,
    Acknowledgement,
    Batch,
    BatchEntry,
    encode_batch,
)
from gateway.wire.seal import Signer
from gateway.wire.topics import StationTopics

# Publications that wait for their PUBACK. Eight fill a link of 50 ms round trip at
# several thousand readings a second, and hold 4 MiB at most.
MAX_PUBLISHING: Final = 8
# Of these for backlog and repeats, so that a fresh reading never waits for a place.
MAX_PUBLISHING_BACKLOG: Final = 4
# Entries older than this are backlog: a doctor acts on what is newer.
FRESH_FOR: Final = timedelta(minutes=10)
# How often overdue flights are looked for (s); nothing else waits for it.
TICK_SECONDS: Final = 1.0
# After a failed publication or read, before the next try (s).
RETRY_SECONDS: Final = 0.5


class UplinkJournal(Protocol):
    """What the uplink needs of the journal."""

    @property
    def epoch(self) -> str:
        """Changes when the disk was replaced or rolled back."""

    def listen(self, listener: Listener) -> None:
        """Be told of commits."""

    async def fresh(self, after: int, limit: int) -> list[Entry]:
        """Unacknowledged entries after a number."""

    async def held(self, seqs: list[int]) -> list[Entry]:
        """Those still unacknowledged."""

    async def last_before(self, at: datetime) -> int:
        """The newest entry older than an instant."""

    async def acknowledge(
        self, epoch: str, upto: int, ranges: list[tuple[int, int]]
    ) -> None:
        """Free entries."""


@dataclass(slots=True)
class UplinkFigures:
    """Counters since the start."""

    batches: int = 0
    entries: int = 0
    payload_bytes: int = 0
    repeats: int = 0
    acknowledgements: int = 0
    failures: int = 0
    journal_faults: int = 0


class Uplink:
    """Sends what the journal holds until the hub has acknowledged it."""

    def __init__(
        self,
        journal: UplinkJournal,
        bus: MessageBus,
        topics: StationTopics,
        signer: Signer,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._bus = bus
        self._topics = topics
        self._signer = signer
        self._clock = clock
        self._lanes = Lanes(horizon=0)
        self._wake = asyncio.Event()
        self._publishing: set[asyncio.Task[None]] = set()
        self._publishing_backlog = 0
        self.figures = UplinkFigures()
        journal.listen(self._committed)

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tick())
                await self._send(tasks)
        finally:
            self._publishing.clear()
            self._publishing_backlog = 0

    async def acknowledged(self, message: Acknowledgement) -> None:
        """The hub's acknowledgement: frees the journal and makes room.

        Raises:
            StorageError: the journal cannot be written; it comes again with the next.
        """
        self.figures.acknowledgements += 1
        epoch = self._journal.epoch
        ranges = list(message.ranges)
        await self._journal.acknowledge(message.epoch, message.upto, ranges)
        if self._journal.epoch != epoch:
            await self._begin()
        elif message.epoch == epoch:
            self._lanes.acknowledged(message.upto, ranges)
        self._wake.set()

    def _committed(self, _entries: list[Entry]) -> None:
        self._wake.set()

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_SECONDS)
            self._wake.set()

    async def _begin(self) -> None:
        self._lanes = Lanes(horizon=await self._horizon())

    async def _horizon(self) -> int:
        return await self._journal.last_before(self._clock.now() - FRESH_FOR)

    async def _send(self, tasks: asyncio.TaskGroup) -> None:
        begun = False
        while True:
            await self._bus.wait_connected()
            self._wake.clear()
            try:
                if not begun:
                    await self._begin()
                    begun = True
                await self._fill(tasks)
            except StorageError:
                self.figures.journal_faults += 1
                await self._clock.sleep(RETRY_SECONDS)
                continue
            await self._wake.wait()

    async def _fill(self, tasks: asyncio.TaskGroup) -> None:
        """Publish as long as there is a place and something to send."""
        while self._bus.connected and len(self._publishing) < MAX_PUBLISHING:
            lanes = self._lanes
            await self._fetch(lanes)
            only_fresh = self._publishing_backlog >= MAX_PUBLISHING_BACKLOG
            if lanes is not self._lanes:
                continue  # a new epoch began meanwhile
            batch = lanes.next_batch(only_fresh=only_fresh)
            if batch is None:
                return
            task = tasks.create_task(self._publish(lanes, *batch))
            self._publishing.add(task)
            self._publishing_backlog += batch[1].backlog

    async def _fetch(self, lanes: Lanes) -> None:
        """Read from the journal what goes next."""
        while lanes.takes_fresh:
            entries = await self._journal.fresh(
                lanes.fresh_after, MAX_ENTRIES_PER_BATCH
            )
            if not entries:
                break
            if entries[0].at >= self._clock.now() - FRESH_FOR:
                lanes.fetched_fresh(entries)
                return
            horizon = await self._horizon()
            if horizon <= lanes.fresh_after:
                lanes.fetched_fresh(entries)
                return
            lanes.split(horizon)
        if self._publishing_backlog >= MAX_PUBLISHING_BACKLOG:
            return
        now = self._clock.monotonic()
        flight = lanes.overdue(now)
        if flight is not None:
            held = await self._journal.held(flight.seqs)
            self.figures.repeats += bool(held)
            lanes.fetched_again(flight, held, now)
            return
        while (backlog := lanes.backlog) is not None:
            after, _ = backlog
            lanes.fetched_backlog(
                await self._journal.fresh(after, MAX_ENTRIES_PER_BATCH)
            )

    async def _publish(self, lanes: Lanes, prepared: Prepared, flight: Flight) -> None:
        try:
            topic, payload = self._encode(prepared)
            await self._bus.publish(topic, payload)
        except LinkError:
            self.figures.failures += 1
            await self._clock.sleep(RETRY_SECONDS)
            lanes.failed(prepared, flight)
        else:
            self.figures.batches += 1
            self.figures.entries += len(prepared.entries)
            self.figures.payload_bytes += len(payload)
            lanes.taken(flight, self._clock.monotonic())
        finally:
            task = asyncio.current_task()
            if task in self._publishing:
                self._publishing.discard(task)
                self._publishing_backlog -= flight.backlog
            self._wake.set()

    def _encode(self, prepared: Prepared) -> tuple[str, bytes]:
        waveforms = prepared.waveforms
        batch = Batch(
            schema=SCHEMA,
            station=self._topics.station,
            epoch=self._journal.epoch,
            sent_at=self._clock.now(),
            entries=[
                BatchEntry(seq=e.seq, type=e.type.value, body=msgspec.Raw(e.body))
                for e in prepared.entries
            ],
        )
        topic = self._topics.up("waveforms" if waveforms else "readings")
        body = encode_batch(batch, waveforms=waveforms)
        return topic, self._signer.seal(topic, body, waveforms=waveforms)
