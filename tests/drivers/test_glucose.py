"""A glucose meter that answers its record access point, in simulated time."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from drivers.glucose import (
    BOOKMARK,
    CONTEXT,
    MEASUREMENT,
    RECORD_ACCESS,
    GlucoseDriver,
)
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.glucose import (
    ConcentrationUnit,
    GlucoseMeasurement,
    GlucoseSample,
)
from firmware_protocols.gatt.glucose_codes import (
    GlucoseStatus,
    Meal,
    SampleLocation,
    SampleType,
)
from firmware_protocols.gatt.glucose_context import GlucoseContext
from firmware_protocols.ieee11073.floats import Number, Special
from gateway.clock import ManualClock
from gateway.errors import LinkRefusedError
from gateway.model.observation import Absent
from gateway.ports.devices import (
    Bookmark,
    Condition,
    DriverEvent,
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
)

SUCCESS = b"\x06\x00\x01\x01"
EMPTY = b"\x06\x00\x01\x06"
ALL = b"\x01\x01"
LAST = b"\x01\x06"


def record(
    sequence: int,
    concentration: Number | None = Decimal("111E-5"),
    *,
    unit: ConcentrationUnit = ConcentrationUnit.KG_PER_LITRE,
    base: datetime | None = None,
    offset: int | None = 0,
    sample_type: int = SampleType.CAPILLARY_WHOLE_BLOOD,
    status: int | None = None,
    context: bool = False,
) -> bytes:
    when = base or local(hours=-sequence)
    return GlucoseMeasurement(
        sequence_number=sequence,
        base_time=DateTime.from_datetime(when),
        time_offset=offset,
        unit=unit,
        sample=None
        if concentration is None
        else GlucoseSample(
            concentration=concentration,
            sample_type=SampleType(sample_type),
            location=SampleLocation(SampleLocation.FINGER),
        ),
        status=None if status is None else GlucoseStatus(status),
        context_follows=context,
    ).to_bytes()


def meal(sequence: int, code: int) -> bytes:
    return GlucoseContext(sequence_number=sequence, meal=Meal(code)).to_bytes()


class Meter(GattPeer):
    """Stores frames by sequence number; answers reports and aborts."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(
            clock, {RECORD_ACCESS: None, MEASUREMENT: None, CONTEXT: None, **DIS}
        )
        self.records: dict[int, list[tuple[str, bytes]]] = {}
        self.on_write = self.answer
        self.filters = True
        self.hang_up_after: int | None = None

    def store(self, data: bytes, *contexts: bytes) -> None:
        sequence = int.from_bytes(data[1:3], "little")
        self.records[sequence] = [
            (MEASUREMENT, data),
            *((CONTEXT, context) for context in contexts),
        ]

    @property
    def requests(self) -> list[bytes]:
        return [data for channel, data in self.writes if channel == RECORD_ACCESS]

    def answer(self, channel: str, data: bytes) -> None:
        if channel != RECORD_ACCESS:
            return
        if data == ALL:
            wanted = sorted(self.records)
        elif data == LAST:
            wanted = sorted(self.records)[-1:]
        elif data[:3] == b"\x01\x03\x01":
            if not self.filters:
                self.send(b"\x06\x00\x01\x04", RECORD_ACCESS, after=0.1)
                return
            first = int.from_bytes(data[3:5], "little")
            wanted = [s for s in sorted(self.records) if s >= first]
        else:
            return
        at = 0.1
        for number, sequence in enumerate(wanted):
            if self.hang_up_after == number:
                self.hang_up(after=at)
                return
            for value_channel, value in self.records[sequence]:
                self.send(value, value_channel, after=at)
                at += 0.05
        self.send(SUCCESS if wanted else EMPTY, RECORD_ACCESS, after=at)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def meter(clock: ManualClock) -> Meter:
    return Meter(clock)


async def run(meter: Meter, ctx: Context) -> list[DriverEvent]:
    return await collect(gatt_run(GlucoseDriver(), meter, ctx))


async def one(meter: Meter, clock: ManualClock) -> Reading:
    (reading,) = of(await run(meter, Context(clock)), Reading)
    return reading


