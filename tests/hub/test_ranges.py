from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.hub.ranges import MAX_ACKNOWLEDGED_RANGES, Range, acknowledged, merge

NUMBERS = st.integers(1, 60)


def members(ranges: list[Range]) -> set[int]:
    return {seq for first, last in ranges for seq in range(first, last + 1)}


@given(st.lists(st.lists(NUMBERS, max_size=20), max_size=8))
def test_merge_holds_exactly_what_was_added(batches: list[list[int]]) -> None:
    held: list[Range] = []
    model: set[int] = set()
    for batch in batches:
        held = merge(held, batch)
        model |= set(batch)
        assert members(held) == model
        # Ascending, and apart: neighbours are one range.
        assert all(first <= last for first, last in held)
        assert all(a[1] + 1 < b[0] for a, b in pairwise(held))


@given(st.sets(NUMBERS))
def test_acknowledged_says_what_is_held_and_no_more(model: set[int]) -> None:
    upto, ranges = acknowledged(merge([], model))
    assert members([(1, upto), *ranges]) == model
    # ``upto`` reaches as far as it can.
    assert upto + 1 not in model
    assert all(first > upto for first, _ in ranges)


def test_many_ranges_are_cut_from_above() -> None:
    odd = range(1, 4 * MAX_ACKNOWLEDGED_RANGES, 2)
    upto, ranges = acknowledged(merge([], odd))
    assert upto == 1
    assert ranges == [(n, n) for n in odd[1 : 1 + MAX_ACKNOWLEDGED_RANGES]]
    _, ranges = acknowledged(merge([], odd[1:]))
    assert ranges == [(n, n) for n in odd[1 : 1 + MAX_ACKNOWLEDGED_RANGES]]
