"""One connection: a driver's events, each committed before the next is asked for.

The one place that catches everything a driver may raise: a faulty driver ends its own
session, is counted and reported, and nothing else stops.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, cast, runtime_checkable
from zoneinfo import ZoneInfo

from gateway.errors import (
    CommandRefusedError,
    ConflictError,
    LinkClosedError,
    LinkError,
    LinkRefusedError,
    LinkTimeoutError,
)
from gateway.ports.clock import Clock
from gateway.ports.devices import (
    Battery,
    DriverEvent,
    DriverSpec,
    Identified,
    LinkKind,
    OperatorCommand,
    Reading,
    Samples,
)
from gateway.ports.driving import BookmarkStore, DriverChooser, EventSink, EventSource
from gateway.station.supervisor_state import Device, identified_id

MAX_COMMANDS: Final = 4
"""Operator commands waiting for one device: a person presses one button at a time."""

SESSION_LIMIT_S: Final = 600.0
"""Default total length of a GATT session (quirk ``session_limit_s``): a spot device
that holds the link longer is stuck, and holds one of few connection slots."""

QUIET_LIMIT_S: Final = 240.0
"""Default time without any event in a GATT session (quirk ``quiet_limit_s``): drivers
give up by themselves after 150 s, and no call to a Bluetooth stack may hang longer."""


@runtime_checkable
class Armed(Protocol):
    """A guard that lets an operator's command through only when told to."""

    def arm(self, command: OperatorCommand) -> None:
        """Let this command's bytes through, until the next ``disarm``."""

    def disarm(self) -> None:
        """Let no operator's command through."""


@runtime_checkable
class Guarded(Protocol):
    """A link with a guard inside."""

    @property
    def guard(self) -> Armed:
        """The guard."""


class SinkError(Exception):
    """The pipeline could not commit; the cause is chained."""


class DrivingContext:
    """``DriverContext`` of one connection."""

    def __init__(
        self, *, clock: Clock, zone: ZoneInfo, quirks: Mapping[str, object]
    ) -> None:
        self._clock = clock
        self._zone = zone
        self._commands: deque[OperatorCommand] = deque()
        self._guard: Armed | None = None
        self.quirks: Mapping[str, object] = quirks
        self.bookmarks: Mapping[str, str] = {}

    def now(self) -> datetime:
        """UTC."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Seconds."""
        return self._clock.monotonic()

    def local_now(self) -> datetime:
        """The site's wall clock, naive."""
        return self._clock.now().astimezone(self._zone).replace(tzinfo=None)

    def guarded_by(self, link: object) -> None:
        """Arm the guard of this link when a command is handed to the driver."""
        self._guard = link.guard if isinstance(link, Guarded) else None

    def command(self, command: OperatorCommand) -> None:
        """Queue an operator's command.

        Raises:
            ConflictError: too many wait already.
        """
        if len(self._commands) >= MAX_COMMANDS:
            raise ConflictError(
                "command: too many wait for this device.", current=MAX_COMMANDS
            )
        self._commands.append(command)

    def next_command(self) -> OperatorCommand | None:
        """The oldest waiting command; what the one before allowed is over."""
        if self._guard is not None:
            self._guard.disarm()
        if not self._commands:
            return None
        command = self._commands.popleft()
        if self._guard is not None:
            self._guard.arm(command)
        return command


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """How a session ended.

    Attributes:
        connected: whether there was a link at all.
        reason: empty when the work was done.
    """

    connected: bool = True
    reason: str = ""
    detail: str = ""
    readings: int = 0


_REASONS: Final = (
    (LinkClosedError, "link-closed"),
    (LinkTimeoutError, "timeout"),
    (LinkRefusedError, "refused"),
    # Our own driver tried to send what it may not.
    (CommandRefusedError, "driver-fault"),
)


