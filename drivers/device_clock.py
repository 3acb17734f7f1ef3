"""A BLE device's clock: reading it, setting it, and what its time stamps mean.

Rules (``docs/architecture``, time): the clock is read at connection beside our own;
it is set only after the stored readings were drained, unless the model's quirk says
otherwise, only when it is off by more than a tolerance, and the result is read back.
"""

import enum
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from drivers.quirk_values import number, token
from firmware_protocols.errors import ProtocolError
from firmware_protocols.gatt.current_time import AdjustReason, CurrentTime, DayOfWeek
from firmware_protocols.gatt.date_time import DateTime, DateTimeValue
from gateway.errors import LinkClosedError, LinkError, LinkRefusedError
from gateway.ports.devices import (
    Allowed,
    ClockRead,
    Condition,
    DriverContext,
    DriverEvent,
    GattLink,
)

CURRENT_TIME: Final = "00002a2b-0000-1000-8000-00805f9b34fb"
DATE_TIME: Final = "00002a08-0000-1000-8000-00805f9b34fb"

_CURRENT_TIME_SIZE: Final = 10

MAY_SET_CLOCK: Final = (
    Allowed(name="set-clock", length=_CURRENT_TIME_SIZE, channel=CURRENT_TIME),
    Allowed(name="set-clock", length=DateTime.SIZE, channel=DATE_TIME),
)
"""The allow-list entries of a driver that sets clocks."""

CLOCK_TOLERANCE_S: Final = 120.0
"""A clock nearer than this is left alone: writing it gains nothing and, on some
models, restarts a stored session (ble-sig recommendation: 1-2 minutes)."""

STORED_AFTER: Final = timedelta(minutes=5)
"""A time stamp further back than this came from the device's memory: measuring,
waking the radio and connecting take two minutes at most."""

NOT_SET_FLAG: Final = "device-clock-not-set"
IMPOSSIBLE_FLAG: Final = "device-time-impossible"


