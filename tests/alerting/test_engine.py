"""What the rules mean beyond one rule at its limit."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from gateway.alerting.reconcile import MAX_EVIDENCE
from gateway.alerting.repertoire import Repertoire
from gateway.model.alert import AlertState, Confirmation, Level, Outcome
from gateway.model.observation import (
    Absent,
    Component,
    Observation,
    Quality,
    Quantity,
)
from tests.alerting.build import START, Bed, observation, pressure, single

HOUR = 3_600
DAY = 24 * HOUR


class TestInhibition:
    def test_the_severer_hides_the_milder_and_records_it(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        events = bed.give(pressure(225, 100))
        assert [(e.change, e.alert.rule) for e in events] == [("raised", "bp.extreme")]
        alert = bed.open("bp.extreme")
        assert alert is not None
        assert alert.hides == ("bp.crisis", "bp.grade2")

    def test_what_becomes_hidden_later_is_recorded_with_a_change(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(pressure(225, 100))
        events = bed.give(pressure(225, 100, at=400))
        alert = bed.open("bp.extreme")
        assert alert is not None
        assert "bp.office_high" in alert.hides
        assert [e.change for e in events] == ["evidence"]

    def test_the_hidden_is_raised_when_the_inhibitor_ends(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(pressure(182, 95))
        assert set(bed.state.alerts) == {"bp.crisis"}
        # The mean (172) does not confirm the crisis, but grade 2.
        bed.give(pressure(162, 95, at=600))
        assert set(bed.state.alerts) == {"bp.grade2"}
        alert = bed.open("bp.grade2")
        assert alert is not None
        assert alert.level is Level.MEDIUM
        assert alert.confirmation is Confirmation.CONFIRMED
        assert alert.evidence_total == 2

    def test_a_pending_inhibitor_hides_nothing(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        # bp.low (unconfirmed: none) inhibits nothing; temp.low waits as well.
        bed.give(single("body_temperature", "34.0"))
        bed.give(pressure(161, 80, at=1))
        assert set(bed.state.alerts) == {"bp.grade2"}

    def test_an_inhibitor_less_urgent_than_the_kin_hides_nothing(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(pressure(165, 80))
        bed.give(pressure(165, 80, at=120))
        bed.give(pressure(185, 80, at=240, quality=Quality.QUESTIONABLE))
        crisis, grade2 = bed.open("bp.crisis"), bed.open("bp.grade2")
        assert crisis is not None
        assert crisis.level is Level.LOW
        assert grade2 is not None
        assert grade2.level is Level.MEDIUM

    def test_an_inhibitor_whose_condition_is_gone_hides_nothing(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(pressure(225, 85))
        bed.give(pressure(165, 85, at=2 * HOUR))
        extreme = bed.open("bp.extreme")
        assert extreme is not None
        assert not extreme.condition_present
        grade2 = bed.open("bp.grade2")
        assert grade2 is not None
        # The old 225 raises no crisis now that nothing hides it: it is old data.
        assert bed.open("bp.crisis") is None
        assert bed.tick(9 * HOUR) != []
        assert bed.open("bp.crisis") is None

    def test_across_kinds_of_glucose(self, rules: Repertoire) -> None:
        bed = Bed(rules, diagnoses=frozenset({"diabetes"}))
        bed.give(single("glucose_fasting", "17.5"))
        assert set(bed.state.alerts) == {"glu.hyper_urgent"}

    def test_hi_is_hidden_through_two_steps(self, rules: Repertoire) -> None:
        bed = Bed(rules, diagnoses=frozenset({"diabetes"}))
        bed.give(single("glucose_fasting", Absent.ABOVE_RANGE))
        assert set(bed.state.alerts) == {"glu.hyper_meter_hi"}
        alert = bed.open("glu.hyper_meter_hi")
        assert alert is not None
        assert alert.hides == ("glu.fasting_uncontrolled", "glu.hyper_urgent")

    def test_lo_raises_one_alert(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(single("glucose_capillary", Absent.BELOW_RANGE))
        assert set(bed.state.alerts) == {"glu.meter_lo"}


class TestExtremes:
    def test_hi_and_lo_have_no_mean(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(pressure(Absent.ABOVE_RANGE, 80))
        bed.give(pressure(Absent.BELOW_RANGE, 80, at=600))
        crisis = bed.open("bp.crisis")
        assert crisis is None or crisis.confirmation is not Confirmation.CONFIRMED
        assert bed.open("bp.extreme") is not None

    def test_hi_confirms_hi(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(single("body_temperature", Absent.ABOVE_RANGE))
        bed.give(single("body_temperature", Absent.ABOVE_RANGE, at=120))
        alert = bed.open("temp.hyperpyrexia")
        assert alert is not None
        assert alert.level is Level.HIGH
        assert alert.evidence[0].values == {"body_temperature": "above-range"}

    def test_an_infinite_decimal_is_beyond_range(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        taken = single("glucose_capillary", 5)
        quantity = Quantity(unit="mmol/L", value=Decimal("-Infinity"))
        part = Component(name="glucose_capillary", code=1, quantity=quantity)
        bed.give(replace(taken, components=(part,)))
        assert bed.open("glu.meter_lo") is not None

    def test_a_missing_diastolic_still_judges_the_systolic(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(pressure(230, Absent.ERROR))
        assert bed.open("bp.extreme") is not None

    def test_zero_is_a_number(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(single("glucose_capillary", 0))
        assert bed.open("glu.hypo_l2") is not None

    def test_glucose_under_its_general_name(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(observation("glucose_random", {"glucose_capillary": "12"}))
        assert bed.open("glu.random_screen") is not None


class TestMean:
    def test_the_mean_of_two_decides(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(pressure(186, 80))
        bed.give(pressure(174, 80, at=600))
        alert = bed.open("bp.crisis")
        assert alert is not None
        assert alert.level is Level.HIGH
        bed = Bed(rules)
        bed.give(pressure(186, 80))
        bed.give(pressure(173, 80, at=600))
        assert bed.open("bp.crisis") is None

    def test_a_repeat_that_is_high_by_itself_never_clears(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(pressure(185, 80))
        # Systolic mean 167, diastolic mean 96: no confirmation, but 112 is a crisis.
        bed.give(pressure(149, 112, at=600))
        alert = bed.open("bp.crisis")
        assert alert is not None
        assert alert.confirmation is Confirmation.UNCONFIRMED


class TestPeople:
    def test_what_a_person_closed_is_not_raised_again_by_old_readings(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(single("glucose_capillary", "2.5", at=100))
        bed.person_closes("glu.hypo_l2")
        assert bed.give(single("glucose_capillary", "2.4", at=50), arrives=200) == []
        events = bed.give(single("glucose_capillary", "2.4", at=300))
        assert [e.change for e in events] == ["raised"]

    def test_closing_the_inhibitor_deals_with_what_it_hid(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(pressure(225, 100))
        bed.person_closes("bp.extreme")
        assert bed.tick(700) == []
        # Nor does the dealt-with reading confirm what still waited for a repeat.
        assert bed.give(pressure(120, 75, at=800)) == []

    def test_accepting_holds_while_the_condition_does(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(pressure(190, 80))
        alert = bed.open("bp.crisis")
        assert alert is not None
        accepted = replace(
            alert,
            state=AlertState.ACCEPTED,
            version=2,
            accepted_by="doctor-invented",
            accepted_at=START,
        )
        bed.person_changes(accepted)
        bed.give(pressure(190, 80, at=600))
        bed.give(pressure(191, 80, at=900))
        after = bed.open("bp.crisis")
        assert after is not None
        assert after.state is AlertState.ACCEPTED
        assert after.version == 4
        for turn in range(2):
            bed.give(pressure(120, 80, at=(turn + 1) * HOUR))
        gone = bed.open("bp.crisis")
        assert gone is not None
        assert gone.state is AlertState.ACCEPTED
        assert not gone.condition_present
        events = bed.give(pressure(190, 80, at=9 * HOUR))
        assert [e.change for e in events] == ["condition-back"]
        back = bed.open("bp.crisis")
        assert back is not None
        assert back.state is AlertState.RAISED
        assert back.accepted_by == ""


class TestEvidence:
    def test_is_bounded_and_counted(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        readings = [single("glucose_capillary", "2.5", at=60 * i) for i in range(40)]
        for taken in readings:
            bed.give(taken)
        alert = bed.open("glu.hypo_l2")
        assert alert is not None
        assert alert.evidence_total == 40
        assert len(alert.evidence) == MAX_EVIDENCE
        assert alert.evidence[0].observation == readings[0].id
        assert alert.evidence[-1].observation == readings[-1].id

    def test_a_duplicate_changes_nothing(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        taken = pressure(190, 80)
        bed.give(taken)
        before = bed.state
        assert bed.give(taken, arrives=600) == []
        assert bed.state is before

    def test_withdrawn_evidence_ends_a_medium(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        taken = pressure(190, 80)
        bed.give(taken)
        events = bed.withdraw(taken.id, at=60)
        assert [e.change for e in events] == ["withdrawn", "closed"]
        assert events[-1].alert.outcome is Outcome.CLEARED
        assert events[-1].alert.evidence[0].quality == "withdrawn"

    def test_withdrawn_evidence_leaves_a_high_to_a_person(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        taken = single("glucose_capillary", "2.5")
        bed.give(taken)
        for turn in range(1, 40):
            bed.give(single("glucose_capillary", "3.5", at=turn * HOUR))
        events = bed.withdraw(taken.id, at=50 * HOUR)
        alert = bed.open("glu.hypo_l2")
        assert alert is not None
        assert not alert.condition_present
        assert "withdrawn" in [e.change for e in events]

    def test_a_withdrawn_reading_can_come_back(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        taken = pressure(190, 80)
        bed.give(taken)
        bed.withdraw(taken.id, at=60)
        assert bed.open("bp.crisis") is None
        bed.give(taken, arrives=120)
        assert bed.open("bp.crisis") is not None


class TestContinuous:
    def worn(self, kind: str, value: int, at: float) -> Observation:
        return single(kind, value, at=at, context={"modality": "continuous"})

    def test_a_stream_is_judged_until_hold_is_built(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        for turn in range(20):
            bed.give(self.worn("spo2", 85, turn * 5))
        alert = bed.open("spo2.critical")
        assert alert is not None
        assert alert.level is Level.HIGH

    def test_told_activity_excuses_a_fast_pulse(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        walking = {"activity": "walking"}
        assert bed.give(single("pulse_rate_pleth", 140, context=walking)) == []
        assert bed.give(single("pulse_rate_pleth", 140, at=5)) != []


def test_time_is_only_an_argument(rules: Repertoire) -> None:
    bed = Bed(rules)
    bed.give(pressure(190, 80), arrives=30)
    alert = bed.open("bp.crisis")
    assert alert is not None
    assert alert.raised_at == START + timedelta(seconds=30)
    # The deadline counts from arrival, so that a slow line costs nobody the repeat.
    assert bed.tick(1_229) == []
    assert [e.change for e in bed.tick(1_230)] == ["no-repeat"]


@pytest.mark.parametrize("kind", ["pleth_waveform", "body_height"])
def test_readings_without_rules_leave_no_state(kind: str, rules: Repertoire) -> None:
    bed = Bed(rules)
    assert bed.give(single(kind, 170)) == []
    assert bed.state.streams == {}
