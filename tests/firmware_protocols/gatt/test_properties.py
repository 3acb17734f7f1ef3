"""What holds for every characteristic: round trips, truncation, hostile bytes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocols.errors import ProtocolError, TruncatedError
from firmware_protocols.gatt import CHARACTERISTICS, GattRecord
from firmware_protocols.plain import to_plain
from tests.firmware_protocols.gatt.strategies import RECORDS, SAME_CODEC
from tests.vectors.adapters.base import Vector
from tests.vectors.harness import load

VECTORS = [
    vector
    for vector in load(Path(__file__).parents[2] / "vectors" / "ble-sig.json")
    if vector.key.startswith("0x")
]


def test_every_characteristic_has_a_strategy() -> None:
    assert RECORDS.keys() | SAME_CODEC.keys() == CHARACTERISTICS.keys()
    assert all(
        CHARACTERISTICS[copy] == CHARACTERISTICS[original]
        for copy, original in SAME_CODEC.items()
    )


@pytest.mark.parametrize("uuid", RECORDS, ids=hex)
@given(data=st.data())
def test_a_record_survives_the_wire(uuid: int, data: st.DataObject) -> None:
    record: Any = data.draw(RECORDS[uuid])
    octets = record.to_bytes()
    assert CHARACTERISTICS[uuid](octets) == record
    assert CHARACTERISTICS[uuid](bytearray(octets)) == record
    assert CHARACTERISTICS[uuid](memoryview(octets)) == record


def decoded(uuid: int, octets: bytes) -> GattRecord | ProtocolError:
    """Decode; anything but a record or a protocol error escapes."""
    try:
        return CHARACTERISTICS[uuid](octets)
    except ProtocolError as error:
        return error


def assert_nothing_lost(found: GattRecord | ProtocolError, octets: bytes) -> None:
    """The error holds the bytes, and the record is the bytes."""
    if isinstance(found, ProtocolError):
        assert found.data == octets
        assert found.field
        assert found.reason
    else:
        assert found.to_bytes() == octets
        assert json.dumps(to_plain(found))


@pytest.mark.parametrize("uuid", RECORDS, ids=hex)
@given(octets=st.binary(max_size=40))
def test_any_bytes_are_a_record_or_a_protocol_error(uuid: int, octets: bytes) -> None:
    assert_nothing_lost(decoded(uuid, octets), octets)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector.id))
def test_every_prefix_is_a_record_or_a_protocol_error(vector: Vector) -> None:
    for length in range(len(vector.data)):
        prefix = vector.data[:length]
        assert_nothing_lost(decoded(int(vector.key, 16), prefix), prefix)


@pytest.mark.parametrize(
    ("uuid", "octets", "field"),
    [
        (0x2A35, "", "flags"),
        (0x2A35, "0078005000", "mean_arterial"),
        (0x2A35, "02780050005D00E807061700", "timestamp"),
        (0x2A35, "04780050005D0048", "pulse_rate"),
        (0x2A35, "08780050005D00", "user_id"),
        (0x2A35, "10780050005D0001", "status"),
        (0x2A5F, "016200480062", "spo2_fast"),
        (0x2A5F, "0262004800620048", "pulse_rate_slow"),
        (0x2A5E, "04600044000000", "device_sensor_status"),
        (0x2A18, "010100E807010100000000", "time_offset"),
        (0x2A18, "020100E80701010000007800", "type_and_location"),
        (0x2A34, "080100100E", "exercise_intensity"),
        (0x2A37, "105A000800", "rr_interval"),
        (0x2A1C, "006C01", "temperature"),
        (0x2A9D, "08B036F500D6", "height"),
        (0x2A52, "0103", "filter_type"),
        (0x2A52, "0104010100", "operand"),
        (0x2A52, "0500", "number_of_records"),
        (0x2A52, "0600", "request_op_code"),
        (0x2A2B, "E807010100000000", "fractions"),
        (0x2A60, "02000000", "device_sensor_status_support"),
        (0x2A50, "010D000100", "product_version"),
        (0x2A23, "0102030405", "oui"),
    ],
)
def test_a_short_frame_names_the_missing_field(
    uuid: int, octets: str, field: str
) -> None:
    with pytest.raises(TruncatedError) as caught:
        CHARACTERISTICS[uuid](bytes.fromhex(octets))
    assert caught.value.field == field