class SetClock(enum.StrEnum):
    """When a model's clock is written (quirk ``set_clock``)."""

    AFTER_DATA = "after-data"  # once the stored readings are drained
    AFTER_FIRST_DATA = "after-first-data"  # as the answer to the first reading
    ON_CONNECT = "on-connect"  # else the device sends nothing
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A reading's time as the device gave it.

    Attributes:
        time: naive local time; None when absent, unset or impossible.
        flags: why there is none.
        context: the stamp's digits where they are no time, so that a reading that is
            sent again can be told from a new one.
    """

    time: datetime | None = None
    flags: tuple[str, ...] = ()
    context: tuple[tuple[str, str], ...] = ()


def read_stamp(stamp: DateTime | None, *, clock_not_set: bool = False) -> Stamp:
    """What a time stamp on the wire means."""
    if stamp is None:
        return Stamp(flags=(NOT_SET_FLAG,) if clock_not_set else ())
    digits = (("device_time_raw", str(stamp)),)
    if clock_not_set or not stamp.is_known:
        return Stamp(flags=(NOT_SET_FLAG,), context=digits)
    time = stamp.to_datetime()
    if time is None:
        return Stamp(flags=(IMPOSSIBLE_FLAG,), context=digits)
    return Stamp(time=time)


class DeviceClock:
    """The clock of the device at the other end of a link."""

    __slots__ = ("_characteristic", "_ctx", "_link", "_offset", "_read", "_set_at")

    def __init__(self, link: GattLink, ctx: DriverContext) -> None:
        self._link = link
        self._ctx = ctx
        self._characteristic = next(
            (uuid for uuid in (CURRENT_TIME, DATE_TIME) if link.has(uuid)), None
        )
        self._offset: timedelta | None = None
        self._read: ClockRead | None = None  # as found; None once dealt with
        self._set_at: ClockRead | None = None

    @property
    def rule(self) -> SetClock:
        """When to set it; the model may be known only after identification."""
        return SetClock(token(self._ctx.quirks, "set_clock", SetClock.AFTER_DATA))

    async def read(self) -> ClockRead | None:
        """Read it beside ours; None when there is none that can be read.

        Raises:
            LinkClosedError: the link is gone.
        """
        self._read = await self._look()
        return self._read

    async def _look(self) -> ClockRead | None:
        if self._characteristic is None:
            return None
        try:
            data = await self._link.read(self._characteristic)
        except LinkClosedError:
            raise
        except LinkError:
            return None  # write-only on some models: not a fault
        time = _decode(self._characteristic, data)
        if time is not None:
            self._offset = time - self._ctx.local_now()
        return ClockRead(device_time=time, at=self._ctx.now())

    def is_stored(self, time: datetime | None) -> bool:
        """Whether a reading of that device time came from the device's memory."""
        if time is None:
            return False
        device_now = self._ctx.local_now() + (self._offset or timedelta())
        return abs(device_now - time) > STORED_AFTER

    async def connected(self) -> list[DriverEvent]:
        """The connection begins: set it now if the model wants that."""
        return await self._adjust() if self.rule is SetClock.ON_CONNECT else []

    async def first_value(self) -> list[DriverEvent]:
        """The first value came: set it now if the model wants that."""
        return await self._adjust() if self.rule is SetClock.AFTER_FIRST_DATA else []

    async def quiet(self) -> list[DriverEvent]:
        """What was stored is drained: set it now, and announce what was set.

        The announcement waits for this moment, because readings that still wait in the
        device carry stamps of the old clock.

        Raises:
            LinkClosedError: the link is gone.
        """
        events = await self._adjust() if self.rule is SetClock.AFTER_DATA else []
        return events + self.announcement()

    def announcement(self) -> list[DriverEvent]:
        """The clock as it was set, once."""
        announced, self._set_at = self._set_at, None
        return [] if announced is None else [announced]

    async def _adjust(self) -> list[DriverEvent]:
        """Set it, once, if it was read as unset or as too far off.

        Raises:
            LinkClosedError: the link is gone.
        """
        read, self._read = self._read, None
        if read is None or self._characteristic is None or not self._is_wrong(read):
            return []
        now = self._ctx.local_now()
        # Current Time servers may answer 0x80 and set it all the same: look again.
        with suppress(LinkRefusedError):
            await self._link.write(
                self._characteristic, _encode(self._characteristic, now)
            )
        again = await self._look()
        if again is None or self._is_wrong(again):
            detail = "The device's clock could not be set."
            return [Condition(code="clock-wrong", detail=detail)]
        self._set_at = ClockRead(
            device_time=again.device_time, at=again.at, was_set=True
        )
        return []

    def _is_wrong(self, read: ClockRead) -> bool:
        if read.device_time is None:
            return True
        tolerance = number(self._ctx.quirks, "clock_tolerance_s", CLOCK_TOLERANCE_S)
        offset = read.device_time - self._ctx.local_now()
        passed = self._ctx.now() - read.at
        return abs((offset + passed).total_seconds()) > tolerance


def _decode(characteristic: str, data: bytes) -> datetime | None:
    """The time, or None when it is unset or no time at all."""
    try:
        if characteristic == CURRENT_TIME:
            stamp = CurrentTime.from_bytes(data).date_time
        else:
            stamp = DateTimeValue.from_bytes(data).date_time
    except ProtocolError:
        return None
    return stamp.to_datetime() if stamp.is_known else None


def _encode(characteristic: str, now: datetime) -> bytes:
    stamp = DateTime.from_datetime(now)
    if characteristic == DATE_TIME:
        return stamp.to_bytes()
    return CurrentTime(
        date_time=stamp,
        fractions=0,
        day_of_week=DayOfWeek(now.isoweekday()),
        adjust_reason=AdjustReason(AdjustReason.EXTERNAL),
    ).to_bytes()