async def test_all_records_with_their_meals(meter: Meter, clock: ManualClock) -> None:
    codes = (Meal.FASTING, Meal.PREPRANDIAL, Meal.POSTPRANDIAL, Meal.CASUAL)
    for sequence, code in enumerate((*codes, Meal.BEDTIME), start=1):
        meter.store(record(sequence, context=True), meal(sequence, code))
    meter.store(record(6))
    events = await run(meter, Context(clock))
    assert meter.subscribed == [RECORD_ACCESS, MEASUREMENT, CONTEXT]
    assert meter.requests == [ALL]
    found = of(events, Reading)
    assert [(r.sequence, r.kind) for r in found] == [
        (1, "glucose_fasting"),
        (2, "glucose_preprandial"),
        (3, "glucose_postprandial_2h"),
        (4, "glucose_random"),
        (5, "glucose_capillary"),
        (6, "glucose_capillary"),
    ]
    assert found[4].context["meal"] == "bedtime"
    assert all(r.stored for r in found)
    # 111 mg/dL / 18.016
    assert {r.components[0].quantity.value for r in found} == {Decimal("6.161")}
    newest = events.index(found[-1])
    bookmark = events[-1]
    assert isinstance(bookmark, Bookmark)
    assert bookmark.key == BOOKMARK
    assert events.index(bookmark) > newest


async def test_moles_need_no_factor(meter: Meter, clock: ManualClock) -> None:
    unit = ConcentrationUnit.MOL_PER_LITRE
    meter.store(record(1, Decimal("61E-4"), unit=unit))
    reading = await one(meter, clock)
    assert reading.components[0].quantity.value == Decimal("6.1")
    assert reading.components[0].quantity.unit == "mmol/L"


@pytest.mark.parametrize(
    ("concentration", "status", "absent"),
    [
        (Special.POSITIVE_INFINITY, None, Absent.ABOVE_RANGE),
        (Special.NEGATIVE_INFINITY, None, Absent.BELOW_RANGE),
        (Decimal("600E-5"), GlucoseStatus.RESULT_TOO_HIGH, Absent.ABOVE_RANGE),
        (None, GlucoseStatus.RESULT_TOO_LOW, Absent.BELOW_RANGE),
    ],
)
async def test_hi_and_lo_are_readings(
    meter: Meter,
    clock: ManualClock,
    concentration: Number | None,
    status: int | None,
    absent: Absent,
) -> None:
    meter.store(record(1, concentration, status=status))
    reading = await one(meter, clock)
    assert reading.components[0].quantity.absent is absent
    assert not reading.invalid


async def test_what_is_no_blood_is_never_judged(
    meter: Meter, clock: ManualClock
) -> None:
    meter.store(record(1, sample_type=SampleType.CONTROL_SOLUTION))
    meter.store(record(2, context=True), meal(2, 6))
    meter.store(record(3, Special.NAN))
    meter.store(record(4, Decimal("-1E-1")))
    found = of(await run(meter, Context(clock)), Reading)
    assert [r.flags for r in found] == [
        ("control-solution",),
        ("ketone",),
        ("measurement-failed",),
        ("measurement-failed",),
    ]
    assert all(r.invalid for r in found)


async def test_identity_outlives_a_changed_clock_offset(
    meter: Meter, clock: ManualClock
) -> None:
    base = local(days=-1)
    meter.store(record(1, base=base, offset=0))
    before = await one(meter, clock)
    again = Meter(clock)
    again.store(record(1, base=base, offset=480))
    after = await one(again, clock)
    assert before.device_time == after.device_time == base
    assert before.identity == after.identity
    assert after.clock_time == base + timedelta(hours=8)
    assert before.raw != after.raw
    assert after.context["time_offset_min"] == "480"


async def test_context_that_never_comes_costs_no_reading(
    meter: Meter, clock: ManualClock
) -> None:
    meter.store(record(1, context=True))
    meter.store(record(2, context=True), meal(2, Meal.FASTING))
    found = of(await run(meter, Context(clock)), Reading)
    assert {(r.sequence, r.kind) for r in found} == {
        (1, "glucose_capillary"),
        (2, "glucose_fasting"),
    }
    assert found[-1].flags == ("context-missing",)


async def test_next_connection_asks_for_what_is_new(
    meter: Meter, clock: ManualClock
) -> None:
    meter.store(record(7))
    (first,) = of(await run(meter, Context(clock)), Bookmark)
    meter.store(record(8))
    meter.writes.clear()
    ctx = Context(clock)
    ctx.bookmarks = {first.key: first.value}
    events = await run(meter, ctx)
    assert meter.requests == [b"\x01\x03\x01\x08\x00"]
    assert [r.sequence for r in of(events, Reading)] == [8]
    (second,) = of(events, Bookmark)
    ctx.bookmarks = {second.key: second.value}
    meter.writes.clear()
    await run(meter, ctx)
    assert meter.requests == [b"\x01\x03\x01\x09\x00", LAST]


