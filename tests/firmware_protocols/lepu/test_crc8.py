import pytest

from firmware_protocols.lepu.crc8 import CRC8_TABLE, crc8


@pytest.mark.parametrize(
    ("data", "crc"),
    [(b"123456789", 0xA1), (bytes.fromhex("AA55FF0201"), 0xCA), (b"", 0)],
)
def test_check_values(data: bytes, crc: int) -> None:
    assert crc8(data) == crc


def test_the_table_has_every_value_once() -> None:
    assert sorted(CRC8_TABLE) == list(range(256))


def test_data_with_its_crc_gives_zero() -> None:
    assert crc8(bytes.fromhex("AA55FF0201CA")) == 0
