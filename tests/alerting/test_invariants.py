"""Invariants of the engine over any sequence of readings, ticks and acts of people."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from msgspec.structs import replace

from gateway.alerting.loading import default_pack
from gateway.alerting.repertoire import Repertoire
from gateway.alerting.tracks import MAX_SAMPLES, MAX_SEEN
from gateway.model.alert import Alert, AlertState, Level
from gateway.model.observation import Absent, Observation, Quality
from tests.alerting.build import START, Bed, Value, pressure, single

CHANGES = {
    "raised",
    "promoted",
    "evidence",
    "confirmed",
    "no-repeat",
    "condition-gone",
    "condition-back",
    "withdrawn",
    "closed",
}


@cache
def repertoire() -> Repertoire:
    return Repertoire(default_pack())


def glucose(value: Value, at: float, quality: Quality) -> Observation:
    return single("glucose_fasting", value, at=at, quality=quality)


def saturation(value: Value, at: float, quality: Quality) -> Observation:
    return single("spo2", value, at=at, quality=quality)


def cuff(value: Value, at: float, quality: Quality) -> Observation:
    return pressure(value, 80, at=at, quality=quality)


Maker = Callable[[Value, float, Quality], Observation]
MAKERS: dict[Maker, list[Value]] = {
    cuff: [85, 95, 120, 145, 165, 175, 185, 225, Absent.ABOVE_RANGE],
    glucose: ["2.5", "3.5", 6, 8, 15, 20, Absent.ABOVE_RANGE, Absent.BELOW_RANGE],
    saturation: [85, 91, 93, 94, 95, 98],
}
MADE = st.sampled_from(sorted(MAKERS, key=lambda maker: maker.__name__)).flatmap(
    lambda maker: st.tuples(st.just(maker), st.sampled_from(MAKERS[maker]))
)
QUALITIES = st.sampled_from(
    [Quality.OK, Quality.OK, Quality.OK, Quality.QUESTIONABLE, Quality.IMPLAUSIBLE]
)
STEPS = st.sampled_from([1, 29, 61, 301, 900, 1_201, 4_000, 90_000])
LAGS = st.sampled_from([0, 0, 0, 5, 400, 1_500, 5_000, 100_000])


class OneResident(RuleBasedStateMachine):
    """A resident, a doctor, and time that only moves forward."""

    def __init__(self) -> None:
        super().__init__()
        self.bed = Bed(repertoire(), diagnoses=frozenset({"diabetes"}))
        self.now = 0.0
        self.given: list[tuple[Observation, float]] = []
        self.open: dict[str, Alert] = {}
        self.ids: set[object] = set()

    @initialize()
    def start_late(self) -> None:
        self.now = 200_000

    def note(self, before: dict[str, Alert], count: int) -> None:
        """Follow the events as a listener does, and check each step."""
        known = dict(before)
        for event in self.bed.events[count:]:
            alert = event.alert
            assert event.change in CHANGES
            if event.change == "raised":
                assert alert.rule not in known, "one open alert per key"
                assert alert.id not in self.ids, "an id is used once"
                self.ids.add(alert.id)
                known[alert.rule] = alert
                continue
            last = known[alert.rule]
            assert alert.id == last.id
            assert alert.version in (last.version, last.version + 1)
            assert alert.level.rank <= last.level.rank, "never less urgent"
            if alert.state is AlertState.CLOSED:
                assert last.level is not Level.HIGH, "high is closed by a person"
                del known[alert.rule]
            else:
                known[alert.rule] = alert
        assert known == dict(self.bed.state.alerts), "events tell the whole story"

    @rule(made=MADE, quality=QUALITIES, step=STEPS, lag=LAGS)
    def measure(
        self, made: tuple[Maker, Value], quality: Quality, step: float, lag: float
    ) -> None:
        maker, value = made
        self.now += step
        taken = maker(value, self.now - lag, quality)
        before, count = dict(self.bed.state.alerts), len(self.bed.events)
        self.bed.give(taken, arrives=self.now)
        self.given.append((taken, self.now))
        self.note(before, count)
        if lag == 0 and quality is Quality.OK:
            self.check_immediate(taken)

    def check_immediate(self, taken: Observation) -> None:
        """A fresh reading in the highest band stands as high at once."""
        part = taken.components[0].quantity
        if part.absent is not None or (
            part.value is not None
            and (
                (taken.kind == "glucose_fasting" and part.value < 3)
                or (taken.kind == "blood_pressure_panel" and part.value >= 220)
            )
        ):
            highs = [
                alert
                for alert in self.bed.state.alerts.values()
                if alert.level is Level.HIGH and alert.condition_present
            ]
            assert highs, "a high alert is never delayed"

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def repeat_delivery(self, data: st.DataObject) -> None:
        taken, _ = data.draw(st.sampled_from(self.given[-10:]))
        count = len(self.bed.events)
        self.bed.give(taken, arrives=self.now)
        changed = [e.change for e in self.bed.events[count:]]
        assert set(changed) <= {"no-repeat"}, "a duplicate is harmless"

    @rule(step=STEPS)
    def wait(self, step: float) -> None:
        self.now += step
        before, count = dict(self.bed.state.alerts), len(self.bed.events)
        self.bed.tick(self.now)
        self.note(before, count)
        assert {e.change for e in self.bed.events[count:]} <= {"no-repeat"}

    @precondition(lambda self: self.bed.state.alerts)
    @rule(data=st.data(), closes=st.booleans())
    def a_doctor_acts(self, data: st.DataObject, *, closes: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.bed.state.alerts)))
        if closes:
            self.bed.person_closes(name)
            return
        alert = self.bed.state.alerts[name]
        accepted = replace(alert, state=AlertState.ACCEPTED, version=alert.version + 1)
        self.bed.person_changes(accepted)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def reassign(self, data: st.DataObject) -> None:
        taken, _ = data.draw(st.sampled_from(self.given[-6:]))
        before, count = dict(self.bed.state.alerts), len(self.bed.events)
        self.bed.withdraw(taken.id, at=self.now)
        self.note(before, count)
        self.given = [pair for pair in self.given if pair[0].id != taken.id]

    @invariant()
    def bounded(self) -> None:
        for stream in self.bed.state.streams.values():
            assert len(stream.live.samples) <= MAX_SAMPLES
            assert len(stream.late.samples) <= MAX_SAMPLES
            assert len(stream.seen) <= MAX_SEEN * 16


OneResident.TestCase.settings = settings(
    max_examples=120, stateful_step_count=30, deadline=None
)
TestOneResident = OneResident.TestCase

TURNS = st.lists(st.tuples(MADE, QUALITIES, STEPS, LAGS), max_size=25)


def play(turns: list[tuple[tuple[Maker, Value], Quality, int, int]]) -> Bed:
    bed = Bed(repertoire())
    now = 200_000.0
    for (maker, value), quality, step, lag in turns:
        now += step
        bed.give(maker(value, now - lag, quality), arrives=now)
    return bed


@settings(max_examples=100, deadline=None)
@given(turns=TURNS)
def test_replay_gives_the_same(
    turns: list[tuple[tuple[Maker, Value], Quality, int, int]],
) -> None:
    one, two = play(turns), play(turns)
    assert one.events == two.events
    assert one.state == two.state


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(
        st.sampled_from([120, 145, 165, 175, 185, 225]), min_size=2, max_size=6
    ),
    gaps=st.lists(st.sampled_from([61, 120, 300]), min_size=6, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_order_of_arrival_does_not_change_what_is_open(
    values: list[int], gaps: list[int], order: object
) -> None:
    """Readings of one visit, in any order of arrival, end in the same conditions."""
    at, readings = 0, []
    for value, gap in zip(values, gaps, strict=False):
        readings.append(pressure(value, 80, at=at))
        at += gap
    if at > 1_200:
        readings = readings[:4]
    shuffled = list(readings)
    order.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random

    def outcome(arrivals: list[Observation]) -> dict[str, object]:
        bed = Bed(repertoire())
        for turn, taken in enumerate(arrivals):
            bed.give(taken, arrives=1_200 + turn)
        stream = bed.state.streams["blood_pressure_panel"]
        return {
            name: (machine.level, machine.confirmation, machine.present)
            for name, machine in stream.live.head.items()
        }

    assert outcome(readings) == outcome(shuffled)


@settings(max_examples=60, deadline=None)
@given(turns=TURNS)
def test_ticks_between_readings_do_not_change_the_outcome(
    turns: list[tuple[tuple[Maker, Value], Quality, int, int]],
) -> None:
    plain = play(turns)
    bed = Bed(repertoire())
    now = 200_000.0
    for (maker, value), quality, step, lag in turns:
        for part in (1, 2, 3):
            bed.tick(now + step * part / 4)
        now += step
        bed.give(maker(value, now - lag, quality), arrives=now)
    assert {k: (a.id, a.level, a.state) for k, a in bed.state.alerts.items()} == {
        k: (a.id, a.level, a.state) for k, a in plain.state.alerts.items()
    }


@pytest.mark.parametrize("lag_s", [0, 1, 599])
def test_the_id_is_of_key_and_first_evidence(lag_s: int) -> None:
    taken = single("glucose_capillary", "2.5")
    one, two = Bed(repertoire()), Bed(repertoire())
    one.give(taken)
    two.give(taken, arrives=lag_s)
    first, second = one.open("glu.hypo_l2"), two.open("glu.hypo_l2")
    assert first is not None
    assert second is not None
    assert first.id == second.id
    assert second.raised_at == START + timedelta(seconds=lag_s)
