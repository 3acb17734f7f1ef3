"""From a device's clock to UTC, with a quality.

A device's clock is a counter that runs free between settings. Reading it beside our own
clock (a *coincident time stamp*, HL7 Personal Health Device guide; IEEE 11073-10206)
gives the number of seconds that turn device time into UTC. The decision follows the
guide's table; where it would discard a reading, ours is kept and flagged.

    device time     clock read           taken_at               quality
    none            any                  received_at            received
    given           within tolerance     device time, as local  synchronised
    given           off                  device time + offset   corrected
    given           not readable         device time, as local  unverified
    contradictory   any                  received_at            impossible
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gateway.model.observation import TimeQuality
from gateway.ports.devices import ClockRead

# A clock within this of the true time is taken as set; minutes are what people read on
# a meter, and drift of cheap crystals is a few seconds a week.
SYNCHRONISED_WITHIN: Final = timedelta(seconds=120)
# A corrected time later than its own reception by more than this is a contradiction;
# less is the resolution of clocks that count whole minutes.
FUTURE_TOLERANCE: Final = timedelta(minutes=5)
# No supported device was made before; factory years are 2000 and earlier.
EARLIEST: Final = datetime(2010, 1, 1, tzinfo=UTC)

FLAG_IMPOSSIBLE: Final = "time-impossible"
FLAG_UNKNOWN: Final = "time-unknown"
# Years a calendar can shift between zones; others no clock means.
_YEARS: Final = range(1970, 9000)
# Set by drivers on a time stamp that is no date, such as 31 February.
FLAG_DEVICE_IMPOSSIBLE: Final = "device-time-impossible"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClock:
    """A device's clock as read at connection.

    Attributes:
        offset: what to add to device time to get UTC; None when it was never set.
        synchronised: the offset is the site's own, within tolerance.
    """

    offset: timedelta | None
    synchronised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a reading was taken.

    Attributes:
        instant: the best estimate, from the offset where there is one; ``taken_at``
            keeps a synchronised device's own time instead.
        offset: seconds to add to device time to get UTC, as measured.
        exact: ``instant`` is good to a few seconds.
    """

    taken_at: datetime
    quality: TimeQuality
    instant: datetime
    offset: float | None = None
    exact: bool = False
    flags: tuple[str, ...] = ()


def read_clock(reading: ClockRead, zone: ZoneInfo) -> DeviceClock:
    """The device's clock from a coincident time stamp; ``zone`` is the site's."""
    if reading.device_time is None or reading.device_time.year not in _YEARS:
        return DeviceClock(offset=None, synchronised=False)
    at = reading.at.astimezone(UTC)
    offset = at - reading.device_time.replace(tzinfo=UTC)
    local = localise(reading.device_time, zone, near=at)
    return DeviceClock(
        offset=offset, synchronised=abs(at - local) <= SYNCHRONISED_WITHIN
    )


def localise(device_time: datetime, zone: ZoneInfo, *, near: datetime) -> datetime:
    """UTC of a naive local time.

    A time that happens twice (clocks set back) is the one closest to ``near``; one that
    never happens (clocks set forward) is read with the offset before the change.
    """
    first = device_time.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = device_time.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if second <= first:  # equal, or a time that never happens
        return first
    return min(first, second, key=lambda candidate: abs(candidate - near))


def timing(
    *,
    device_time: datetime | None,
    received_at: datetime,
    clock: DeviceClock | None,
    zone: ZoneInfo,
    stored: bool,
    flags: tuple[str, ...] = (),
) -> Timing:
    """When a reading was taken.

    Args:
        device_time: the device's naive local time, None when it sent none.
        received_at: when the reading came, UTC.
        clock: the device's clock read on this connection; None when unreadable.
        zone: the site's time zone.
        stored: from the device's memory.
        flags: of the reading, set by the driver.
    """
    if device_time is None and FLAG_DEVICE_IMPOSSIBLE not in flags:
        return _received(received_at, stored=stored)
    if device_time is None or device_time.year not in _YEARS:
        return _impossible(received_at, clock)
    if clock is None:
        estimate = localise(device_time, zone, near=received_at)
        if estimate > received_at + FUTURE_TOLERANCE:
            # The earlier of two readings of a repeated hour may still be possible.
            estimate = device_time.replace(tzinfo=zone, fold=0).astimezone(UTC)
        instant, quality = estimate, TimeQuality.UNVERIFIED
    else:
        shifted = _shifted(device_time, clock.offset)
        if shifted is None:
            return _impossible(received_at, clock)
        instant, quality = shifted, TimeQuality.CORRECTED
        estimate = instant
        if clock.synchronised:
            estimate = localise(device_time, zone, near=instant)
            quality = TimeQuality.SYNCHRONISED
    if estimate < EARLIEST or estimate > received_at + FUTURE_TOLERANCE:
        return _impossible(received_at, clock)
    return Timing(
        # Nothing was taken after it was received: the rest is clock resolution.
        taken_at=min(estimate, received_at),
        quality=quality,
        instant=min(instant, received_at),
        offset=_seconds(clock),
        exact=clock is not None,
    )


def _shifted(device_time: datetime, offset: timedelta | None) -> datetime | None:
    """None without an offset: it stamps, but its clock was never set."""
    if offset is None:
        return None
    try:
        return device_time.replace(tzinfo=UTC) + offset
    except OverflowError:
        return None


def _received(received_at: datetime, *, stored: bool) -> Timing:
    if stored:
        # From memory and undated: it may be a minute or a month old.
        return Timing(
            taken_at=received_at,
            quality=TimeQuality.UNVERIFIED,
            instant=received_at,
            flags=(FLAG_UNKNOWN,),
        )
    return Timing(
        taken_at=received_at,
        quality=TimeQuality.RECEIVED,
        instant=received_at,
        exact=True,
    )


def _impossible(received_at: datetime, clock: DeviceClock | None) -> Timing:
    return Timing(
        taken_at=received_at,
        quality=TimeQuality.IMPOSSIBLE,
        instant=received_at,
        offset=_seconds(clock),
        flags=(FLAG_IMPOSSIBLE,),
    )


def _seconds(clock: DeviceClock | None) -> float | None:
    if clock is None or clock.offset is None:
        return None
    return clock.offset.total_seconds()
