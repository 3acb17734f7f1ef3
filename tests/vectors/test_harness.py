"""The harness itself: it must be able to fail."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from firmware_protocols.errors import FieldError
from firmware_protocols.ieee11073.floats import Special
from tests.vectors.adapters import ADAPTERS
from tests.vectors.adapters.base import Decoded, Spellings, Vector
from tests.vectors.adapters.names import SYNONYMS
from tests.vectors.conftest import EXTRA_VECTORS, vector_files
from tests.vectors.harness import VectorMismatchError, check, differences, load, parse

BLOOD_PRESSURE = {
    "id": "bp",
    "characteristic_uuid": "0x2A35",
    "hex": "00780050005D00",
    "expected": {"flags": 0, "unit": "mmHg", "systolic": 120, "map": 93},
}


def vector(**changes: object) -> Vector:
    return parse(BLOOD_PRESSURE | changes, name="unnamed")


def expecting(**changes: object) -> Vector:
    expected = {"flags": 0, "unit": "mmHg", "systolic": 120} | changes
    return vector(expected=expected)


def test_a_good_vector_passes() -> None:
    check(vector(), ADAPTERS)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("systolic", 121),
        ("systolic", 120.0001),
        ("systolic", "NaN"),
        ("systolic", True),
        ("systolic", None),
        ("unit", "kPa"),
        ("timestamp", "2024-06-23T14:47:59"),
        ("status_flags", []),
    ],
)
def test_a_wrong_value_fails(key: str, value: object) -> None:
    with pytest.raises(VectorMismatchError, match=key):
        check(expecting(**{key: value}), ADAPTERS)


def test_an_unknown_key_fails() -> None:
    with pytest.raises(VectorMismatchError, match="knows no such key"):
        check(expecting(pulse_pressure=40), ADAPTERS)


def test_an_error_that_is_accepted_fails() -> None:
    with pytest.raises(VectorMismatchError, match="must be rejected"):
        check(vector(expected={"error": "too_short"}), ADAPTERS)


def test_a_rejection_that_is_not_expected_fails() -> None:
    with pytest.raises(VectorMismatchError, match="rejected"):
        check(vector(hex="0078"), ADAPTERS)


def test_an_expected_rejection_passes() -> None:
    check(vector(hex="0078", expected={"error": "too_short"}), ADAPTERS)


def test_another_exception_than_a_protocol_error_is_no_rejection() -> None:
    def broken(_: Vector) -> Decoded:
        raise IndexError

    with pytest.raises(IndexError):
        check(vector(expected={"error": "too_short"}), {"0x2A35": broken})


def test_a_vector_without_an_adapter_fails() -> None:
    with pytest.raises(VectorMismatchError, match="no adapter is registered"):
        check(vector(characteristic_uuid="0x2A9C"), ADAPTERS)


def test_a_vendor_layout_that_is_taken_silently_fails() -> None:
    with pytest.raises(VectorMismatchError, match="silently"):
        check(vector(conformant=False, device="Beurer BM85"), ADAPTERS)


def test_a_vendor_layout_of_an_unknown_device_fails() -> None:
    frame = "56710049000000EA07080B1438000041010000"
    with pytest.raises(VectorMismatchError, match="no layout"):
        check(vector(hex=frame, conformant=False, device="Example 1"), ADAPTERS)


def test_trailing_bytes_are_not_silence() -> None:
    def adapt(_: Vector) -> Decoded:
        return Decoded(values={"value": 1, "trailing": b"\x01"})

    odd = vector(conformant=False, expected={"value": 1})
    check(odd, {"0x2A35": adapt})


def recoding(data: bytes, *, canonical: bool) -> Mapping[str, Any]:
    def adapt(seen: Vector) -> Decoded:
        return Decoded(
            values={"value": seen.data[0]}, reencode=lambda: data, canonical=canonical
        )

    return {"0x2A35": adapt}


def test_an_encoder_that_changes_the_value_fails() -> None:
    one = vector(hex="0102", expected={"value": 1})
    check(one, recoding(b"\x01\x03", canonical=False))
    with pytest.raises(VectorMismatchError, match="encodes as"):
        check(one, recoding(b"\x01\x03", canonical=True))
    with pytest.raises(VectorMismatchError, match="after encoding"):
        check(one, recoding(b"\x02\x02", canonical=False))


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        (36.4, Decimal("36.4"), True),
        (3.7e129, Decimal("3.7E+129"), True),
        (0, Decimal("0.0"), True),
        (0, Decimal("1E-9"), False),
        ("NaN", Special.NAN, True),
        ("+INFINITY", Special.POSITIVE_INFINITY, True),
        ("+INF", Special.NEGATIVE_INFINITY, False),
        (2047, Special.NAN, False),
        (1, True, False),
        (False, 0, False),
        (None, None, True),
        (None, 0, False),
        ("lab", Spellings("lab_test", "lab"), True),
        ("self", Spellings("lab_test", "lab"), False),
        ([1, 2], (1, 2), True),
        ([1, 2], [1], False),
        ([1, 2], [2, 1], False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ([{"a": 1}], [{"a": 2}], False),
    ],
)
def test_comparison(expected: object, actual: object, *, same: bool) -> None:
    found = list(differences({"key": expected}, {"key": actual}))
    assert (not found) is same


@pytest.mark.parametrize(
    "entry",
    [
        {"characteristic_uuid": "0x2A35", "expected": {"flags": 0}},
        {"hex": "00", "expected": {"flags": 0}},
        {"characteristic_uuid": "0x2A35", "hex": "00"},
        {"characteristic_uuid": "0x2A35", "hex": "00", "expected": {}},
        {"characteristic_uuid": "0x2A35", "hex": "0", "expected": {"flags": 0}},
    ],
)
def test_an_entry_of_another_schema_is_no_vector(entry: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - bytes.fromhex has its own text
        parse(entry, name="unnamed")


def test_both_forms_of_a_file_are_read(tmp_path: Path) -> None:
    listed, wrapped = tmp_path / "listed.json", tmp_path / "wrapped.json"
    listed.write_text(json.dumps([BLOOD_PRESSURE]))
    entry = {key: value for key, value in BLOOD_PRESSURE.items() if key != "id"}
    wrapped.write_text(json.dumps({"kinds": [], "vectors": [entry]}))
    assert load(listed)[0].id == "bp"
    assert load(wrapped)[0].id == "wrapped-0"


def test_a_file_without_vectors_fails(tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text("[]")
    with pytest.raises(ValueError, match="no list of vectors"):
        load(empty)


def test_the_extra_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = set(vector_files())
    monkeypatch.setenv(EXTRA_VECTORS, str(tmp_path))
    with pytest.raises(pytest.UsageError, match="holds no vector files"):
        vector_files()
    extra = tmp_path / "more.json"
    extra.write_text(json.dumps([BLOOD_PRESSURE]))
    assert set(vector_files()) - own == {extra}


def test_synonyms_are_only_for_names_which_no_vector_shows() -> None:
    shown: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, str):
            shown.add(value)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    for item in load(Path(__file__).parent / "ble-sig.json"):
        for value in item.expected.values():
            collect(value)
    assert not shown & SYNONYMS.keys()


def test_every_given_error_is_a_protocol_error_of_the_codec() -> None:
    """The harness does not treat our misuse as a device's fault."""

    def misuse(_: Vector) -> Decoded:
        raise ValueError("not a device's fault")

    with pytest.raises(ValueError, match="not a device's fault"):
        check(vector(expected={"error": "any"}), {"0x2A35": misuse})

    def fault(seen: Vector) -> Decoded:
        raise FieldError("field", "is reserved", seen.data)

    check(vector(expected={"error": "any"}), {"0x2A35": fault})
