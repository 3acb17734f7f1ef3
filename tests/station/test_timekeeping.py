from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.model.observation import TimeQuality
from gateway.ports.devices import ClockRead
from gateway.station.timekeeping import (
    DeviceClock,
    Timing,
    localise,
    read_clock,
    timing,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)  # 16:00 in Shanghai
LOCAL = datetime(2026, 3, 1, 16, 0)  # noqa: DTZ001 - as a device sends it


def clock(device_time: datetime | None, zone: ZoneInfo = SHANGHAI) -> DeviceClock:
    return read_clock(ClockRead(device_time=device_time, at=NOW), zone)


def taken(
    device_time: datetime | None,
    device_clock: DeviceClock | None,
    *,
    stored: bool = True,
    flags: tuple[str, ...] = (),
) -> Timing:
    return timing(
        device_time=device_time,
        received_at=NOW,
        clock=device_clock,
        zone=SHANGHAI,
        stored=stored,
        flags=flags,
    )


def test_a_synchronised_device_s_own_time_is_kept() -> None:
    found = taken(LOCAL - timedelta(hours=3), clock(LOCAL + timedelta(seconds=100)))
    assert found.taken_at == NOW - timedelta(hours=3)
    assert found.quality is TimeQuality.SYNCHRONISED
    assert found.offset == -8 * 3600 - 100
    # For attribution the measured offset counts, not the tolerance.
    assert found.instant == NOW - timedelta(hours=3, seconds=100)


@pytest.mark.parametrize(
    ("off", "quality"),
    [
        (timedelta(seconds=120), TimeQuality.SYNCHRONISED),
        (timedelta(seconds=121), TimeQuality.CORRECTED),
        (timedelta(hours=-1), TimeQuality.CORRECTED),
        (timedelta(days=-9_000), TimeQuality.CORRECTED),
    ],
)
def test_a_clock_that_is_off_is_corrected(off: timedelta, quality: TimeQuality) -> None:
    found = taken(LOCAL + off - timedelta(days=2), clock(LOCAL + off))
    assert found.quality is quality
    assert found.instant == NOW - timedelta(days=2)
    if quality is TimeQuality.CORRECTED:
        assert found.taken_at == NOW - timedelta(days=2)


def test_without_device_time_reception_counts() -> None:
    found = taken(None, clock(LOCAL), stored=False)
    assert (found.taken_at, found.quality) == (NOW, TimeQuality.RECEIVED)


def test_an_undated_reading_from_memory_is_not_taken_for_new() -> None:
    found = taken(None, None)
    assert found.quality is TimeQuality.UNVERIFIED
    assert found.flags == ("time-unknown",)


def test_an_unreadable_clock_leaves_the_time_unverified() -> None:
    found = taken(LOCAL - timedelta(days=1), None)
    assert found.taken_at == NOW - timedelta(days=1)
    assert found.quality is TimeQuality.UNVERIFIED
    assert found.offset is None


@pytest.mark.parametrize(
    ("device_time", "device_clock", "flags"),
    [
        (LOCAL + timedelta(minutes=6), clock(LOCAL), ()),
        (datetime(2009, 12, 31, 12, 0), None, ()),  # noqa: DTZ001
        (datetime(2000, 1, 1), clock(LOCAL), ()),  # noqa: DTZ001
        (datetime(1, 1, 1), None, ()),  # noqa: DTZ001
        (datetime(9999, 12, 31, 23, 59), clock(LOCAL), ()),  # noqa: DTZ001
        (datetime(9999, 12, 31, 23, 59), None, ()),  # noqa: DTZ001
        (LOCAL, clock(None), ()),
        (None, clock(LOCAL), ("device-time-impossible",)),
        (LOCAL + timedelta(minutes=20), clock(LOCAL + timedelta(minutes=10)), ()),
    ],
)
def test_contradictions_are_kept_and_flagged(
    device_time: datetime | None,
    device_clock: DeviceClock | None,
    flags: tuple[str, ...],
) -> None:
    found = taken(device_time, device_clock, flags=flags)
    assert found.quality is TimeQuality.IMPOSSIBLE
    assert found.taken_at == NOW
    assert found.flags == ("time-impossible",)


def test_a_little_later_than_reception_is_clock_resolution() -> None:
    found = taken(LOCAL + timedelta(minutes=4), clock(LOCAL))
    assert (found.taken_at, found.quality) == (NOW, TimeQuality.SYNCHRONISED)


def test_the_hour_that_happens_twice_is_the_one_the_offset_says() -> None:
    # 25 October 2026, 02:30 happens at 00:30 and at 01:30 UTC in Berlin.
    twice = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001
    for hour in (0, 1):
        near = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        assert localise(twice, BERLIN, near=near) == near


def test_the_hour_that_never_happens_is_read_with_the_offset_before() -> None:
    never = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001
    expected = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert localise(never, BERLIN, near=NOW) == expected


def test_a_clock_left_on_winter_time_is_corrected_across_the_change() -> None:
    # Read in summer, one hour behind; the record was made in winter.
    at = datetime(2026, 4, 2, 10, 0, tzinfo=UTC)  # 12:00 in Berlin
    device = read_clock(
        ClockRead(device_time=datetime(2026, 4, 2, 11, 0), at=at),  # noqa: DTZ001
        BERLIN,
    )
    found = timing(
        device_time=datetime(2026, 3, 20, 9, 0),  # noqa: DTZ001
        received_at=at,
        clock=device,
        zone=BERLIN,
        stored=True,
    )
    assert found.quality is TimeQuality.CORRECTED
    assert found.taken_at == datetime(2026, 3, 20, 8, 0, tzinfo=UTC)


def test_an_unverified_time_in_the_repeated_hour_is_not_put_in_the_future() -> None:
    received = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    found = timing(
        device_time=datetime(2026, 10, 25, 2, 30),  # noqa: DTZ001
        received_at=received,
        clock=None,
        zone=BERLIN,
        stored=True,
    )
    assert found.taken_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@given(
    device_time=st.none() | st.datetimes(),
    device_now=st.none() | st.datetimes(),
    readable=st.booleans(),
    stored=st.booleans(),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns"]),
)
def test_any_time_gives_an_instant_not_after_reception(
    *,
    device_time: datetime | None,
    device_now: datetime | None,
    readable: bool,
    stored: bool,
    zone: str,
) -> None:
    site = ZoneInfo(zone)
    device = read_clock(ClockRead(device_time=device_now, at=NOW), site)
    found = timing(
        device_time=device_time,
        received_at=NOW,
        clock=device if readable else None,
        zone=site,
        stored=stored,
    )
    assert datetime(2010, 1, 1, tzinfo=UTC) <= found.taken_at <= NOW
    assert found.instant <= NOW
