"""Lepu/Creative spot-check boards PC-100, PC-200, PC-300(SNT), H600 on a serial port.

::

    hand-shake until the board names itself -> version and battery, time, 12-bit ECG,
    oximeter upload -> frames; a hand-shake every 5 s keeps the board awake

The cuff is inflated by nothing but the operator's command ``start-blood-pressure``.
Frames that come before the name are held back (bounded), because the device id is made
of name and serial number.

Source: ``firmware_protocols.lepu.pc300``; the order of steps is the vendor host's.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final

from drivers.lepu_events import BoardEvents
from firmware_protocols.errors import ProtocolError
from firmware_protocols.lepu.aa55 import HEADER, Aa55Framer, Event, Frame
from firmware_protocols.lepu.pc300 import Variant, decode_device
from firmware_protocols.lepu.pc300.commands import (
    ECG_START,
    ECG_STOP,
    HANDSHAKE,
    NIBP_START,
    NIBP_STOP,
    QUERY_VERSION_BATTERY,
    QUERY_VERSION_BATTERY_V2,
    Command,
)
from firmware_protocols.lepu.pc300.settings import EcgSampleBits, SetTime, Spo2Upload
from firmware_protocols.lepu.pc300.system import PowerOff, ProductName, TimeRequest
from gateway.errors import LinkClosedError
from gateway.ports.devices import (
    Allowed,
    ByteLink,
    Condition,
    DriverContext,
    DriverEvent,
    DriverSpec,
    Identified,
    LinkKind,
    Received,
    Undecodable,
)

START_BLOOD_PRESSURE: Final = "start-blood-pressure"
STOP_BLOOD_PRESSURE: Final = "stop-blood-pressure"
START_ECG: Final = "start-ecg"
STOP_ECG: Final = "stop-ecg"

_ECG_12_BIT: Final = EcgSampleBits(bits=12)
_SPO2_ON: Final = Spo2Upload(enable=True)

_SET_TIME_PREFIX: Final = HEADER + bytes((0xFF, 0x08, 0x03))
_SET_TIME_SIZE: Final = 12


def _exactly(name: str, frame: Frame, *, operator_only: bool = False) -> Allowed:
    return Allowed(
        name=name, prefix=frame.raw, length=len(frame.raw), operator_only=operator_only
    )


SPEC: Final = DriverSpec(
    name="lepu_kiosk",
    version=1,
    link=LinkKind.BYTES,
    # The boards come behind general USB adapters: a port must be configured.
    matches=(),
    produces=(
        "blood_pressure_panel",
        "spo2",
        "pleth_waveform",
        "ecg_unspecified_lead",
        "ecg_lead_i",
        "ecg_lead_ii",
        "heart_rate_ecg",
        "body_temperature",
        "body_temperature_tympanic",
        "glucose_capillary",
    ),
    may_send=(
        _exactly("hand-shake", HANDSHAKE.to_frame()),
        _exactly("query-version", QUERY_VERSION_BATTERY_V2.to_frame()),
        _exactly("query-version-old", QUERY_VERSION_BATTERY.to_frame()),
        Allowed(name="set-clock", prefix=_SET_TIME_PREFIX, length=_SET_TIME_SIZE),
        _exactly("ecg-12-bit", _ECG_12_BIT.to_frame()),
        _exactly("oximeter-upload", _SPO2_ON.to_frame()),
        _exactly(START_BLOOD_PRESSURE, NIBP_START.to_frame(), operator_only=True),
        _exactly(STOP_BLOOD_PRESSURE, NIBP_STOP.to_frame()),
        _exactly(START_ECG, ECG_START.to_frame(), operator_only=True),
        _exactly(STOP_ECG, ECG_STOP.to_frame()),
    ),
    title="Health kiosk board",
)

_OPERATOR_COMMANDS: Final[dict[str, Command]] = {
    START_BLOOD_PRESSURE: NIBP_START,
    STOP_BLOOD_PRESSURE: NIBP_STOP,
    START_ECG: ECG_START,
    STOP_ECG: ECG_STOP,
}

KEEP_ALIVE_S: Final = 5.0
"""Between hand-shakes; the vendor's host repeats them every 5 s."""

HANDSHAKE_RETRY_S: Final = 1.0
"""Between hand-shakes while the board talks but has not named itself."""

NAME_WAIT_S: Final = 3.0
"""How long frames are held back for the name: three hand-shakes."""

MAX_HELD_FRAMES: Final = 512
"""Frames held back for the name; a busy board sends 60 a second."""

SILENT_AFTER_S: Final = 12.0
"""Two hand-shakes without a byte: the board is off or the cable is out."""

POLL_S: Final = 0.25
"""Longest single wait, so that an operator's command is sent at once."""

NOT_ANSWERING: Final = "device-not-answering"


