"""A broker and a hub with behaviour: they lose, repeat, reorder, stall and restart."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from gateway.errors import LinkClosedError
from gateway.ports.messaging import Delivery
from gateway.wire.batch import (
    SCHEMA,
    Acknowledgement,
    decode_batch,
    decode_body,
)
from gateway.wire.seal import Signer, unseal
from gateway.wire.topics import StationTopics

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
TOPICS = StationTopics("site-one", "kiosk-7")


class FakeHub:
    """Commits what it takes, and acknowledges all it holds of an epoch."""

    def __init__(self, public_key: bytes) -> None:
        self.public_key = public_key
        self.held: dict[str, set[int]] = {}  # epoch -> seqs
        self.bodies: dict[object, bytes] = {}  # the log, unique by id
        self.order: list[object] = []  # first arrivals
        self.repeats = 0

    def take(self, topic: str, payload: bytes) -> Acknowledgement:
        name = topic.rpartition("/")[2]
        waveforms = name == "waveforms"
        raw = unseal(topic, payload, self.public_key, waveforms=waveforms)
        batch = decode_batch(raw, waveforms=waveforms)
        assert batch.station == TOPICS.station
        for entry in batch.entries:
            assert (entry.type == "waveform") is waveforms
            body = decode_body(entry.type, bytes(entry.body))
            id_ = body.id
            if id_ in self.bodies:
                self.repeats += 1
            else:
                self.bodies[id_] = bytes(entry.body)
                self.order.append(id_)
            self.held.setdefault(batch.epoch, set()).add(entry.seq)
        return self.acknowledgement(batch.epoch)

    def acknowledgement(self, epoch: str) -> Acknowledgement:
        held = sorted(self.held[epoch])
        spans: list[tuple[int, int]] = []
        for seq in held:
            if spans and seq == spans[-1][1] + 1:
                spans[-1] = (spans[-1][0], seq)
            else:
                spans.append((seq, seq))
        upto = spans.pop(0)[1] if spans[0][0] == 1 else 0
        return Acknowledgement(
            schema=SCHEMA, station=TOPICS.station, epoch=epoch, upto=upto, ranges=spans
        )


class FakeBus:
    """Hands publications to ``hub`` and acknowledgements back, as told.

    Attributes:
        lose: how many publications the broker takes and then loses.
        break_after: how many are delivered although their PUBACK never comes.
        hold: publications wait in ``held`` instead of reaching the hub.
        gate: while it is not set, no PUBACK comes.
        mute: acknowledgements by the hub are lost.
    """

    def __init__(self, hub: FakeHub) -> None:
        self.hub = hub
        self.lose = 0
        self.break_after = 0
        self.hold = False
        self.mute = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting: deque[tuple[str, bytes]] = deque()
        self.published: list[tuple[str, bytes, bool]] = []
        self.on_ack: Callable[[Acknowledgement], object] | None = None
        self.acks: deque[Acknowledgement] = deque()
        self.incoming: asyncio.Queue[Delivery] = asyncio.Queue()
        self._online = asyncio.Event()

    @property
    def connected(self) -> bool:
        return self._online.is_set()

    def connect(self) -> None:
        self._online.set()

    def disconnect(self) -> None:
        self._online.clear()

    async def wait_connected(self) -> None:
        await self._online.wait()

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        await asyncio.sleep(0)
        if not self.connected:
            raise LinkClosedError("bus: not connected.")
        assert qos == 1
        self.published.append((topic, payload, retain))
        if topic.endswith("/status"):
            return
        if self.lose:
            self.lose -= 1
        elif self.hold:
            self.waiting.append((topic, payload))
        else:
            self.deliver(topic, payload)
        await self.gate.wait()
        if self.break_after:
            self.break_after -= 1
            raise LinkClosedError("bus: the connection broke.")

    def deliver(self, topic: str, payload: bytes) -> None:
        acknowledgement = self.hub.take(topic, payload)
        if not self.mute:
            self.acks.append(acknowledgement)

    def release(self, *, backwards: bool) -> None:
        """Deliver what was held, in the order of arrival or backwards."""
        while self.waiting:
            self.deliver(*(self.waiting.pop() if backwards else self.waiting.popleft()))

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while True:
            yield await self.incoming.get()


SIGNER = Signer.generate()
