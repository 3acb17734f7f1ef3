"""What single codecs promise beyond the vectors."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocols.errors import (
    ChecksumError,
    FieldError,
    LayoutError,
    ProtocolError,
    TruncatedError,
)
from firmware_protocols.gatt import CHARACTERISTICS, GattRecord
from firmware_protocols.gatt.blood_pressure import (
    BEURER,
    BloodPressureMeasurement,
    BloodPressureStatus,
    PressureUnit,
    PulseRange,
)
from firmware_protocols.gatt.crc import append_e2e_crc, e2e_crc, strip_e2e_crc
from firmware_protocols.gatt.current_time import DayOfWeek, LocalTimeInformation
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.device_information import DeviceText
from firmware_protocols.gatt.glucose import GlucoseMeasurement
from firmware_protocols.gatt.heart_rate import HeartRateMeasurement
from firmware_protocols.gatt.isens import SetClock
from firmware_protocols.gatt.octets import OctetReader, join_nibbles
from firmware_protocols.gatt.pulse_oximeter import OximeterFeature, OximeterFeatures
from firmware_protocols.gatt.record_access import (
    FilterType,
    OpCode,
    Operator,
    RecordCount,
    RecordRequest,
)
from firmware_protocols.gatt.weight_scale import (
    BodySize,
    WeightMeasurement,
    WeightUnits,
)
from firmware_protocols.ieee11073.floats import Special
from tests.firmware_protocols.gatt.strategies import PRESSURE, U8

BM85 = bytes.fromhex("56710049000000EA07080B1438000041010000")
NOON = DateTime(year=2026, month=3, day=1, hours=12, minutes=0, seconds=0)
LAST_MINUTE = DateTime(year=9999, month=12, day=31, hours=23, minutes=59, seconds=0)
PLAIN = BloodPressureMeasurement(
    unit=PressureUnit.MMHG,
    systolic=Decimal(120),
    diastolic=Decimal(80),
    mean_arterial=Special.NAN,
)


def test_a_beurer_frame_needs_its_layout() -> None:
    with pytest.raises(LayoutError):
        BloodPressureMeasurement.from_bytes(BM85)
    record = BloodPressureMeasurement.from_bytes(BM85, layout=BEURER)
    assert (record.systolic, record.pulse_rate) == (Decimal(113), Decimal(65))
    assert record.user_id == 1
    assert record.to_bytes(layout=BEURER) == BM85
    with pytest.raises(ValueError, match="user id"):
        PLAIN.to_bytes(layout=BEURER)


@given(record=PRESSURE, user_id=U8)
def test_beurer_frames_survive_the_wire(
    record: BloodPressureMeasurement, user_id: int
) -> None:
    record = replace(record, user_id=user_id)
    octets = record.to_bytes(layout=BEURER)
    assert BloodPressureMeasurement.from_bytes(octets, layout=BEURER) == record


@pytest.mark.parametrize("number", range(4))
def test_pulse_range_is_no_flag(number: int) -> None:
    status = BloodPressureStatus(number << 3)
    assert status.pulse_range is tuple(PulseRange)[number]
    assert status.flags == ()


def test_reserved_flags_may_not_hide_a_field() -> None:
    with pytest.raises(ValueError, match="reserved"):
        BloodPressureMeasurement(
            unit=PressureUnit.MMHG,
            systolic=Decimal(1),
            diastolic=Decimal(1),
            mean_arterial=Decimal(1),
            reserved_flags=1,
        ).to_bytes()


@pytest.mark.parametrize(
    ("octets", "known", "time"),
    [
        ("EA07030108010A", True, datetime(2026, 3, 1, 8, 1, 10)),  # noqa: DTZ001 - local
        ("00000000000000", False, None),
        ("000004170D0000", False, None),
        ("EA07021D000000", True, None),
        ("EA070D01000000", True, None),
        ("EA070101180000", True, None),
        ("10270101000000", True, None),
        ("2D060101000000", True, None),
    ],
)
def test_a_date_that_is_none_is_kept(
    octets: str, time: datetime | None, *, known: bool
) -> None:
    value = DateTime.from_bytes(bytes.fromhex(octets))
    assert value.is_known is known
    assert value.to_datetime() == time
    assert value.to_bytes().hex().upper() == octets


@given(st.datetimes(min_value=datetime(1582, 1, 1)))  # noqa: DTZ001 - local time
def test_a_datetime_survives(moment: datetime) -> None:
    value = DateTime.from_datetime(moment)
    assert value.to_datetime() == moment.replace(microsecond=0)
    assert DateTime.from_bytes(value.to_bytes()) == value


def test_a_date_time_has_seven_octets() -> None:
    with pytest.raises(TruncatedError):
        DateTime.from_bytes(bytes(6))
    with pytest.raises(FieldError):
        DateTime.from_bytes(bytes(8))
    with pytest.raises(ValueError, match="does not fit"):
        DateTime(year=2026, month=300, day=1, hours=0, minutes=0, seconds=0).to_bytes()


@pytest.mark.parametrize(
    ("uuid", "octets", "field"),
    [
        (0x2A08, "EA070D01000000", "date_time.month"),
        (0x2A08, "E8030101000000", "date_time.year"),
        (0x2A2B, "EA0701200000000000" + "00", "date_time.day"),
        (0x2A2B, "EA070101000000080000", "day_of_week"),
        (0x2A0F, "3904", "time_zone"),
        (0x2A0F, "0005", "dst_offset"),
        (0x2A0D, "01", "dst_offset"),
        (0x2A19, "65", "level"),
        (0x2A52, "0100", "operator"),
        (0x2A52, "0107", "operator"),
        (0x2A52, "0301", "operator"),
        (0x2A52, "06010101", "operator"),
        (0x2A52, "0103030100", "filter_type"),
        (0x2A52, "0500030201", "number_of_records"),
    ],
)
def test_forbidden_values_are_refused(uuid: int, octets: str, field: str) -> None:
    with pytest.raises(FieldError) as caught:
        CHARACTERISTICS[uuid](bytes.fromhex(octets))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("base", "offset", "expected"),
    [
        (NOON, -60, datetime(2026, 3, 1, 11)),  # noqa: DTZ001 - local
        (NOON, None, None),
        (DateTime.from_bytes(bytes(7)), 60, None),
        (LAST_MINUTE, 60, None),
    ],
)
def test_user_facing_time(
    base: DateTime, offset: int | None, expected: datetime | None
) -> None:
    record = GlucoseMeasurement(sequence_number=1, base_time=base, time_offset=offset)
    assert record.user_facing_time() == expected


def test_our_own_mistakes_are_no_protocol_errors() -> None:
    """A record that cannot be encoded is the caller's fault."""
    request = RecordRequest(op_code=OpCode(1), operator=Operator(3))
    sequence = FilterType(FilterType.SEQUENCE_NUMBER)
    mistakes: list[GattRecord] = [
        HeartRateMeasurement(heart_rate=256),
        HeartRateMeasurement(heart_rate=60, rr_intervals=(1,), trailing=b"\0"),
        RecordCount(number_of_records=1, size=3),
        request,
        replace(request, filter_values=(1,)),
        replace(request, filter_type=sequence, filter_values=(NOON,)),
        OximeterFeature(features=OximeterFeatures(1)),
        WeightMeasurement(units=WeightUnits.METRIC, weight=Decimal("0.001")),
        WeightMeasurement(units=WeightUnits.METRIC, weight=Decimal("327.675")),
        WeightMeasurement(
            units=WeightUnits.METRIC,
            weight=None,
            body_size=BodySize(bmi=Decimal("22.22"), height=Decimal(1)),
        ),
    ]
    for record in mistakes:
        with pytest.raises((ValueError, OverflowError)) as caught:
            record.to_bytes()
        assert not isinstance(caught.value, ProtocolError)
    with pytest.raises(ValueError, match="four bits"):
        join_nibbles(16, 0)


