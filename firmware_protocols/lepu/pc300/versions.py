"""Version bytes: each nibble is a digit; ``12`` is "1.2", ``01 23`` is "0.1.2.3"."""

from typing import Final

_MAX_DIGIT: Final = 0x0F


def version_text(data: bytes) -> str:
    """The digits of ``data`` with dots between them; "" for no bytes."""
    return ".".join(f"{byte >> 4}.{byte & _MAX_DIGIT}" for byte in data)


def version_bytes(text: str) -> bytes:
    """The bytes of an even number of dotted digits from 0 to 15.

    Raises:
        ValueError: It is something else; the caller's mistake.
    """
    if not text:
        return b""
    digits = [int(digit) for digit in text.split(".")]
    if len(digits) % 2 or any(not 0 <= digit <= _MAX_DIGIT for digit in digits):
        msg = "a version is pairs of digits from 0 to 15"
        raise ValueError(msg)
    pairs = zip(digits[::2], digits[1::2], strict=True)
    return bytes(high << 4 | low for high, low in pairs)
