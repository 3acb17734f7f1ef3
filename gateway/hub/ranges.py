"""Inclusive ranges of journal sequence numbers that the hub holds of a station. Pure.

See ``gateway.wire.batch.Acknowledgement``.
"""

from collections.abc import Iterable
from typing import Final

# Ranges that one acknowledgement names; the lowest come first, and a station re-sends
# what is not covered, so a long list costs repeats and never readings.
MAX_ACKNOWLEDGED_RANGES: Final = 200

Range = tuple[int, int]


def merge(held: Iterable[Range], seqs: Iterable[int]) -> list[Range]:
    """The ranges after adding single numbers, ascending and apart from each other."""
    spans = sorted([*held, *((seq, seq) for seq in seqs)])
    merged: list[Range] = []
    for first, last in spans:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def acknowledged(held: list[Range]) -> tuple[int, list[Range]]:
    """(all up to this are held, ranges above it), as an acknowledgement says it.

    Journal numbers begin at 1.
    """
    if held and held[0][0] <= 1:
        return held[0][1], held[1 : 1 + MAX_ACKNOWLEDGED_RANGES]
    return 0, held[:MAX_ACKNOWLEDGED_RANGES]