def test_texts_are_read_without_padding_and_never_fail() -> None:
    assert DeviceText.from_text("Beispiel 血压计").text == "Beispiel 血压计"
    assert DeviceText.from_bytes(b"A\0\0").text == "A"
    assert DeviceText.from_bytes(b"A\xff").text == "A\ufffd"


@pytest.mark.parametrize(("octets", "minutes"), [("80FF", None), ("D000", -720)])
def test_a_time_zone_may_be_unknown(octets: str, minutes: int | None) -> None:
    value = LocalTimeInformation.from_bytes(bytes.fromhex(octets))
    assert value.time_zone_minutes == minutes


def test_day_of_week_has_names() -> None:
    assert DayOfWeek(7).label == "sunday"


def test_clock_write_of_isens_meters() -> None:
    octets = SetClock(date_time=NOON).to_bytes()
    assert octets.hex() == "c0030100ea0703010c0000"
    assert SetClock.from_bytes(octets).date_time == NOON
    with pytest.raises(FieldError):
        SetClock.from_bytes(b"\xc1" + octets[1:])
    with pytest.raises(LayoutError):
        SetClock.from_bytes(octets + b"\0")
    with pytest.raises(TruncatedError):
        SetClock.from_bytes(octets[:-1])


@given(st.binary(max_size=30))
def test_crc_is_appended_and_checked(payload: bytes) -> None:
    framed = append_e2e_crc(payload)
    assert strip_e2e_crc(framed) == payload
    # The CRC over data and CRC of a reflected CRC without final xor is 0.
    assert e2e_crc(framed) == 0
    with pytest.raises(ChecksumError):
        strip_e2e_crc(framed[:-1] + bytes([framed[-1] ^ 1]))


def test_a_crc_needs_two_octets() -> None:
    with pytest.raises(TruncatedError):
        strip_e2e_crc(b"\0")


def test_the_reader_reads_signed_and_swapped_numbers() -> None:
    reader = OctetReader(b"\xff\xfe\xff\x01\x02")
    assert reader.s8("a") == -1
    assert reader.s16("b") == -2
    assert reader.u16_big_endian("c") == 0x0102
    assert reader.left() == 0
