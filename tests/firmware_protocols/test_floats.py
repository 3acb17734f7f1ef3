"""SFLOAT and FLOAT: exhaustive where it is possible."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocols.ieee11073.floats import (
    SFLOATS,
    Special,
    decode_float,
    decode_sfloat,
    encode_float,
    encode_sfloat,
)


def test_every_sfloat_survives() -> None:
    for raw in range(1 << 16):
        assert encode_sfloat(decode_sfloat(raw)) == raw
    assert len(SFLOATS) == 1 << 16


@given(st.integers(0, (1 << 32) - 1))
def test_any_float_survives(raw: int) -> None:
    assert encode_float(decode_float(raw)) == raw


@pytest.mark.parametrize("special", Special)
def test_specials_survive_and_are_no_numbers(special: Special) -> None:
    assert decode_sfloat(encode_sfloat(special)) is special
    assert decode_float(encode_float(special)) is special


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0xF173, "37.1"),
        (0x0FFF, "-1"),
        (0x87FF, "0.00002047"),
        (0xB06F, "0.00111"),
        (0x7800, "-20480000000"),
    ],
)
def test_known_sfloats(raw: int, value: str) -> None:
    assert decode_sfloat(raw) == Decimal(value)


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("36.4", 0xF16C),
        ("120.0", 0xF4B0),
        ("120", 0x0078),
        ("20400", 0x17F8),
        ("-20480", 0x1800),
        ("1E+9", 0x7064),
        ("0E+99", 0x7000),
        ("0E-99", 0x8000),
        ("120.0000000000", 0xF4B0),
    ],
)
def test_a_value_moves_its_exponent_only_where_it_must(value: str, raw: int) -> None:
    assert f"{encode_sfloat(Decimal(value)):04X}" == f"{raw:04X}"


@pytest.mark.parametrize(
    "value",
    [
        *("2047", "2046", "-2046", "-2047", "-2048"),  # the codes of the specials
        *("2049", "0.12345", "1E+11", "1E-9", "NaN", "Infinity"),
    ],
)
def test_what_no_sfloat_can_hold_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"11073|special|Special"):
        encode_sfloat(Decimal(value))


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_encoding_is_exact_or_refused(value: Decimal) -> None:
    for encode, decode in (
        (encode_sfloat, decode_sfloat),
        (encode_float, decode_float),
    ):
        try:
            raw = encode(value)
        except ValueError:
            continue
        assert decode(raw) == value


@pytest.mark.parametrize("raw", [-1, 1 << 16])
def test_a_raw_sfloat_has_sixteen_bits(raw: int) -> None:
    with pytest.raises(ValueError, match="16 bits"):
        decode_sfloat(raw)


@pytest.mark.parametrize("raw", [-1, 1 << 32])
def test_a_raw_float_has_thirty_two_bits(raw: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        decode_float(raw)
