from itertools import pairwise

import pytest

from simulators.waves import PLETH_FULL_SCALE, ecg_record, pleth_sample


def test_the_same_seed_gives_the_same_record() -> None:
    first = ecg_record(seconds=10, hr_bpm=72, seed=1)
    assert first == ecg_record(seconds=10, hr_bpm=72, seed=1)
    assert first != ecg_record(seconds=10, hr_bpm=72, seed=2)


@pytest.mark.parametrize("hr_bpm", [45, 72, 140])
def test_an_ecg_has_the_beats_of_its_rate_and_they_are_its_peaks(hr_bpm: int) -> None:
    record = ecg_record(seconds=60, hr_bpm=hr_bpm, seed=3)
    assert len(record.samples) == len(record.beats) == 9000
    assert abs(sum(record.beats) - hr_bpm) <= 2
    for at, beat in enumerate(record.beats):
        around = record.samples[max(0, at - 30) : at + 30]
        if beat and len(around) == 60:
            assert max(around) - record.samples[at] < 100


def test_an_ecg_stays_within_its_width() -> None:
    narrow = ecg_record(seconds=10, hr_bpm=80, seed=1, bits=8, counts_per_mv=28.5)
    assert max(narrow.samples) <= 255
    assert 120 < sum(narrow.samples) / len(narrow.samples) < 136
    wide = ecg_record(seconds=10, hr_bpm=80, seed=1, counts_per_mv=1e6)
    assert (min(wide.samples), max(wide.samples)) == (0, 4095)


def test_an_irregular_heart_has_uneven_intervals() -> None:
    def spread(*, irregular: bool) -> int:
        record = ecg_record(seconds=60, hr_bpm=80, seed=4, irregular=irregular)
        at = [i for i, beat in enumerate(record.beats) if beat]
        intervals = [b - a for a, b in pairwise(at)]
        return max(intervals) - min(intervals)

    assert spread(irregular=True) > 4 * spread(irregular=False)


@pytest.mark.parametrize(("hr_bpm", "seconds"), [(0, 10), (70, 0)])
def test_impossible_records_are_refused(hr_bpm: int, seconds: int) -> None:
    with pytest.raises(ValueError, match="above 0"):
        ecg_record(seconds=seconds, hr_bpm=hr_bpm, seed=1)


def test_pleth_beats_as_often_as_the_pulse_and_uses_its_scale() -> None:
    samples = [pleth_sample(i, pulse_bpm=75) for i in range(50 * 60)]
    assert sum(beat for _, beat in samples) == 75
    amplitudes = [amplitude for amplitude, _ in samples]
    assert min(amplitudes) >= 0
    assert 100 < max(amplitudes) <= PLETH_FULL_SCALE
