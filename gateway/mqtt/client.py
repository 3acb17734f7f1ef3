"""``MessageBus`` on paho-mqtt: reconnects, fails over, keeps the broker's session.

A publication whose PUBACK is outstanding when the connection breaks fails with
``LinkClosedError``; the caller publishes it again. Nothing waits inside the client, so
nothing grows while the broker is away: what is unsent is in the station's journal.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from gateway.errors import LinkClosedError, LinkError, LinkRefusedError, WireError
from gateway.mqtt.connection import Connection
from gateway.mqtt.metrics import BusMetrics
from gateway.mqtt.settings import MAX_WAITING, MAX_WAITING_BYTES, BusSettings
from gateway.ports.clock import Clock
from gateway.ports.messaging import Delivery, Message
from gateway.wire.batch import MAX_PAYLOAD_BYTES

# Pause after all hosts failed in turn, doubled each time: a broker restarts in well
# under a second, and thousands of stations must not storm one that is down.
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 30.0
# A connection that lasted this long was a good one: the pauses begin anew. Two clients
# with the same id end each other's connections at once, and must not do so in a storm.
STEADY_S: Final = 5.0
# A refusal needs an administrator; trying fast only fills the broker's log.
REFUSED_PAUSE_S: Final = 5.0


@dataclass(slots=True, eq=False)
class _Received:
    """A delivery, bound to the connection that it came by."""

    message: Message
    connection: Connection
    mid: int
    qos: int

    def done(self) -> None:
        """PUBACK; after that connection's end the broker sends it again instead."""
        if self.qos:
            self.connection.acknowledge(self.mid, self.qos)


class PahoBus:
    """A client with one durable session. ``run`` it; cancel to leave."""

    def __init__(
        self, settings: BusSettings, *, clock: Clock, metrics: BusMetrics
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._connection: Connection | None = None
        self._online = asyncio.Event()
        self._waiting: deque[_Received] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._paused = False
        self.last_error: LinkError | None = None

    @property
    def connected(self) -> bool:
        """Whether a broker has accepted us and our subscriptions."""
        return self._online.is_set()

    async def wait_connected(self) -> None:
        """Return once connected."""
        await self._online.wait()

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish; at QoS 1 return at the broker's PUBACK.

        Raises:
            LinkClosedError: not connected, or the connection broke before the PUBACK.
            WireError: ``oversized``: a broker would end the connection over it.
        """
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise WireError("payload: too large to publish.", reason="oversized")
        connection = self._connection
        if connection is None:
            raise LinkClosedError("broker: not connected.")
        await connection.publish(topic, payload, qos=qos, retain=retain)
        self._metrics.published.inc()

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """Messages in order. For one taker at a time.

        Who takes them must not wait here for its own ``publish`` at QoS 1 without
        also taking further messages: at the limit of waiting messages we stop reading,
        and the PUBACK would never be seen.
        """
        while True:
            while self._waiting:
                received = self._waiting.popleft()
                self._waiting_bytes -= len(received.message.payload)
                if self._paused and self._has_room():
                    self._paused = False
                    if self._connection is not None:
                        self._connection.resume()
                yield received
            self._arrived.clear()
            await self._arrived.wait()

    async def run(self) -> None:
        """Stay connected until cancelled; the broker then publishes the last will."""
        pause = FIRST_PAUSE_S
        failed = 0
        turn = 0
        while True:
            host, port = self._settings.hosts[turn % len(self._settings.hosts)]
            turn += 1
            connection = Connection(self._settings, self._on_message)
            try:
                await connection.open(host, port)
            except LinkError as error:
                self.last_error = error
                self._metrics.refused.inc()
                failed += 1
                if isinstance(error, LinkRefusedError):
                    await self._clock.sleep(REFUSED_PAUSE_S)
                elif failed % len(self._settings.hosts) == 0:
                    await self._clock.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_S)
                continue
            # The same host first, should the connection break.
            turn -= 1
            failed = 0
            since = self._clock.monotonic()
            await self._serve(connection)
            if self._clock.monotonic() - since >= STEADY_S:
                pause = FIRST_PAUSE_S
            else:
                await self._clock.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _serve(self, connection: Connection) -> None:
        self.last_error = None
        self._connection = connection
        if self._paused:
            connection.pause()
        self._online.set()
        self._metrics.connected.set(1)
        try:
            reason = await connection.run()
            self.last_error = LinkClosedError(f"broker: {reason}.")
            self._metrics.lost.inc()
        finally:
            self._connection = None
            self._online.clear()
            self._metrics.connected.set(0)
            await connection.close()

    def _on_message(
        self, connection: Connection, message: Message, mid: int, qos: int
    ) -> None:
        self._waiting.append(_Received(message, connection, mid, qos))
        self._waiting_bytes += len(message.payload)
        self._metrics.received.inc()
        self._arrived.set()
        if not self._has_room():
            self._paused = True
            connection.pause()

    def _has_room(self) -> bool:
        return (
            len(self._waiting) < MAX_WAITING and self._waiting_bytes < MAX_WAITING_BYTES
        )