async def test_meter_that_was_reset_is_read_from_the_start(
    meter: Meter, clock: ManualClock
) -> None:
    meter.store(record(1, base=local(minutes=-30)))
    meter.store(record(2, base=local(minutes=-20)))
    ctx = Context(clock)
    ctx.bookmarks = {BOOKMARK: "500 2026-01-01T08:00:00"}
    events = await run(meter, ctx)
    assert meter.requests[-1] == ALL
    assert {r.sequence for r in of(events, Reading)} == {1, 2}
    assert of(events, Bookmark)[-1].value.startswith("2 ")


async def test_meter_that_cannot_filter_is_read_from_the_start(
    meter: Meter, clock: ManualClock
) -> None:
    meter.filters = False
    meter.store(record(1))
    ctx = Context(clock)
    ctx.bookmarks = {BOOKMARK: "1 2026-01-01T08:00:00"}
    events = await run(meter, ctx)
    assert [r.sequence for r in of(events, Reading)] == [1]


async def test_newest_first_meters_are_read_whole_each_time(
    meter: Meter, clock: ManualClock
) -> None:
    meter.store(record(1))
    ctx = Context(clock, record_order="newest-first")
    ctx.bookmarks = {BOOKMARK: "9 2026-01-01T08:00:00"}
    await run(meter, ctx)
    assert meter.requests == [ALL]


async def test_link_lost_in_mid_transfer_is_resumed(
    meter: Meter, clock: ManualClock
) -> None:
    for sequence in range(1, 6):
        meter.store(record(sequence))
    meter.hang_up_after = 3
    events = await run(meter, Context(clock))
    assert [r.sequence for r in of(events, Reading)] == [1, 2, 3]
    assert [c.detail for c in of(events, Condition)] == ["disconnected"]
    (bookmark,) = of(events, Bookmark)
    again = Meter(clock)
    again.records = meter.records
    ctx = Context(clock)
    ctx.bookmarks = {bookmark.key: bookmark.value}
    events = await run(again, ctx)
    assert [r.sequence for r in of(events, Reading)] == [4, 5]


async def test_broken_transfer_out_of_order_is_not_remembered(
    meter: Meter, clock: ManualClock
) -> None:
    # Newest first, and the link is lost: what is missing is older than what came.
    meter.on_write = None
    for number, sequence in enumerate((9, 8, 7)):
        meter.send(record(sequence), MEASUREMENT, after=0.1 * number)
    meter.hang_up(after=1)
    events = await run(meter, Context(clock))
    assert [r.sequence for r in of(events, Reading)] == [9, 8, 7]
    assert of(events, Bookmark) == []


async def test_silent_meter_is_aborted_and_told(
    meter: Meter, clock: ManualClock
) -> None:
    meter.on_write = None
    events = await run(meter, Context(clock))
    assert meter.requests == [ALL, b"\x03\x00"]
    assert [c.detail for c in of(events, Condition)] == ["timed-out"]
    assert of(events, Bookmark) == []


async def test_unreadable_values_are_kept(meter: Meter, clock: ManualClock) -> None:
    meter.records[1] = [(MEASUREMENT, b"\x00\x01"), (CONTEXT, meal(9, 1))]
    events = await run(meter, Context(clock))
    assert [u.raw for u in of(events, Undecodable)] == [b"\x00\x01", meal(9, 1)]


async def test_refused_request_escapes_to_the_supervisor(
    meter: Meter, clock: ManualClock
) -> None:
    def refuse(_channel: str, _data: bytes) -> None:
        raise LinkRefusedError("write: insufficient authentication")

    meter.on_write = refuse
    with pytest.raises(LinkRefusedError):
        await run(meter, Context(clock))


@pytest.mark.parametrize(
    ("age", "stored"), [(timedelta(minutes=1), False), (timedelta(hours=1), True)]
)
async def test_a_fresh_record_is_not_an_old_one(
    meter: Meter,
    clock: ManualClock,
    age: timedelta,
    stored: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    meter.store(record(1, base=local() - age))
    assert (await one(meter, clock)).stored is stored


def test_delete_is_not_in_the_allow_list() -> None:
    def may(data: bytes) -> bool:
        spec = GlucoseDriver.spec
        return any(entry.permits(RECORD_ACCESS, data) for entry in spec.may_send)

    assert may(ALL)
    assert not any(may(bytes((2, operator))) for operator in range(7))
