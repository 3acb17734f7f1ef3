"""A radio, ports, drivers and a pipeline with behaviour, for the supervisor."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.ports.devices import (
    ByteLink,
    DriverContext,
    DriverEvent,
    DriverSpec,
    GattLink,
    LinkKind,
    Match,
    Peer,
    Received,
)
from gateway.ports.driving import EventSource

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SERVICE = "0000abcd-0000-1000-8000-00805f9b34fb"

Run = Callable[[Any, DriverContext], AsyncIterator[DriverEvent]]


@dataclass(frozen=True)
class Seen:
    peer: Peer
    rssi: int = -50


@dataclass(frozen=True)
class Change:
    peer: Peer
    present: bool


@dataclass
class FakeLink:
    """A link that is only open or closed; the driver's script does the rest."""

    peer: Peer
    closed: bool = False

    def has(self, characteristic: str) -> bool:
        return bool(characteristic)

    async def read(self, characteristic: str) -> bytes:
        return characteristic.encode()

    async def write(self, *values: object, response: bool = True) -> None:
        del values, response

    async def subscribe(self, characteristic: str) -> None:
        del characteristic

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        del timeout
        return None

    async def close(self) -> None:
        self.closed = True


class FakeRadio:
    """Hears what the test says; connects unless told otherwise."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Seen | Exception] = asyncio.Queue()
        self.fault: Exception | None = None
        self.links: list[FakeLink] = []
        self.quirks: Mapping[str, object] = {}
        self.attempts = 0

    async def sightings(self) -> AsyncIterator[Seen]:
        while True:
            item = await self.heard.get()
            if isinstance(item, Exception):
                raise item
            yield item

    async def connect(
        self, sighting: Seen, *, quirks: Mapping[str, object]
    ) -> FakeLink:
        self.attempts += 1
        self.quirks = quirks
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        self.links.append(FakeLink(sighting.peer))
        return self.links[-1]


class FakePorts:
    """Ports that the test plugs in and pulls out."""

    def __init__(self) -> None:
        self.changes: asyncio.Queue[Change] = asyncio.Queue()
        self.links: list[FakeLink] = []
        self.fault: Exception | None = None
        self.attempts = 0

    async def watch(self) -> AsyncIterator[Change]:
        while True:
            yield await self.changes.get()

    async def open(self, peer: Peer, *, quirks: Mapping[str, object]) -> FakeLink:
        del quirks
        self.attempts += 1
        if self.fault is not None:
            raise self.fault
        self.links.append(FakeLink(peer))
        return self.links[-1]


class ScriptedDriver:
    """A driver whose run is a function of the test's."""

    def __init__(self, run: Run, **spec: Any) -> None:
        fields: dict[str, Any] = {
            "name": "scripted",
            "version": 3,
            "link": LinkKind.GATT,
            "matches": (Match(service=SERVICE),),
            "produces": ("spo2",),
            "may_send": (),
        }
        self.spec = DriverSpec(**(fields | spec))
        self._run = run

    def run(
        self, link: GattLink | ByteLink, ctx: DriverContext
    ) -> AsyncIterator[DriverEvent]:
        return self._run(link, ctx)


@dataclass
class FakePipeline:
    """Takes events; can be slow, or full; remembers bookmarks."""

    taken: list[tuple[EventSource, DriverEvent]] = field(default_factory=list)
    ended: list[EventSource] = field(default_factory=list)
    marks: dict[str, dict[str, str]] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    fault: Exception | None = None

    async def take(self, source: EventSource, event: DriverEvent) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        self.taken.append((source, event))

    async def link_ended(self, source: EventSource) -> None:
        self.ended.append(source)

    async def bookmarks(self, device: str) -> Mapping[str, str]:
        return self.marks.get(device, {})

    @property
    def events(self) -> list[DriverEvent]:
        return [event for _, event in self.taken]


def peer(number: int = 1, name: str = "Invented") -> Peer:
    return Peer(address=f"00:00:00:00:00:{number:02X}", name=name, services=(SERVICE,))


async def settle() -> None:
    """Let every task run until it waits for the clock or for the test."""
    for _ in range(60):
        await asyncio.sleep(0)
