"""Readings out of order, backlogs and back-fill."""

from msgspec.structs import replace

from gateway.alerting.repertoire import Repertoire
from gateway.alerting.tracks import MAX_SAMPLES
from gateway.model.alert import AlertState, Confirmation, Level
from gateway.model.observation import (
    TimeQuality,
)
from tests.alerting.build import Bed, pressure, single

HOUR = 3_600
DAY = 24 * HOUR


class TestOrder:
    def test_a_late_reading_confirms_as_if_it_had_come_in_time(
        self, rules: Repertoire
    ) -> None:
        first, second = pressure(190, 80), pressure(190, 80, at=600)
        normal = pressure(120, 80, at=900)
        late = Bed(rules)
        late.give(first)
        late.give(normal)
        assert late.open("bp.crisis") is None
        late.give(second, arrives=960)
        alert = late.open("bp.crisis")
        assert alert is not None
        assert alert.level is Level.HIGH

    def test_a_repeat_that_arrives_after_the_deadline_still_confirms(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(pressure(190, 80))
        bed.tick(1_300)
        bed.give(pressure(190, 80, at=600), arrives=1_400)
        assert bed.changes("bp.crisis") == ["raised", "no-repeat", "promoted"]
        alert = bed.open("bp.crisis")
        assert alert is not None
        assert alert.confirmation is Confirmation.CONFIRMED

    def test_a_pending_repeat_may_arrive_late_too(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(pressure(145, 80))
        bed.tick(1_300)
        bed.give(pressure(145, 80, at=600), arrives=1_400)
        assert bed.open("bp.office_high") is not None

    def test_backlog_behind_a_fresh_normal_reading_still_raises_a_high(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(single("glucose_capillary", 6, at=2 * HOUR))
        bed.give(single("glucose_capillary", "2.5"), arrives=2 * HOUR + 5)
        alert = bed.open("glu.hypo_l2")
        assert alert is not None
        assert alert.level is Level.HIGH
        assert not alert.condition_present
        assert not alert.historical

    def test_backlog_that_is_over_raises_no_medium(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(single("glucose_capillary", 6, at=2 * HOUR))
        assert bed.give(single("glucose_capillary", "3.5"), arrives=2 * HOUR + 5) == []
        assert bed.state.alerts == {}

    def test_backlog_confirms_what_is_open(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(pressure(190, 80, at=5 * HOUR))
        for at in (0, 600):
            bed.give(pressure(190, 80, at=at), arrives=5 * HOUR + 60 + at / 100)
        alert = bed.open("bp.crisis")
        assert alert is not None
        assert alert.level is Level.HIGH

    def test_a_second_backlog_before_the_first_keeps_what_is_open(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(single("glucose_capillary", 6, at=9 * HOUR))
        bed.give(single("glucose_capillary", "2.5", at=5 * HOUR), arrives=9 * HOUR + 1)
        bed.give(single("glucose_capillary", 6, at=HOUR), arrives=9 * HOUR + 2)
        bed.give(single("glucose_capillary", "2.1", at=0), arrives=9 * HOUR + 3)
        alert = bed.open("glu.hypo_l2")
        assert alert is not None
        assert alert.evidence_total == 2

    def test_more_readings_than_a_track_holds(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        for turn in range(3 * MAX_SAMPLES):
            bed.give(single("spo2", 97, at=turn * 5))
        bed.give(single("spo2", 88, at=400))
        bed.give(single("spo2", 88, at=470))
        alert = bed.open("spo2.critical")
        assert alert is not None
        assert alert.level is Level.HIGH
        stream = bed.state.streams["spo2"]
        assert len(stream.live.samples) <= MAX_SAMPLES


class TestBackFill:
    def test_never_joins_or_hides_a_live_alert(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(pressure(225, 135), arrives=2 * DAY)
        old = bed.open("bp.extreme")
        assert old is not None
        assert old.historical
        assert old.level is Level.LOW
        events = bed.give(pressure(190, 80, at=2 * DAY + 60))
        assert ("raised", "bp.crisis") in [(e.change, e.alert.rule) for e in events]
        crisis = bed.open("bp.crisis")
        assert crisis is not None
        assert not crisis.historical

    def test_a_live_condition_replaces_the_historical_alert(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(single("glucose_capillary", "2.5"), arrives=2 * DAY)
        old = bed.open("glu.hypo_l2")
        assert old is not None
        bed.person_changes(replace(old, state=AlertState.ACCEPTED, accepted_by="d"))
        events = bed.give(single("glucose_capillary", "2.4", at=2 * DAY + 60))
        mine = [e for e in events if e.alert.rule == "glu.hypo_l2"]
        assert [e.change for e in mine] == ["closed", "raised"]
        new = bed.open("glu.hypo_l2")
        assert new is not None
        assert new.level is Level.HIGH
        assert new.state is AlertState.RAISED
        assert new.id != old.id

    def test_ends_with_the_next_good_live_reading(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(single("glucose_capillary", "2.5"), arrives=2 * DAY)
        bed.give(single("glucose_capillary", 6, at=2 * DAY + 60))
        assert bed.open("glu.hypo_l2") is None

    def test_a_past_crisis_is_told_behind_a_normal_reading(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(single("glucose_capillary", 6, at=3 * DAY))
        for turn in range(3):
            bed.give(
                single("glucose_capillary", "2.5", at=turn), arrives=3 * DAY + turn
            )
        alert = bed.open("glu.hypo_l2")
        assert alert is not None
        assert alert.level is Level.LOW
        assert not alert.condition_present
        assert bed.changes("glu.hypo_l2").count("raised") == 1

    def test_exactly_a_day_is_not_back_fill(self, rules: Repertoire) -> None:
        bed = Bed(rules)
        bed.give(single("glucose_capillary", "2.5"), arrives=DAY)
        alert = bed.open("glu.hypo_l2")
        assert alert is not None
        assert alert.level is Level.HIGH

    def test_a_stored_reading_of_unknown_age_pages_nobody(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        unknown = TimeQuality.IMPOSSIBLE
        bed.give(single("glucose_capillary", "2.5", stored=True, time_quality=unknown))
        alert = bed.open("glu.hypo_l2")
        assert alert is not None
        assert alert.historical

    def test_a_live_reading_with_an_impossible_device_time_counts(
        self, rules: Repertoire
    ) -> None:
        bed = Bed(rules)
        bed.give(
            single("glucose_capillary", "2.5", time_quality=TimeQuality.IMPOSSIBLE)
        )
        alert = bed.open("glu.hypo_l2")
        assert alert is not None
        assert alert.level is Level.HIGH
