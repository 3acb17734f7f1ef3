"""From the inbox to the log: verify, commit, acknowledge, in this order.

Whatever waits in the inbox is committed together, in one transaction. A message that
cannot be understood becomes a dead letter in that same transaction, so it is done with
as durably as a good one, and nothing stops. While one group is committed, the next one
is read: checking signatures and waiting for the disk both leave the interpreter free.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

import msgspec
from prometheus_client import CollectorRegistry, Counter

from gateway.database.engine import Database
from gateway.errors import LinkError, StorageError, WireError
from gateway.hub.commit import Committed, Group, store
from gateway.hub.dead_letters import DeadLetter, DeadLetters, Refused
from gateway.hub.log import HubLog
from gateway.hub.ranges import acknowledged
from gateway.hub.receipt import (
    Receipt,
    StatusReceipt,
    check_size,
    read_batch,
    read_entry,
    read_status,
)
from gateway.hub.stations import KnownStation, StationDirectory
from gateway.ports.clock import Clock
from gateway.ports.messaging import Delivery, Inbox, Message
from gateway.wire.batch import SCHEMA, Acknowledgement, StationStatus
from gateway.wire.seal import Signer
from gateway.wire.topics import StationTopics, parse_up

# Messages committed together; more would delay the first one's acknowledgement.
MAX_GROUP: Final = 64
# A failed commit is tried again after this; meanwhile nothing is acknowledged.
RETRY_S: Final = 0.5
# Messages read in one go in a thread, when a group has more: checking a signature takes
# 0.1 ms and leaves the interpreter to others; a hop between threads takes as long.
SLICE: Final = 16

Read = Receipt | StatusReceipt | Refused


class AckPublisher(Protocol):
    """The part of the message bus that acknowledgements need."""

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """See ``MessageBus.publish``."""


class IntakeMetrics:
    """Counters of the intake."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.entries = Counter(
            "vitalgate_log_entries", "Entries added to the log", registry=registry
        )
        self.repeats = Counter(
            "vitalgate_log_repeats",
            "Entries received that the log held already",
            registry=registry,
        )
        self.refused = Counter(
            "vitalgate_refused",
            "Messages and entries that became dead letters",
            ["reason"],
            registry=registry,
        )
        self.failures = Counter(
            "vitalgate_intake_failures",
            "Commits of the intake that failed and were tried again",
            registry=registry,
        )


