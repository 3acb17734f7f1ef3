"""Seeded damage to byte strings: what fuzzing feeds to framers and decoders."""

from collections.abc import Sequence
from random import Random

MAX_RANDOM_BYTES = 64
"""Length of purely random inputs; most layouts are shorter than that."""

MAX_INPUT_BYTES = 4096
"""Inputs are cut there, so that one input cannot take the whole time."""

MAX_MUTATIONS = 6
INTERESTING = (0x00, 0x01, 0x02, 0x55, 0x7F, 0x80, 0xAA, 0xFE, 0xFF)
"""Bytes at the edges of fields, and those of headers."""


def mutated(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """One input: random bytes, or a seed with up to ``MAX_MUTATIONS`` changes."""
    if not seeds or rng.random() < 0.1:
        return rng.randbytes(rng.randrange(MAX_RANDOM_BYTES))
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(MAX_MUTATIONS + 1)):
        _mutate(rng, data, seeds)
    return bytes(data[:MAX_INPUT_BYTES])


def _mutate(rng: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    match rng.randrange(8):
        case 0 if at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        case 1 if at < len(data):
            data[at] = rng.choice(INTERESTING)
        case 2 if at < len(data):
            data[at] = rng.randrange(256)
        case 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        case 4:
            del data[at : at + rng.randrange(1, 9)]
        case 5:
            del data[at:]
        case 6:
            data[at:at] = rng.choice(seeds)
        case _:
            data += rng.choice(seeds)
