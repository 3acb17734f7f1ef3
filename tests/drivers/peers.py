"""In-memory devices with behaviour: scripted in simulated time, guarded as in life."""

import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from gateway.clock import ManualClock
from gateway.errors import LinkClosedError, LinkError, LinkRefusedError
from gateway.ports.devices import (
    ByteDriver,
    ByteLink,
    DriverEvent,
    GattDriver,
    OperatorCommand,
    Peer,
    Received,
)
from gateway.transports.guard import GuardedByteLink, GuardedGattLink, SendGuard

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
LOCAL_START = datetime(2026, 3, 2, 10, 0)  # noqa: DTZ001 - a device's wall clock
ZONE = ZoneInfo("Asia/Shanghai")

DIS = {
    "00002a29-0000-1000-8000-00805f9b34fb": b"Invented Medical\0",
    "00002a24-0000-1000-8000-00805f9b34fb": b"IM-100",
    "00002a25-0000-1000-8000-00805f9b34fb": b"SN-0042",
}

E = TypeVar("E")


def uuid(short: int) -> str:
    return f"0000{short:04x}-0000-1000-8000-00805f9b34fb"


class Context:
    """What the supervisor gives a driver."""

    def __init__(self, clock: ManualClock, **quirks: object) -> None:
        self.clock = clock
        self.quirks: Mapping[str, object] = quirks
        self.bookmarks: Mapping[str, str] = {}
        self.commands: list[OperatorCommand] = []
        self.guard: SendGuard | None = None

    def now(self) -> datetime:
        return self.clock.now()

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def local_now(self) -> datetime:
        return self.clock.now().astimezone(ZONE).replace(tzinfo=None)

    def next_command(self) -> OperatorCommand | None:
        if not self.commands:
            return None
        command = self.commands.pop(0)
        if self.guard is not None:
            self.guard.arm(command)
        return command


class Script:
    """Values that a device sends, by simulated time."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self._queue: list[tuple[float, int, str, bytes | None]] = []
        self._order = itertools.count()
        self.closed = False

    def send(self, data: bytes, channel: str = "", *, after: float = 0.0) -> None:
        self._put(after, channel, data)

    def hang_up(self, *, after: float = 0.0) -> None:
        self._put(after, "", None)

    def _put(self, after: float, channel: str, data: bytes | None) -> None:
        at = self.clock.monotonic() + after
        heapq.heappush(self._queue, (at, next(self._order), channel, data))

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        now = self.clock.monotonic()
        if self._queue and self._queue[0][0] <= now + timeout:
            at, _, channel, data = heapq.heappop(self._queue)
            self.clock.advance(max(0.0, at - now))
            if data is not None:
                return Received(data=data, at=self.clock.now(), channel=channel)
            self.closed = True
        if self.closed:
            raise LinkClosedError("gone")
        self.clock.advance(timeout)
        return None


class GattPeer(Script):
    """A peripheral: characteristics with values, and a script of notifications."""

    def __init__(
        self, clock: ManualClock, values: Mapping[str, bytes | LinkError | None]
    ) -> None:
        super().__init__(clock)
        self.values = dict(values)
        self.subscribed: list[str] = []
        self.writes: list[tuple[str, bytes]] = []
        self.on_write: Callable[[str, bytes], None] | None = None
        self.on_subscribe: Callable[[str], None] | None = None

    @property
    def peer(self) -> Peer:
        return Peer(address="AA:BB:CC:DD:EE:FF", name="Invented")

    def has(self, characteristic: str) -> bool:
        return characteristic in self.values

    async def read(self, characteristic: str) -> bytes:
        if self.closed:
            raise LinkClosedError("gone")
        value = self.values[characteristic]
        if isinstance(value, LinkError):
            raise value
        if value is None:
            raise LinkRefusedError("read: not permitted")
        return value

    async def write(
        self, characteristic: str, data: bytes, *, response: bool = True
    ) -> None:
        del response
        self.writes.append((characteristic, data))
        if self.on_write is not None:
            self.on_write(characteristic, data)

    async def subscribe(self, characteristic: str) -> None:
        self.subscribed.append(characteristic)
        if self.on_subscribe is not None:
            self.on_subscribe(characteristic)


class BytePeer(Script):
    """A serial device."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.writes: list[bytes] = []
        self.on_write: Callable[[bytes], None] | None = None

    @property
    def peer(self) -> Peer:
        return Peer(address="/dev/invented")

    async def write(self, data: bytes) -> None:
        if self.closed:
            raise LinkClosedError("gone")
        self.writes.append(data)
        if self.on_write is not None:
            self.on_write(data)


def gatt_run(
    driver: GattDriver, peer: GattPeer, ctx: Context
) -> AsyncIterator[DriverEvent]:
    """The driver's events over a guarded link."""
    guard = SendGuard(driver.spec, clock=ctx.clock)
    ctx.guard = guard
    return driver.run(GuardedGattLink(peer, guard), ctx)


def byte_run(
    driver: ByteDriver, peer: ByteLink, ctx: Context
) -> AsyncIterator[DriverEvent]:
    guard = SendGuard(driver.spec, clock=ctx.clock)
    ctx.guard = guard
    return driver.run(GuardedByteLink(peer, guard), ctx)


async def collect(events: AsyncIterator[DriverEvent]) -> list[DriverEvent]:
    return [event async for event in events]


def of(events: list[DriverEvent], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def local(**offset: float) -> datetime:
    """The device's wall clock at the start, moved."""
    return LOCAL_START + timedelta(**offset)