class _Board:
    """One connection."""

    def __init__(self, link: ByteLink, ctx: DriverContext) -> None:
        self._link = link
        self._ctx = ctx
        self._framer = Aa55Framer()
        self._events: BoardEvents | None = None  # made once the board is identified
        self._held: list[tuple[Frame, datetime]] = []
        self._outbox: list[Frame] = []
        self._identified = Identified()
        self._silent = False
        self._restarted = False  # it forgot what was set up
        self._replaced = False
        self._opened_at = ctx.monotonic()
        self._heard_at: float | None = None
        self._first_heard_at: float | None = None
        self._shake_at = ctx.monotonic()

    async def run(self) -> AsyncIterator[DriverEvent]:
        try:
            while not self._replaced:
                await self._send()
                received = await self._link.receive(self._wait())
                for result in self._listen(received):
                    yield result
        except LinkClosedError:
            pass
        for result in self._finish():
            yield result

    async def _send(self) -> None:
        outbox, self._outbox = self._outbox, []
        for frame in outbox:
            await self._link.write(frame.raw)
        await self._command()
        await self._keep_alive()

    async def _command(self) -> None:
        command = self._ctx.next_command()
        if command is not None and command.name in _OPERATOR_COMMANDS:
            frame = _OPERATOR_COMMANDS[command.name].to_frame()
            await self._link.write(frame.raw)

    async def _keep_alive(self) -> None:
        now = self._ctx.monotonic()
        if now >= self._shake_at:
            talking = self._events is None and self._first_heard_at is not None
            self._shake_at = now + (HANDSHAKE_RETRY_S if talking else KEEP_ALIVE_S)
            await self._link.write(HANDSHAKE.to_frame().raw)

    def _wait(self) -> float:
        now = self._ctx.monotonic()
        deadline = self._framer.next_deadline()
        until = self._shake_at if deadline is None else min(deadline, self._shake_at)
        return min(POLL_S, max(0.0, until - now))

    def _listen(self, received: Received | None) -> Iterator[DriverEvent]:
        now = self._ctx.monotonic()
        if received is None:
            found, at = self._framer.expire(now), self._ctx.now()
        else:
            self._heard_at = now
            if self._first_heard_at is None:
                self._first_heard_at = now
                if self._events is None:
                    self._shake_at = min(self._shake_at, now + HANDSHAKE_RETRY_S)
            found, at = self._framer.receive(received.data, now), received.at
        for event in found:
            yield from self._take(event, at)
        yield from self._silence(now)
        if self._events is None and self._name_is_late(now):
            yield from self._identify(Identified())

    def _finish(self) -> Iterator[DriverEvent]:
        """The link is gone: everything held back comes out."""
        if self._events is None and self._held:
            yield from self._identify(Identified())
        for rest in self._framer.close():
            yield from self._take(rest, self._ctx.now())
        if self._events is not None:
            yield from self._events.finish()

    def _silence(self, now: float) -> Iterator[DriverEvent]:
        """Tell when the board falls silent, and when it talks again."""
        since = self._opened_at if self._heard_at is None else self._heard_at
        silent = now - since >= SILENT_AFTER_S
        if silent is not self._silent:
            self._silent = silent
            self._restarted = True
            yield Condition(code=NOT_ANSWERING, active=silent)

    def _name_is_late(self, now: float) -> bool:
        return len(self._held) >= MAX_HELD_FRAMES or (
            self._first_heard_at is not None
            and now - self._first_heard_at >= NAME_WAIT_S
        )

    def _take(self, event: Event, at: datetime) -> Iterator[DriverEvent]:
        if not isinstance(event, Frame):
            yield Undecodable(
                raw=event.data, reason=f"noise: {event.reason}", received_at=at
            )
        elif self._events is not None:
            record, results = self._events.decode(event, at)
            yield from results
            if isinstance(record, TimeRequest):
                self._outbox.append(self._set_time())
            elif isinstance(record, PowerOff):
                self._restarted = True
            elif isinstance(record, ProductName):
                yield from self._named_again(record, self._events)
        elif (name := _product_name(event)) is not None:
            yield from self._identify(
                Identified(model=name.name, serial=name.serial or "")
            )
        else:
            self._held.append((event, at))

    def _identify(self, identified: Identified) -> Iterator[DriverEvent]:
        """Name the board, set it up, and take the frames held back until now."""
        yield identified
        # Only now are the model's quirks known to the context.
        old = identified.model.startswith("PC-100")
        self._events = BoardEvents(self._ctx, Variant.PC_100 if old else Variant.PC_300)
        self._identified = identified
        self._set_up()
        held, self._held = self._held, []
        for frame, at in held:
            yield from self._take(frame, at)

    def _named_again(
        self, name: ProductName, events: BoardEvents
    ) -> Iterator[DriverEvent]:
        """The answer to a keep-alive: the same board, or another on the same cable."""
        known = self._identified
        if known.model and (name.name, name.serial or "") != (
            known.model,
            known.serial,
        ):
            self._replaced = True  # this session was the other board's
        elif self._restarted:
            self._restarted = False
            self._set_up()
            yield from events.switched_on()

    def _set_up(self) -> None:
        old = self._identified.model.startswith("PC-100")
        query = QUERY_VERSION_BATTERY if old else QUERY_VERSION_BATTERY_V2
        self._outbox += (
            query.to_frame(),
            self._set_time(),
            _ECG_12_BIT.to_frame(),
            _SPO2_ON.to_frame(),
        )

    def _set_time(self) -> Frame:
        return SetTime(time=self._ctx.local_now()).to_frame()


def _product_name(frame: Frame) -> ProductName | None:
    """The board's name, when that is what the frame says."""
    try:
        record = decode_device(frame)
    except ProtocolError:
        return None  # decoded again, and reported, once the board has a name
    return record if isinstance(record, ProductName) else None


class LepuKioskDriver:
    """See the module's description."""

    spec = SPEC

    def run(self, link: ByteLink, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        """One connection.

        Raises:
            LinkError: the port does not take what is written.
        """
        return _Board(link, ctx).run()
