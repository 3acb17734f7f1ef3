"""Joining chunks: gaps named, overlaps taken once, nothing filled."""

import struct
from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.services.waveforms import join_chunks, to_int16
from tests.api.samples import NOW, ecg
from tests.api.world import World


def test_overlap_is_taken_once() -> None:
    strip = join_chunks([ecg(0), ecg(900)], ecg(900).t0 + timedelta(seconds=10))
    assert strip.count == 1900
    assert strip.gaps == ()
    assert strip.next is None


def test_another_scale_begins_another_strip() -> None:
    other = msgspec.structs.replace(ecg(1000), scale=0.005)
    strip = join_chunks([ecg(0), other], ecg(1000).t0 + timedelta(seconds=10))
    assert strip.count == 1000
    assert strip.next == other.t0


@given(
    st.lists(st.integers(min_value=-(2**30), max_value=2**30), min_size=1, max_size=50)
)
def test_int16_keeps_values_within_half_a_step(values: list[int]) -> None:
    data, shift, factor = to_int16(values)
    counts = struct.unpack(f"<{len(values)}h", data)
    for value, count in zip(values, counts, strict=True):
        assert abs(count * factor + shift - value) <= factor / 2 + 1
    if max(values) - min(values) < 65_535:
        assert factor == 1
        assert [c + shift for c in counts] == values


def test_wide_counts_keep_their_physical_value() -> None:
    wide = ecg(0, counts=[0, 1_000_000, -1_000_000, 500_000])
    strip = join_chunks([wide], wide.t0)
    counts = struct.unpack("<4h", strip.samples)
    for raw, count in zip((0, 1_000_000, -1_000_000, 500_000), counts, strict=True):
        before = (raw - wide.baseline) * wide.scale
        after = (count - strip.baseline) * strip.scale
        assert abs(before - after) <= strip.scale * 1.5


async def test_long_recordings_go_on_where_the_answer_ends(world: World) -> None:
    chunks = [ecg(n * 1000) for n in range(130)]  # 21 min 40 s
    await world.add(*chunks)
    person = await world.services.accounts.find("dr.east")
    assert person is not None
    viewer = await world.services.access.viewer(person)
    total, start, parts = 0, None, 0
    while True:
        strip = await world.services.waveforms.strip(
            viewer, "ecg-1", "ecg_lead_ii", start=start
        )
        total += strip.count
        parts += 1
        if strip.next is None:
            break
        start = strip.next
    assert (total, parts) == (130_000, 2)
    assert strip.start > NOW