class Intake:
    """Runs until cancelled."""

    def __init__(  # noqa: PLR0913 - made once, by the wiring
        self,
        inbox: Inbox,
        database: Database,
        log: HubLog,
        stations: StationDirectory,
        publisher: AckPublisher,
        *,
        signer: Signer,
        clock: Clock,
        metrics: IntakeMetrics,
        on_status: Callable[[StationStatus], None] | None = None,
    ) -> None:
        self._inbox = inbox
        self._database = database
        self._log = log
        self._stations = stations
        self._publisher = publisher
        self._signer = signer
        self._clock = clock
        self._metrics = metrics
        self._on_status = on_status
        self._letters = DeadLetters(database)

    async def run(self) -> None:
        """Take deliveries until cancelled."""
        waiting: asyncio.Queue[Delivery] = asyncio.Queue(MAX_GROUP)
        # One group is read ahead while another is committed.
        ready: asyncio.Queue[tuple[list[Delivery], list[Read]]] = asyncio.Queue(1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fill(waiting))
            tasks.create_task(self._finish_all(ready))
            while True:
                deliveries = [await waiting.get()]
                while len(deliveries) < MAX_GROUP and not waiting.empty():
                    deliveries.append(waiting.get_nowait())
                await ready.put((deliveries, await self._read_all(deliveries)))

    async def take(self, deliveries: list[Delivery]) -> None:
        """Commit a group of deliveries, acknowledge to the broker and to stations."""
        await self._finish(deliveries, await self._read_all(deliveries))

    async def replay(self, id_: int) -> bool:
        """Try a dead letter again; whether it was understood this time.

        Entries of a batch that are still not understood become letters of their own. A
        consumer's letter is not for the intake: see ``ConsumerRunner.retry``.

        Raises:
            NotFoundError: there is no such letter.
            StorageError: the database failed; try again.
        """
        letter = await self._letters.get(id_)
        if letter.reason == "consumer":
            return False
        if letter.entry_type:
            read = await self._reread_entry(letter)
        else:
            message = Message(topic=letter.topic, payload=letter.payload)
            read = (await self._read_messages([message]))[0]
        if isinstance(read, Refused):
            return False
        # A status is of its moment; that of the letter is past.
        if isinstance(read, Receipt):
            group = Group.of([read])
            committed = await self._database.write(
                partial(store, group=group, now=self._clock.now())
            )
            await self._tell(group, committed)
        await self._letters.mark_replayed(id_, self._clock.now())
        return True

    async def _fill(self, waiting: asyncio.Queue[Delivery]) -> None:
        async for delivery in self._inbox.deliveries():
            await waiting.put(delivery)

    async def _finish_all(
        self, ready: asyncio.Queue[tuple[list[Delivery], list[Read]]]
    ) -> None:
        while True:
            deliveries, read = await ready.get()
            await self._finish(deliveries, read)

    async def _read_all(self, deliveries: Sequence[Delivery]) -> list[Read]:
        """What each delivery holds, however long the database takes to answer."""
        messages = [delivery.message for delivery in deliveries]
        while True:
            try:
                return await self._read_messages(messages)
            except StorageError:
                self._metrics.failures.inc()
                await self._clock.sleep(RETRY_S)

    async def _read_messages(self, messages: Sequence[Message]) -> list[Read]:
        known = [await self._sender(message) for message in messages]
        if len(messages) <= SLICE:
            read = _read_slice(messages, known)
        else:
            slices = [
                asyncio.to_thread(
                    _read_slice, messages[i : i + SLICE], known[i : i + SLICE]
                )
                for i in range(0, len(messages), SLICE)
            ]
            read = [item for part in await asyncio.gather(*slices) for item in part]
        for i, (item, sender) in enumerate(zip(read, known, strict=True)):
            if (
                isinstance(item, Refused)
                and item.reason == "signature"
                and isinstance(sender, KnownStation)
            ):
                again = await self._stations.find_again(sender.id)
                if again is not None and again != sender:
                    read[i] = _read_slice([messages[i]], [again])[0]
        return read

    async def _sender(self, message: Message) -> KnownStation | Refused:
        station = ""
        try:
            check_size(message)
            site, station, _ = parse_up(message.topic)
            return _enrolled(await self._stations.find(station), site)
        except WireError as error:
            return _refused(message, station, error)

    async def _reread_entry(self, letter: DeadLetter) -> Read:
        known = await self._stations.find(letter.station)
        try:
            site, _, name = parse_up(letter.topic)
            station = _enrolled(known, site)
            entry = read_entry(letter.entry_type, letter.payload, name, letter.station)
        except WireError as error:
            message = Message(topic=letter.topic, payload=letter.payload)
            return _refused(message, letter.station, error)
        # Its number was acknowledged when it became a dead letter.
        return Receipt(station=station, epoch="", seqs=[], entries=[entry])

    async def _finish(self, deliveries: list[Delivery], read: list[Read]) -> None:
        group = Group.of(read)
        try:
            committed = await self._commit(group)
        except Exception as error:  # noqa: BLE001 - a supervisor: isolates and counts
            # The database is well and will not take something in this group.
            if len(deliveries) > 1:
                for delivery, item in zip(deliveries, read, strict=True):
                    await self._finish([delivery], [item])
                return
            message = deliveries[0].message
            fault = WireError(
                f"database: {type(error).__name__} while storing.", reason="unstorable"
            )
            group = Group.of([_refused(message, "", fault)])
            committed = await self._commit(group)
        for delivery in deliveries:
            delivery.done()
        await self._tell(group, committed)

    async def _commit(self, group: Group) -> Committed:
        """Commit, however long the database takes to come back."""
        while True:
            try:
                return await self._database.write(
                    partial(store, group=group, now=self._clock.now())
                )
            except StorageError:
                self._metrics.failures.inc()
                await self._clock.sleep(RETRY_S)

    async def _tell(self, group: Group, committed: Committed) -> None:
        """Count what was committed, wake the log's readers, answer the stations."""
        received = sum(len(receipt.entries) for receipt in group.receipts)
        self._metrics.entries.inc(len(committed.fresh))
        self._metrics.repeats.inc(received - len(committed.fresh))
        for refused in group.refused:
            self._metrics.refused.labels(reason=refused.reason).inc()
        self._log.committed(committed.fresh)
        if self._on_status is not None:
            for item in group.statuses:
                self._on_status(item.status)
        await self._acknowledge(group, committed)

    async def _acknowledge(self, group: Group, committed: Committed) -> None:
        known: dict[str, KnownStation] = {
            r.station.id: r.station for r in group.receipts
        }
        for (station, epoch), held in committed.held.items():
            upto, ranges = acknowledged(held)
            topic = StationTopics(known[station].site, station).down("ack")
            body = msgspec.json.encode(
                Acknowledgement(
                    schema=SCHEMA,
                    station=station,
                    epoch=epoch,
                    upto=upto,
                    ranges=ranges,
                )
            )
            try:
                # QoS 0: a lost one costs a repeat, and the repeat asks again.
                await self._publisher.publish(
                    topic, self._signer.seal(topic, body), qos=0
                )
            except LinkError:
                continue  # the station will send again and be told then


def _enrolled(known: KnownStation | None, site: str | None) -> KnownStation:
    if known is None or known.site != site:
        raise WireError(
            "station: not enrolled at this site.",
            reason="unknown-station",
            remedy="Enrol it, then replay this message.",
        )
    return known


def _refused(message: Message, station: str, error: WireError) -> Refused:
    return Refused(
        topic=message.topic,
        station=station,
        reason=error.reason,
        detail=error.message,
        payload=message.payload,
    )


def _read_slice(
    messages: Sequence[Message], senders: Sequence[KnownStation | Refused]
) -> list[Read]:
    """Verify and decode; runs in any thread."""
    return [
        sender if isinstance(sender, Refused) else _read(message, sender)
        for message, sender in zip(messages, senders, strict=True)
    ]


def _read(message: Message, station: KnownStation) -> Read:
    name = message.topic.rpartition("/")[2]
    try:
        if name == "status":
            return read_status(message, station)
        return read_batch(message, station, name)
    except WireError as error:
        return _refused(message, station.id, error)
