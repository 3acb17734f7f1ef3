"""One connected BLE peripheral, as a ``GattLink``."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError

from gateway.errors import (
    LinkClosedError,
    LinkError,
    LinkRefusedError,
    LinkTimeoutError,
)
from gateway.ports.clock import Clock
from gateway.ports.devices import Condition, Peer, Received
from gateway.transports.ble_errors import (
    NEEDS_PAIRING,
    AttRefusedError,
    deadline,
)
from gateway.transports.ble_limits import DEFAULT_LIMITS, RadioLimits
from gateway.transports.receive_queue import ReceiveQueue

_T = TypeVar("_T")
OnCondition = Callable[[Condition], None]

LINK_STUCK: Final = "link-stuck"
"""Condition: a disconnect passed its deadline; the adapter may still hold the link."""
RECEIVE_OVERFLOW: Final = "receive-overflow"
"""Condition: a device sent faster than the station could commit; the link was ended."""

SUBSCRIBE_DELAY: Final = "subscribe_delay_s"
"""Quirk: seconds from the connection to the first subscription (Beurer BM85: 1.5)."""
BOND_FIRST: Final = "bond_first"
"""Quirk: pair before the first operation instead of when the device asks for it."""
LONGEST_SUBSCRIBE_DELAY_S: Final = 10.0
"""A device that is not subscribed to for longer drops the link by itself."""


@dataclass(slots=True)
class LinkCounts:
    """What happened on one link, for status and metrics."""

    received: int = 0
    overflows: int = 0
    disconnect_timeouts: int = 0
    stop_failures: int = 0


class BleLink:
    """A connected peripheral; made by ``BleRadio.connect``.

    The stack confirms an indication before a driver sees it, so what is received is
    delivered in any case: first every value, then the end of the link.
    """

    def __init__(
        self,
        peer: Peer,
        *,
        clock: Clock,
        limits: RadioLimits = DEFAULT_LIMITS,
        quirks: Mapping[str, object] | None = None,
        on_condition: OnCondition | None = None,
    ) -> None:
        self.counts = LinkCounts()
        self._peer = peer
        self._clock = clock
        self._limits = limits
        self._delay = _subscribe_delay(quirks or {})
        self._on_condition = on_condition
        self._queue = ReceiveQueue(
            max_values=limits.queued_values, max_bytes=limits.queued_bytes
        )
        self._client: BleakClient | None = None
        self._connected_at = 0.0
        self._offered: dict[str, list[BleakGATTCharacteristic]] = {}
        self._subscribed: dict[str, BleakGATTCharacteristic] = {}
        self._pairing = asyncio.Lock()
        self._paired = False
        self._closing = False

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._peer

    @property
    def closed(self) -> bool:
        """Whether the link is gone, though values may still wait in it."""
        return self._queue.ended

    def attach(self, client: BleakClient) -> None:
        """Take over a client that has connected and discovered; ``close`` ends it.

        Raises:
            LinkClosedError: It is disconnected again already.
        """
        self._client = client
        self._connected_at = self._clock.monotonic()
        try:
            if not client.is_connected:
                raise BleakError("disconnected")  # noqa: TRY301 - one way out
            characteristics = client.services.characteristics
        except BleakError as error:
            self._queue.end("the device ended the link")
            raise LinkClosedError("the device ended the link") from error
        for _, characteristic in sorted(characteristics.items()):
            uuid = characteristic.uuid.lower()
            self._offered.setdefault(uuid, []).append(characteristic)

    def on_disconnected(self, _client: object) -> None:
        """Called by bleak when the link is gone, or an attempt to connect failed."""
        if self._client is not None:
            self._queue.end("the device ended the link")

    def has(self, characteristic: str) -> bool:
        """Whether the peripheral offers the characteristic."""
        return characteristic.lower() in self._offered

    async def read(self, characteristic: str) -> bytes:
        """Read a value; may be empty.

        Raises:
            LinkTimeoutError: No answer; the link is ended, since an attribute
                transaction that is not answered blocks all later ones.
            LinkRefusedError: Not offered, or refused by the device.
            LinkClosedError: The link is gone.
        """
        target = self._find(characteristic)
        return bytes(await self._transact("read", lambda c: c.read_gatt_char(target)))

    async def write(
        self, characteristic: str, data: bytes, *, response: bool = True
    ) -> None:
        """Write a value; raises as ``read``."""
        target = self._find(characteristic)
        await self._transact(
            "write", lambda c: c.write_gatt_char(target, data, response=response)
        )

    async def subscribe(self, characteristic: str) -> None:
        """Have values delivered to ``receive``; raises as ``read``.

        Subscribing twice changes nothing.
        """
        uuid = characteristic.lower()
        if uuid in self._subscribed:
            return
        target = self._find(uuid, needs=("indicate", "notify"))
        since = self._clock.monotonic() - self._connected_at
        if since < self._delay:
            await self._clock.sleep(self._delay - since)
        on_value = functools.partial(self._on_value, uuid)
        await self._transact("subscribe", lambda c: c.start_notify(target, on_value))
        self._subscribed[uuid] = target

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        """The next value, in order of arrival; None after ``timeout`` seconds.

        Raises:
            LinkClosedError: The link is gone and all values are taken.
        """
        return await self._queue.next(timeout)

    async def pair(self) -> None:
        """Pair and bond, once for a link.

        Raises:
            LinkRefusedError: The device, or the person, refused.
            LinkTimeoutError: It was not done in time.
            LinkClosedError: The link is gone.
        """
        async with self._pairing:
            if self._paired:
                return
            client = self._require_client()
            try:
                async with deadline("pair", self._limits.pair_s):
                    await client.pair()
            except LinkClosedError as error:
                # Bleak has no error of its own for a refused pairing.
                if client.is_connected:
                    raise LinkRefusedError("pair: the device refused") from error
                raise
            self._paired = True

    async def close(self) -> None:
        """End the link, in bounded time; never raises because the peer is gone.

        Subscriptions are stopped first: BlueZ goes on "notifying" over a reconnection
        while the device has forgotten the subscription, and then nothing arrives.
        """
        if self._closing or self._client is None:
            self._queue.end("the link was closed")
            return
        self._closing = True
        client = self._client
        try:
            if not self._queue.ended:
                await self._stop_subscriptions(client)
        finally:
            await self._disconnect(client)
            self._queue.end("the link was closed")

    async def _stop_subscriptions(self, client: BleakClient) -> None:
        for target in list(self._subscribed.values()):
            try:
                async with deadline("unsubscribe", self._limits.stop_notify_s):
                    await client.stop_notify(target)
            except LinkError:
                # The disconnect follows in any case; a device that has gone silent
                # is not asked again for its other characteristics.
                self.counts.stop_failures += 1
                return

    async def _disconnect(self, client: BleakClient) -> None:
        try:
            async with deadline("disconnect", self._limits.disconnect_s):
                await client.disconnect()
        except LinkTimeoutError:
            self.counts.disconnect_timeouts += 1
            self._tell(LINK_STUCK, "a disconnect passed its deadline")
        except LinkError:
            # Gone before we could end it: that is what was wanted.
            return

    def _find(
        self, characteristic: str, *, needs: tuple[str, ...] = ()
    ) -> BleakGATTCharacteristic:
        """The first instance; with ``needs``, the first with one of the properties."""
        uuid = characteristic.lower()
        instances = self._offered.get(uuid, [])
        fitting = [
            c for c in instances if not needs or any(n in c.properties for n in needs)
        ]
        if not fitting:
            self._require_client()
            raise LinkRefusedError(f"the device does not offer characteristic {uuid}")
        return fitting[0]

    def _require_client(self) -> BleakClient:
        if self._client is None or self._queue.ended:
            raise LinkClosedError("the link is gone")
        return self._client

    async def _transact(
        self, operation: str, call: Callable[[BleakClient], Awaitable[_T]]
    ) -> _T:
        """One attribute transaction; pairs and repeats once when the device asks."""
        try:
            async with self._transaction(operation) as client:
                return await call(client)
        except AttRefusedError as error:
            if error.code not in NEEDS_PAIRING or self._paired:
                raise
        await self.pair()
        async with self._transaction(operation) as client:
            return await call(client)

    @asynccontextmanager
    async def _transaction(self, operation: str) -> AsyncIterator[BleakClient]:
        client = self._require_client()
        try:
            async with deadline(operation, self._limits.operation_s):
                yield client
        except LinkTimeoutError:
            self._queue.end(f"the device did not answer a {operation} in time")
            raise

    def _on_value(
        self, uuid: str, _sender: BleakGATTCharacteristic, data: bytearray
    ) -> None:
        if self._queue.ended:
            return
        value = Received(data=bytes(data), at=self._clock.now(), channel=uuid)
        if self._queue.put(value):
            self.counts.received += 1
            return
        # Dropping one value silently would lose a reading; ending the link makes the
        # device keep what it has not sent, and tells the operator.
        self.counts.overflows += 1
        self._queue.end("more values came than the station could take")
        self._tell(RECEIVE_OVERFLOW, "the receive queue of a link was full")

    def _tell(self, code: str, detail: str) -> None:
        if self._on_condition is not None:
            self._on_condition(Condition(code=code, detail=detail))


def _subscribe_delay(quirks: Mapping[str, object]) -> float:
    value = quirks.get(SUBSCRIBE_DELAY, 0.0)
    if (
        not isinstance(value, int | float)
        or not 0 <= value <= LONGEST_SUBSCRIBE_DELAY_S
    ):
        raise ValueError(
            f"{SUBSCRIBE_DELAY}: seconds, 0 to {LONGEST_SUBSCRIBE_DELAY_S}"
        )
    return float(value)
