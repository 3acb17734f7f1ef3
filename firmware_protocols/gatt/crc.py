"""The end-to-end CRC of health services: CRC-16/MCRF4XX.

Polynomial 0x1021 reflected (0x8408), start value 0xFFFF, no final xor. It covers the
whole value and follows it, low octet first.

Source: Bluetooth SIG Continuous Glucose Monitoring Service 1.0.1 (E2E-CRC); check
value "123456789" -> 0x6F91.
"""

from firmware_protocols.errors import ChecksumError, TruncatedError
from firmware_protocols.gatt.octets import Octets

_POLYNOMIAL = 0x8408
_START = 0xFFFF
CRC_SIZE = 2


def _table() -> tuple[int, ...]:
    entries = []
    for octet in range(256):
        crc = octet
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        entries.append(crc)
    return tuple(entries)


_TABLE = _table()


def e2e_crc(data: Octets) -> int:
    """Return the CRC of the octets."""
    crc = _START
    for octet in bytes(data):
        crc = crc >> 8 ^ _TABLE[(crc ^ octet) & 0xFF]
    return crc


def append_e2e_crc(data: Octets) -> bytes:
    """Return the octets with their CRC behind them."""
    return bytes(data) + e2e_crc(data).to_bytes(CRC_SIZE, "little")


def strip_e2e_crc(data: Octets) -> bytes:
    """Check the CRC at the end and return the octets before it.

    Raises:
        TruncatedError: There is no room for a CRC.
        ChecksumError: The CRC does not fit.
    """
    data = bytes(data)
    if len(data) < CRC_SIZE:
        raise TruncatedError("e2e_crc", "needs 2 bytes", data)
    payload = data[:-CRC_SIZE]
    if int.from_bytes(data[-CRC_SIZE:], "little") != e2e_crc(payload):
        raise ChecksumError("e2e_crc", "does not fit", data)
    return payload
