"""A blood pressure monitor over an in-memory link, in simulated time."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from drivers.blood_pressure import CUFF_PRESSURE, MEASUREMENT, BloodPressureDriver
from firmware_protocols.gatt.blood_pressure import (
    BEURER,
    BloodPressureMeasurement,
    BloodPressureStatus,
    PressureUnit,
)
from firmware_protocols.gatt.current_time import AdjustReason, CurrentTime, DayOfWeek
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.ieee11073.floats import Number, Special
from gateway.clock import ManualClock
from gateway.errors import LinkRefusedError
from gateway.model.observation import Absent
from gateway.ports.devices import (
    ClockRead,
    Condition,
    Identified,
    Live,
    Reading,
    Undecodable,
)
from tests.drivers.peers import (
    DIS,
    START,
    Context,
    GattPeer,
    collect,
    gatt_run,
    local,
    of,
    uuid,
)

CTS = uuid(0x2A2B)
DATE_TIME = uuid(0x2A08)


def frame(
    systolic: Number = Decimal(128),
    diastolic: Number = Decimal(82),
    mean: Number = Decimal(97),
    *,
    pulse: Number | None = Decimal(71),
    at: datetime | DateTime | None = None,
    status: int | None = None,
    user: int | None = None,
    unit: PressureUnit = PressureUnit.MMHG,
) -> BloodPressureMeasurement:
    stamp = DateTime.from_datetime(at) if isinstance(at, datetime) else at
    return BloodPressureMeasurement(
        unit=unit,
        systolic=systolic,
        diastolic=diastolic,
        mean_arterial=mean,
        timestamp=stamp,
        pulse_rate=pulse,
        user_id=user,
        status=None if status is None else BloodPressureStatus(status),
    )


def clock_value(at: datetime) -> bytes:
    return CurrentTime(
        date_time=DateTime.from_datetime(at),
        day_of_week=DayOfWeek(at.isoweekday()),
        fractions=0,
        adjust_reason=AdjustReason(0),
    ).to_bytes()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def cuff(clock: ManualClock) -> GattPeer:
    return GattPeer(clock, {MEASUREMENT: None, CUFF_PRESSURE: None, **DIS})


async def readings(cuff: GattPeer, ctx: Context) -> list[Reading]:
    return of(await collect(gatt_run(BloodPressureDriver(), cuff, ctx)), Reading)


def values(reading: Reading) -> dict[str, Decimal | Absent | None]:
    return {
        part.name: part.quantity.absent or part.quantity.value
        for part in reading.components
    }


async def test_one_reading_with_all_components(
    cuff: GattPeer, clock: ManualClock
) -> None:
    record = frame(at=local(minutes=-1), user=2, status=0b100)
    cuff.send(record.to_bytes(), MEASUREMENT, after=3)
    cuff.hang_up(after=4)
    events = await collect(gatt_run(BloodPressureDriver(), cuff, Context(clock)))
    assert cuff.subscribed == [MEASUREMENT, CUFF_PRESSURE]
    identified = events[0]
    assert isinstance(identified, Identified)
    assert (identified.manufacturer, identified.model, identified.serial) == (
        "Invented Medical",
        "IM-100",
        "SN-0042",
    )
    (reading,) = of(events, Reading)
    assert values(reading) == {
        "systolic": 128,
        "diastolic": 82,
        "mean_arterial_pressure": 97,
        "pulse_rate_cuff": 71,
    }
    assert reading.raw == record.to_bytes()
    assert reading.flags == ("irregular-pulse",)
    assert reading.user_slot == 2
    assert reading.device_time == local(minutes=-1)
    assert [reading.invalid, reading.questionable, reading.stored] == [False] * 3


async def test_kilopascal_is_exact(cuff: GattPeer, clock: ManualClock) -> None:
    record = frame(
        Decimal("16.0"), Decimal("10.5"), Decimal("12.3"), unit=PressureUnit.KPA
    )
    cuff.send(record.to_bytes(), MEASUREMENT)
    cuff.hang_up()
    (reading,) = await readings(cuff, Context(clock))
    assert values(reading)["systolic"] == Decimal("16.0") * Decimal("7.500616")
    assert reading.components[0].quantity.unit == "mm[Hg]"


@pytest.mark.parametrize("mean", [Decimal(0), Special.NAN])
async def test_mean_that_no_cuff_computed_is_absent(
    cuff: GattPeer, clock: ManualClock, mean: Number
) -> None:
    cuff.send(frame(mean=mean).to_bytes(), MEASUREMENT)
    cuff.hang_up()
    (reading,) = await readings(cuff, Context(clock))
    assert values(reading)["mean_arterial_pressure"] is Absent.UNKNOWN
    assert not reading.invalid


async def test_failed_measurement_is_kept_and_is_no_2047(
    cuff: GattPeer, clock: ManualClock
) -> None:
    nan = Special.NAN
    cuff.send(frame(nan, nan, nan, pulse=nan, status=0).to_bytes(), MEASUREMENT)
    cuff.hang_up()
    (reading,) = await readings(cuff, Context(clock))
    assert reading.invalid
    assert reading.flags == ("measurement-failed",)
    assert set(values(reading).values()) == {Absent.NOT_A_NUMBER, Absent.UNKNOWN}


async def test_doubtful_measurements_are_kept_with_their_flags(
    cuff: GattPeer, clock: ManualClock
) -> None:
    for bit in (0, 1, 5):
        cuff.send(frame(status=1 << bit).to_bytes(), MEASUREMENT)
    cuff.send(frame(status=0b01000).to_bytes(), MEASUREMENT)
    cuff.hang_up()
    found = await readings(cuff, Context(clock))
    assert [(r.flags, r.questionable) for r in found] == [
        (("body-movement",), True),
        (("cuff-too-loose",), True),
        (("improper-body-position",), True),
        (("pulse-over-range",), False),
    ]


async def test_unset_and_impossible_times(cuff: GattPeer, clock: ManualClock) -> None:
    def stamp(year: int, month: int, day: int) -> DateTime:
        return DateTime(year=year, month=month, day=day, hours=0, minutes=0, seconds=0)

    cuff.send(frame(at=stamp(0, 0, 0)).to_bytes(), MEASUREMENT)
    cuff.send(frame(at=stamp(2026, 2, 29)).to_bytes(), MEASUREMENT)
    cuff.hang_up()
    unset, impossible = await readings(cuff, Context(clock))
    assert (unset.device_time, unset.flags) == (None, ("device-clock-not-set",))
    assert (impossible.device_time, impossible.flags) == (
        None,
        ("device-time-impossible",),
    )
    assert impossible.context["device_time_raw"] == "2026-02-29T00:00:00"


async def test_cuff_pressure_is_live_and_garbage_is_kept(
    cuff: GattPeer, clock: ManualClock
) -> None:
    nan = Special.NAN
    cuff.send(frame(Decimal(83), nan, nan, pulse=None).to_bytes(), CUFF_PRESSURE)
    cuff.send(b"\xfe\x20\x27\x00", MEASUREMENT)
    cuff.send(frame().to_bytes(), MEASUREMENT)
    cuff.hang_up()
    events = await collect(gatt_run(BloodPressureDriver(), cuff, Context(clock)))
    assert of(events, Live) == [Live(name="cuff-pressure", value="83", unit="mm[Hg]")]
    (garbage,) = of(events, Undecodable)
    assert garbage.raw == b"\xfe\x20\x27\x00"
    assert garbage.channel == MEASUREMENT
    assert len(of(events, Reading)) == 1


async def test_a_model_with_another_layout(cuff: GattPeer, clock: ManualClock) -> None:
    record = frame(user=1, status=1)
    cuff.send(record.to_bytes(layout=BEURER), MEASUREMENT)
    cuff.hang_up()
    (reading,) = await readings(cuff, Context(clock, layout="beurer"))
    assert values(reading)["pulse_rate_cuff"] == 71
    assert reading.flags == ("body-movement",)


async def test_clock_is_set_only_after_the_stored_readings(
    cuff: GattPeer, clock: ManualClock
) -> None:
    wrong = timedelta(hours=-5)
    cuff.values[CTS] = clock_value(local() + wrong)
    order: list[str] = []

    def on_write(channel: str, data: bytes) -> None:
        order.append("set")
        cuff.values[channel] = data

    cuff.on_write = on_write
    for minutes in (90, 60):
        taken = local(minutes=-minutes) + wrong
        cuff.send(frame(at=taken).to_bytes(), MEASUREMENT, after=0.5)
    cuff.send(frame(at=local() + wrong).to_bytes(), MEASUREMENT, after=1)
    events = []
    async for event in gatt_run(BloodPressureDriver(), cuff, Context(clock)):
        events.append(event)
        order.append(type(event).__name__)
    before, after = of(events, ClockRead)
    assert before.device_time == local() + wrong
    assert not before.was_set
    assert after.was_set
    assert order[-5:] == ["Reading", "Reading", "Reading", "set", "ClockRead"]
    assert [r.stored for r in of(events, Reading)] == [True, True, False]
    ((channel, data),) = cuff.writes
    assert channel == CTS
    assert CurrentTime.from_bytes(data).day_of_week == 1


@pytest.mark.parametrize("quirk", ["never", "after-data"])
async def test_clock_within_tolerance_or_never_is_left_alone(
    cuff: GattPeer, clock: ManualClock, quirk: str
) -> None:
    off = timedelta(hours=1) if quirk == "never" else timedelta(seconds=119)
    cuff.values[CTS] = clock_value(local() + off)
    cuff.send(frame().to_bytes(), MEASUREMENT)
    await readings(cuff, Context(clock, set_clock=quirk))
    assert cuff.writes == []


async def test_models_that_want_their_clock_first(
    cuff: GattPeer, clock: ManualClock
) -> None:
    cuff.values[DATE_TIME] = DateTime.from_datetime(local(days=-700)).to_bytes()
    cuff.on_write = cuff.values.__setitem__
    # Its burst follows the write and carries stamps of the old clock.
    cuff.send(frame(at=local(days=-700)).to_bytes(), MEASUREMENT, after=1)
    cuff.hang_up(after=2)
    ctx = Context(clock, set_clock="on-connect", clock_tolerance_s=10)
    events = await collect(gatt_run(BloodPressureDriver(), cuff, ctx))
    kinds = [e for e in events if isinstance(e, ClockRead | Reading)]
    assert [type(e).__name__ for e in kinds] == ["ClockRead", "Reading", "ClockRead"]
    assert len(cuff.writes) == 1


async def test_clock_that_cannot_be_set_is_a_condition(
    cuff: GattPeer, clock: ManualClock
) -> None:
    cuff.values[CTS] = clock_value(local(days=3))

    def refuse(_channel: str, _data: bytes) -> None:
        raise LinkRefusedError("write: 0x80")

    cuff.on_write = refuse
    cuff.send(frame().to_bytes(), MEASUREMENT)
    events = await collect(gatt_run(BloodPressureDriver(), cuff, Context(clock)))
    assert [c.code for c in of(events, Condition)] == ["clock-wrong"]
    assert len(of(events, Reading)) == 1


async def test_device_that_hangs_up_while_it_is_identified_loses_nothing(
    cuff: GattPeer, clock: ManualClock
) -> None:
    cuff.send(frame().to_bytes(), MEASUREMENT)
    cuff.hang_up()
    cuff.closed = True  # every read fails; what was sent is still queued
    found = await readings(cuff, Context(clock))
    assert len(found) == 1


async def test_device_without_the_service_says_so(clock: ManualClock) -> None:
    peer = GattPeer(clock, DIS)
    events = await collect(gatt_run(BloodPressureDriver(), peer, Context(clock)))
    assert [c.code for c in of(events, Condition)] == ["service-missing"]


async def test_silent_cuff_is_left_after_its_time(
    cuff: GattPeer, clock: ManualClock
) -> None:
    assert await readings(cuff, Context(clock)) == []
    assert clock.monotonic() == pytest.approx(150, abs=2)
