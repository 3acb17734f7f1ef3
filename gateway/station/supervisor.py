"""Finds devices, picks their drivers, connects, and keeps doing so for weeks.

BLE peripherals are connected when they are heard; serial ports while they are plugged
in. A failure of one device is its own: it waits longer every time, and after some the
operator is told. What the supervisor does when connections fail, step by step:

1. back off, with jitter, up to ``BACKOFF_CAP_S``;
2. after some failures in a row: condition ``device-unreachable``;
3. refused pairings: state ``failed``, and a person has to pair again;
4. several devices failing in a row and none succeeding: condition ``radio-failing``,
   and ``reset_radio`` is called, at most every ``RADIO_RESET_S``.

Recordings are made by the guards' factories: a guard may wrap a recording link.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar, cast
from zoneinfo import ZoneInfo

from gateway.errors import ConflictError, LinkError, NotFoundError
from gateway.ports.clock import Clock
from gateway.ports.devices import (
    ByteDriver,
    ByteLink,
    DriverEvent,
    DriverSpec,
    GattDriver,
    GattLink,
    LinkKind,
    OperatorCommand,
    Peer,
)
from gateway.ports.driving import (
    BookmarkStore,
    Choice,
    DriverChooser,
    EventSink,
    EventSource,
)
from gateway.ports.radio import (
    OpenByteLink,
    OpenGattLink,
    PortChange,
    PortOpener,
    Ports,
    Radio,
    Sighting,
)
from gateway.station.supervisor_devices import DeviceTable
from gateway.station.supervisor_outcomes import Outcomes
from gateway.station.supervisor_radio import RADIO_RESET_S
from gateway.station.supervisor_session import (
    DrivingContext,
    Session,
    SessionEnd,
    limits_of,
    reason_of,
)
from gateway.station.supervisor_state import (
    ConfiguredDevice,
    Device,
    State,
    SupervisorCounts,
    backoff,
)
from gateway.wire.batch import DeviceStatus

CONNECTION_SLOTS: Final = 8
"""BLE links at once: 8 and 16 were clean on BlueZ, more lost some (own measurement)."""

_LinkT = TypeVar("_LinkT", OpenGattLink, OpenByteLink)

GattGuard = Callable[[OpenGattLink, DriverSpec], GattLink]
ByteGuard = Callable[[OpenByteLink, DriverSpec], ByteLink]


class DeviceSupervisor:
    """All devices of a station.

    Args:
        registry: picks drivers.
        sink: the pipeline; what it has taken is committed.
        bookmarks: the drivers' memory.
        clock: time.
        zone: the site's time zone, for setting devices' clocks.
        station: station id; part of the id of a device without serial number.
        radio: BLE; None without.
        ports: serial ports; None without.
        open_port: opens one of them.
        guard_gatt: wraps a link so that only what the driver may send goes out.
        guard_bytes: the same for byte links.
        configured: devices of the configuration; they win over the registry.
        accept_unlisted: whether devices that are not configured are taken too.
        rng: for jitter.
        reset_radio: last step of the ladder.
        on_change: told after every change of a status.
        slots: BLE links at once.
    """

    def __init__(  # noqa: PLR0913 - the composition root names every part
        self,
        *,
        registry: DriverChooser,
        sink: EventSink,
        bookmarks: BookmarkStore,
        clock: Clock,
        zone: ZoneInfo,
        station: str,
        guard_gatt: GattGuard,
        guard_bytes: ByteGuard,
        radio: Radio[Any] | None = None,
        ports: Ports[Any] | None = None,
        open_port: PortOpener | None = None,
        configured: Sequence[ConfiguredDevice] = (),
        accept_unlisted: bool = True,
        rng: random.Random | None = None,
        reset_radio: Callable[[], Awaitable[None]] | None = None,
        on_change: Callable[[], None] | None = None,
        slots: int = CONNECTION_SLOTS,
    ) -> None:
        self._registry = registry
        self._sink = sink
        self._bookmarks = bookmarks
        self._clock = clock
        self._zone = zone
        self._guard_gatt = guard_gatt
        self._guard_bytes = guard_bytes
        self._radio = radio
        self._ports = ports
        self._open_port = open_port
        self._rng = random.Random() if rng is None else rng  # noqa: S311 - jitter
        self._on_change = on_change
        self._free_slots = slots
        self.counts = SupervisorCounts()
        self._devices = DeviceTable(
            station=station,
            registry=registry,
            configured=configured,
            accept_unlisted=accept_unlisted,
            clock=clock,
            changed=self._changed,
        )
        self._outcomes = Outcomes(
            sink=sink,
            clock=clock,
            counts=self.counts,
            rng=self._rng,
            reset_radio=reset_radio,
            changed=self._changed,
        )
        self._sessions: dict[str, tuple[Session, DriverSpec]] = {}
        self._port_tasks: dict[str, asyncio.Task[None]] = {}
        self._links = 0

    # What others ask

    def statuses(self) -> list[DeviceStatus]:
        """Every device, and the configured ones that were not met yet."""
        return self._devices.statuses()

    def command(self, device: str, command: OperatorCommand) -> None:
        """Hand an operator's command to the driver of a connected device.

        Raises:
            NotFoundError: no such device, or its driver knows no such command.
            ConflictError: it is not connected, or too many commands wait.
        """
        found = self._devices.of_id(device)
        if found is None:
            raise NotFoundError("device: not known at this station.")
        running = self._sessions.get(found.peer.address)
        if running is None:
            raise ConflictError(
                "device: not connected.",
                current=found.state.value,
                remedy="Connect it and try again.",
            )
        session, spec = running
        if all(allowed.name != command.name for allowed in spec.may_send):
            raise NotFoundError("command: this device does not know it.")
        session.context.command(command)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._radio is not None:
                radio = self._radio
                group.create_task(self._again(lambda: self._watch_radio(radio, group)))
            if self._ports is not None and self._open_port is not None:
                ports = self._ports
                group.create_task(self._again(lambda: self._watch_ports(ports, group)))

    async def _again(self, watch: Callable[[], Awaitable[None]]) -> None:
        """Keep a watcher going: an adapter that is pulled out comes back one day."""
        failures = 0
        while True:
            begun = self._clock.monotonic()
            try:
                await watch()
            except Exception:  # noqa: BLE001 - counted and restarted with back-off
                self.counts.watcher_restarts += 1
            # A watcher that worked for a while did not fail in a row.
            steady = self._clock.monotonic() - begun > RADIO_RESET_S
            failures = 1 if steady else failures + 1
            await self._clock.sleep(backoff(failures, self._rng))

    # BLE

    async def _watch_radio(self, radio: Radio[Any], group: asyncio.TaskGroup) -> None:
        async for sighting in radio.sightings():
            device = self._devices.meet(sighting.peer, LinkKind.GATT)
            if device is None or not self._devices.may_connect(device):
                continue
            choice = self._devices.choose(device)
            if choice is None or self._free_slots <= 0:
                continue  # it will be heard again
            device.busy = True
            self._free_slots -= 1
            group.create_task(self._serve_peripheral(device, choice, radio, sighting))

    async def _serve_peripheral(
        self, device: Device, choice: Choice, radio: Radio[Any], sighting: Sighting
    ) -> None:
        driver = cast("GattDriver", choice.driver)

        async def connect() -> OpenGattLink:
            return await radio.connect(sighting, quirks=device.quirks)

        def start(
            link: OpenGattLink, context: DrivingContext
        ) -> AsyncIterator[DriverEvent]:
            guarded = self._guard_gatt(link, driver.spec)
            context.guarded_by(guarded)
            return driver.run(guarded, context)

        try:
            end = await self._serve(device, driver.spec, connect, start)
            await self._outcomes.note(device, end)
            await self._outcomes.judge_radio(device, end)
        finally:
            device.busy = False
            self._free_slots += 1

    # Serial ports

    async def _watch_ports(self, ports: Ports[Any], group: asyncio.TaskGroup) -> None:
        try:
            async for change in ports.watch():
                await self._port_changed(change, group)
        finally:
            for address in list(self._port_tasks):
                await self._stop_port(address)

    async def _port_changed(self, change: PortChange, group: asyncio.TaskGroup) -> None:
        address = change.peer.address
        await self._stop_port(address)
        if change.present:
            serve = self._serve_port(change.peer)
            self._port_tasks[address] = group.create_task(serve)
        elif (device := self._devices.at(address)) is not None:
            device.state, device.reason = State.SEARCHING, "unplugged"
            device.failures, device.not_before = 0, 0.0
            self._changed()

    async def _stop_port(self, address: str) -> None:
        task = self._port_tasks.pop(address, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _serve_port(self, peer: Peer) -> None:
        """Sessions on one port, one after the other, while it is there."""
        open_port = self._open_port
        device = self._devices.meet(peer, LinkKind.BYTES)
        if device is None or open_port is None:
            return
        choice = self._devices.choose(device)
        if choice is None:
            return
        driver = cast("ByteDriver", choice.driver)

        async def connect() -> OpenByteLink:
            return await open_port(peer, quirks=device.quirks)

        def start(
            link: OpenByteLink, context: DrivingContext
        ) -> AsyncIterator[DriverEvent]:
            guarded = self._guard_bytes(link, driver.spec)
            context.guarded_by(guarded)
            return driver.run(guarded, context)

        device.busy = True
        try:
            while True:
                end = await self._serve(device, driver.spec, connect, start)
                await self._outcomes.note(device, end)
                wait = device.not_before - self._clock.monotonic()
                await self._clock.sleep(max(wait, 0.0))
        finally:
            device.busy = False

    # Both

    async def _serve(
        self,
        device: Device,
        spec: DriverSpec,
        connect: Callable[[], Awaitable[_LinkT]],
        start: Callable[[_LinkT, DrivingContext], AsyncIterator[DriverEvent]],
    ) -> SessionEnd:
        """Connect and run one session; only cancellation escapes."""
        self._enter(device, State.CONNECTING)
        try:
            link = await connect()
        except LinkError as error:
            return SessionEnd(
                connected=False, reason=reason_of(error), detail=error.message
            )
        except Exception as error:  # noqa: BLE001 - a transport's fault is this device's only
            name = type(error).__name__
            return SessionEnd(connected=False, reason="link-error", detail=name)
        self._links += 1
        source = EventSource(
            device=device.id, driver=spec.label, link=self._links, name=device.name
        )
        context = DrivingContext(
            clock=self._clock, zone=self._zone, quirks=device.quirks
        )
        session = Session(
            device,
            source=source,
            context=context,
            sink=self._sink,
            bookmarks=self._bookmarks,
            chooser=self._registry,
            clock=self._clock,
            changed=self._changed,
        )
        self._sessions[device.peer.address] = session, spec
        try:
            self._enter(device, State.CONNECTED)
            return await session.run(start(link, context), limits_of(spec, context))
        finally:
            del self._sessions[device.peer.address]
            await self._close(link, session)

    async def _close(self, link: OpenGattLink | OpenByteLink, session: Session) -> None:
        try:
            await link.close()
        except Exception:  # noqa: BLE001 - the link is given up in any case
            self.counts.close_failures += 1
        try:
            await self._sink.link_ended(session.source)
        except Exception:  # noqa: BLE001 - storage has its own condition
            self.counts.sink_failures += 1

    def _enter(self, device: Device, state: State) -> None:
        device.state = state
        device.reason = device.detail = ""
        self._changed()

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change()