def reason_of(error: LinkError) -> str:
    """The stable token of a link's failure."""
    return next((r for kind, r in _REASONS if isinstance(error, kind)), "link-error")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Seconds; None where a link may stay open for ever (serial ports)."""

    total: float | None
    quiet: float | None


def limits_of(spec: DriverSpec, context: DrivingContext) -> SessionLimits:
    """The limits of a session: none on a port, which stays open while it is there."""
    if spec.link is LinkKind.BYTES:
        return SessionLimits(total=None, quiet=None)
    total = context.quirks.get("session_limit_s", SESSION_LIMIT_S)
    quiet = context.quirks.get("quiet_limit_s", QUIET_LIMIT_S)
    return SessionLimits(
        total=float(total) if isinstance(total, int | float) else SESSION_LIMIT_S,
        quiet=float(quiet) if isinstance(quiet, int | float) else QUIET_LIMIT_S,
    )


class Session:
    """One run of a driver over one open link.

    Args:
        device: updated with what the device says.
        source: where the events come from, until the device is identified.
        context: shared with the driver.
        sink: the pipeline.
        bookmarks: the driver's memory of this device.
        chooser: for the quirks, once the model is known.
        clock: for the limits.
        changed: called when the device's status changed.
    """

    def __init__(
        self,
        device: Device,
        *,
        source: EventSource,
        context: DrivingContext,
        sink: EventSink,
        bookmarks: BookmarkStore,
        chooser: DriverChooser,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._device = device
        self.source = source
        self.context = context
        self._sink = sink
        self._bookmarks = bookmarks
        self._chooser = chooser
        self._clock = clock
        self._changed = changed
        self._readings = 0
        self._last_event = clock.monotonic()
        self._in_sink = False

    async def run(
        self, events: AsyncIterator[DriverEvent], limits: SessionLimits
    ) -> SessionEnd:
        """Drive to the end; only cancellation escapes."""
        drive = asyncio.create_task(self._drive(events))
        watch = asyncio.create_task(self._watch(limits))
        try:
            await asyncio.wait({drive, watch}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = {drive, watch}
            finished = drive.done()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not finished:
            return watch.result()
        if drive.cancelled():  # nobody but the driver itself can have done that
            return SessionEnd(reason="driver-fault", detail="CancelledError")
        return drive.result()

    async def _drive(self, events: AsyncIterator[DriverEvent]) -> SessionEnd:
        reason, detail = "", ""
        try:
            # Every driver's run is an async generator, whatever the port promises.
            async with aclosing(
                cast("AsyncGenerator[DriverEvent, None]", events)
            ) as generator:
                async for event in generator:
                    await self._take(event)
        except SinkError as error:
            reason, detail = "storage", type(error.__cause__).__name__
        except LinkClosedError:
            # A device that hung up after its readings has done its work.
            reason = "" if self._readings else "link-closed"
        except LinkError as error:
            reason, detail = reason_of(error), error.message
        except Exception as error:  # noqa: BLE001 - a driver's fault ends its session only
            # The text may hold a value: only the kind of error is told.
            reason, detail = "driver-fault", type(error).__name__
        return SessionEnd(reason=reason, detail=detail, readings=self._readings)

    async def _take(self, event: DriverEvent) -> None:
        self._last_event = self._clock.monotonic()
        if isinstance(event, Identified):
            await self._identified(event)
        self._in_sink = True
        try:
            await self._sink.take(self.source, event)
        except Exception as error:  # not the driver's fault: told apart from it
            raise SinkError from error
        finally:
            self._in_sink = False
            self._last_event = self._clock.monotonic()
        self._note(event)

    async def _identified(self, event: Identified) -> None:
        device = self._device
        device.id = identified_id(event, device.base_id)
        name = " ".join(part for part in (event.manufacturer, event.model) if part)
        device.name = name or device.name or device.peer.name
        self.source = EventSource(
            device=device.id,
            driver=self.source.driver,
            link=self.source.link,
            name=device.name,
        )
        driver = self.source.driver.partition("/")[0]
        own = {} if device.configured is None else device.configured.quirks
        found = self._chooser.quirks(driver, name=device.peer.name, identified=event)
        self.context.quirks = device.quirks = {**found, **own}
        try:
            self.context.bookmarks = dict(await self._bookmarks.bookmarks(device.id))
        except Exception as error:
            raise SinkError from error
        self._changed()

    def _note(self, event: DriverEvent) -> None:
        match event:
            case Reading():
                self._readings += 1
                self._device.last_reading_at = event.received_at
            case Samples():
                self._readings += 1
                return
            case Battery():
                self._device.battery = event.percent
            case _:
                return
        self._changed()

    async def _watch(self, limits: SessionLimits) -> SessionEnd:
        begun = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            waits: list[float] = []
            if limits.total is not None:
                waits.append(begun + limits.total - now)
                if waits[-1] <= 0:
                    return self._expired("session-limit")
            if limits.quiet is not None and not self._in_sink:
                waits.append(self._last_event + limits.quiet - now)
                if waits[-1] <= 0:
                    return self._expired("not-answering")
            await self._clock.sleep(max(min(waits, default=3600.0), 0.01))

    def _expired(self, reason: str) -> SessionEnd:
        # A stream that ran up to its limit did its work; it is connected anew.
        worked = reason == "session-limit" and self._readings
        return SessionEnd(reason="" if worked else reason, readings=self._readings)
