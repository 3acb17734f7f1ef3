"""Pulse wave bytes of the Lepu families: bits 0-6 amplitude, bit 7 a beat begins."""

from typing import Final

_BEAT: Final = 0x80
_AMPLITUDE: Final = 0x7F


def pleth_samples(data: bytes) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Amplitudes and beat marks of pleth bytes."""
    return (
        tuple([byte & _AMPLITUDE for byte in data]),
        tuple([byte >= _BEAT for byte in data]),
    )


def pleth_bytes(samples: tuple[int, ...], beats: tuple[bool, ...]) -> bytes:
    """Pleth bytes of amplitudes and beat marks.

    Raises:
        ValueError: Not one mark for each amplitude, or an amplitude above 127.
    """
    if any(sample > _AMPLITUDE for sample in samples):
        msg = "a pleth sample does not fit 7 bits"
        raise ValueError(msg)
    pairs = zip(samples, beats, strict=True)
    return bytes(sample | beat * _BEAT for sample, beat in pairs)
