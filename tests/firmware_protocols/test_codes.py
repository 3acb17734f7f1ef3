"""Named numbers, their JSON form, and the errors."""

import json
import pickle
from dataclasses import dataclass
from decimal import Decimal

import pytest

from firmware_protocols.codes import BitField, Code
from firmware_protocols.errors import (
    ChecksumError,
    FieldError,
    LayoutError,
    ProtocolError,
    TruncatedError,
)
from firmware_protocols.gatt import CHARACTERISTICS
from firmware_protocols.gatt.blood_pressure import BloodPressureStatus
from firmware_protocols.gatt.heart_rate import BodySensorLocation
from firmware_protocols.plain import to_plain


def test_a_code_has_a_name_or_is_reserved() -> None:
    assert BodySensorLocation(2).label == "wrist"
    assert BodySensorLocation(2) == BodySensorLocation.WRIST
    assert repr(BodySensorLocation(2)) == "BodySensorLocation(2, wrist)"
    unknown = BodySensorLocation(99)
    assert (unknown.label, unknown.is_known, int(unknown)) == ("reserved", False, 99)


def test_a_bit_field_names_all_its_bits() -> None:
    status = BloodPressureStatus(0b1000_0101)
    assert status.flags == ("body_movement", "irregular_pulse", "reserved_bit_7")
    assert status.has(BloodPressureStatus.IRREGULAR_PULSE)
    assert not status.has(BloodPressureStatus.CUFF_TOO_LOOSE)
    assert repr(status) == (
        "BloodPressureStatus(0x85, body_movement, irregular_pulse, reserved_bit_7)"
    )


def test_a_record_becomes_json() -> None:
    octets = bytes.fromhex("DEF6F416F3FF07E4070114082B00B2F2018000")
    plain = to_plain(CHARACTERISTICS[0x2A35](octets))
    assert json.loads(json.dumps(plain)) == {
        "unit": "mmHg",
        "systolic": "127.0",
        "diastolic": "79.0",
        "mean_arterial": "NaN",
        "timestamp": "2020-01-20T08:43:00",
        "pulse_rate": "69.0",
        "user_id": 1,
        "status": {"raw": 128, "flags": ["reserved_bit_7"]},
        "reserved_flags": 192,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    number: Decimal
    octets: bytes
    codes: tuple[Code, ...]
    bits: BitField
    table: dict[str, Decimal]
    inner: object


def test_every_type_of_a_record_becomes_json() -> None:
    record = Everything(
        number=Decimal("36.40"),
        octets=b"\x01\xff",
        codes=(BodySensorLocation(1), BodySensorLocation(9)),
        bits=BloodPressureStatus(1),
        table={"a": Decimal(1)},
        inner=None,
    )
    assert to_plain(record) == {
        "number": "36.40",
        "octets": "01ff",
        "codes": ["chest", "reserved_9"],
        "bits": {"raw": 1, "flags": ["body_movement"]},
        "table": {"a": "1"},
        "inner": None,
    }


@pytest.mark.parametrize("value", [1, Everything, object()])
def test_only_records_become_json(value: object) -> None:
    with pytest.raises(TypeError):
        to_plain(value)


@pytest.mark.parametrize(
    "kind", [ProtocolError, TruncatedError, FieldError, ChecksumError, LayoutError]
)
def test_an_error_carries_its_facts(kind: type[ProtocolError]) -> None:
    error = pickle.loads(pickle.dumps(kind("flags", "is missing", b"\x01")))  # noqa: S301 - our own bytes
    assert type(error) is kind
    assert isinstance(error, ValueError)
    assert (error.field, error.reason, error.data) == ("flags", "is missing", b"\x01")
    assert str(error) == "flags: is missing"
