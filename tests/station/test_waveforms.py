from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.model.waveform import LeadState
from gateway.ports.devices import Samples
from gateway.station import waveforms
from gateway.station.waveforms import Assembler, Drift, Segment, fault

T0 = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
RATE = 100.0


def run(
    index: int,
    count: int,
    *,
    at: float,
    gap: int = 0,
    rate: float = RATE,
    lead: LeadState = LeadState.ON,
    final: bool = False,
) -> Samples:
    return Samples(
        recording="r1",
        kind="ecg_lead_i",
        counts=tuple(range(index, index + count)),
        index=index,
        rate=rate,
        scale=0.001,
        baseline=0,
        unit="mV",
        received_at=T0 + timedelta(seconds=at),
        gap_before=gap,
        lead=lead,
        final=final,
    )


def feed(assembler: Assembler, *runs: Samples) -> list[Segment | Drift]:
    return [item for r in runs for item in assembler.add("dev-1", "d/1", 1, r)]


def segments(items: list[Segment | Drift]) -> list[Segment]:
    return [item for item in items if isinstance(item, Segment)]


def test_ten_seconds_make_a_chunk() -> None:
    done = segments(
        feed(Assembler(), *(run(i * 25, 25, at=(i + 1) * 0.25) for i in range(100)))
    )
    assert [(s.index, len(s.counts)) for s in done] == [(0, 1000), (1000, 1000)]
    assert done[0].t0 == T0
    assert done[1].t0 == T0 + timedelta(seconds=10)
    assert done[1].counts == tuple(range(1000, 2000))
    assert done[0].stream == done[1].stream


def test_jitter_of_the_link_does_not_move_the_samples() -> None:
    late = [0.0, 0.3, 0.1, 0.4, 0.0]
    done = segments(
        feed(
            Assembler(),
            *(run(i * 400, 400, at=(i + 1) * 4 + late[i]) for i in range(5)),
        )
    )
    assert [s.t0 for s in done] == [T0, T0 + timedelta(seconds=10)]


def test_a_gap_ends_a_chunk_and_is_counted_and_not_filled() -> None:
    assembler = Assembler()
    done = segments(
        feed(assembler, run(0, 50, at=0.5), run(80, 20, at=1.0, gap=10))
        + assembler.link_ended("dev-1")
    )
    # The index says thirty are missing, whatever the driver counted.
    assert [(s.index, len(s.counts), s.gap_before) for s in done] == [
        (0, 50, 0),
        (80, 20, 30),
    ]
    assert done[1].t0 == T0 + timedelta(seconds=0.8)
    assert done[-1].final


def test_a_run_sent_twice_is_kept_once_and_counted() -> None:
    assembler = Assembler()
    again = run(0, 50, at=0.6)
    done = feed(assembler, run(0, 50, at=0.5), again, run(40, 20, at=0.7))
    done += assembler.link_ended("dev-1")
    assert [s.counts for s in segments(done)] == [tuple(range(60))]
    assert assembler.overlapped == 60


def test_a_device_that_counts_from_the_start_again_begins_a_stream() -> None:
    assembler = Assembler()
    done = feed(assembler, run(5_000, 50, at=0.5), run(0, 50, at=60.0))
    done += assembler.link_ended("dev-1")
    first, second = segments(done)
    assert (first.index, second.index) == (5_000, 0)
    assert first.stream != second.stream
    assert second.t0 == T0 + timedelta(seconds=59.5)


def test_the_end_of_a_recording_completes_it() -> None:
    done = segments(feed(Assembler(), run(0, 120, at=1.2, final=True)))
    assert [(len(s.counts), s.final) for s in done] == [(120, True)]


def test_lead_off_begins_a_chunk_of_its_own() -> None:
    assembler = Assembler()
    done = feed(assembler, run(0, 50, at=0.5), run(50, 50, at=1.0, lead=LeadState.OFF))
    done += assembler.flush("dev-1")
    assert [s.last.lead for s in segments(done)] == [LeadState.ON, LeadState.OFF]


def test_a_rate_that_is_not_what_it_says_is_noticed() -> None:
    # It says 100/s and sends 99: a minute of it is 0.6 s late.
    done = feed(
        Assembler(), *(run(i * 100, 100, at=(i + 1) / 0.99) for i in range(120))
    )
    drifts = [item for item in done if isinstance(item, Drift)]
    assert len(drifts) >= 1
    assert drifts[0].seconds == pytest.approx(0.55, abs=0.1)
    last = segments(done)[-1]
    assert abs((last.received_at - last.ended_at).total_seconds()) < 0.7


def test_a_changed_rate_is_timed_anew() -> None:
    assembler = Assembler()
    done = feed(assembler, run(0, 100, at=1.0), run(100, 200, at=2.0, rate=200.0))
    done += assembler.flush("dev-1")
    assert [s.t0 for s in segments(done)] == [T0, T0 + timedelta(seconds=1)]


def test_a_silent_stream_is_completed() -> None:
    assembler = Assembler()
    feed(assembler, run(0, 50, at=0.0))
    assert assembler.stalled(T0 + timedelta(seconds=15)) == []
    assert len(segments(assembler.stalled(T0 + timedelta(seconds=16)))) == 1


def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waveforms, "MAX_STREAMS", 2)
    assembler = Assembler()
    done = []
    for n in range(3):
        done += assembler.add(f"dev-{n}", "d/1", 1, run(0, 10, at=float(n)))
    assert [s.device for s in segments(done)] == ["dev-0"]


@pytest.mark.parametrize(
    ("rate", "index", "reason"),
    [
        (0.0, 0, "sample-rate"),
        (float("nan"), 0, "sample-rate"),
        (float("inf"), 0, "sample-rate"),
        (100.0, -1, "sample-index"),
        (100.0, 2**30, "sample-value"),
    ],
)
def test_faults(rate: float, index: int, reason: str) -> None:
    assert fault(run(index, 3, at=0.0, rate=rate)) == reason


@given(
    st.lists(
        st.tuples(
            st.integers(0, 700), st.integers(0, 30), st.integers(0, 5), st.booleans()
        ),
        max_size=30,
    )
)
def test_no_sample_is_lost_or_invented(
    steps: list[tuple[int, int, int, bool]],
) -> None:
    assembler = Assembler()
    index, at, missing = 0, 0.0, 0
    sent: list[int] = []
    done: list[Segment | Drift] = []
    for count, gap, late, flush in steps:
        index += gap
        missing += gap if count else 0
        index += 0 if count else -gap
        at += (count + gap) / RATE + late / 10
        if count:
            done += feed(assembler, run(index, count, at=at, gap=gap))
            sent += range(index, index + count)
        index += count
        if flush:
            done += assembler.flush("dev-1")
    done += assembler.link_ended("dev-1")
    made = segments(done)
    assert [c for s in made for c in s.counts] == sent
    assert sum(s.gap_before for s in made) == missing
    for s in made:
        assert s.counts[0] == s.index
        assert len(s.counts) <= 1000
