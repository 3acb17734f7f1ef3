"""The exact edges: windows, clear limits by count and by time, who hides whom."""

from uuid import uuid5

import pytest

from gateway.alerting.reconcile import ALERT_NAMESPACE
from gateway.alerting.repertoire import Repertoire
from gateway.model.alert import Confirmation, Level
from gateway.model.observation import Quality
from tests.alerting.build import Bed, pressure, single

HOUR = 3_600
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("second_at", "confirmation"),
    [
        (299, Confirmation.UNCONFIRMED),
        (300, Confirmation.CONFIRMED),
        (1_200, Confirmation.CONFIRMED),
        (1_201, Confirmation.UNCONFIRMED),
    ],
)
def test_a_repeat_counts_from_its_gap_to_its_window_inclusive(
    second_at: int, confirmation: Confirmation, rules: Repertoire
) -> None:
    bed = Bed(rules)
    bed.give(pressure(190, 80))
    bed.give(pressure(190, 80, at=second_at))
    alert = bed.open("bp.crisis")
    assert alert is not None
    assert alert.confirmation is confirmation


def confirmed_crisis(rules: Repertoire) -> Bed:
    bed = Bed(rules)
    bed.give(pressure(190, 80))
    bed.give(pressure(190, 80, at=600))
    return bed


def present(bed: Bed, rule: str) -> bool:
    alert = bed.open(rule)
    assert alert is not None
    return alert.condition_present


def test_clearing_takes_the_number_of_readings_in_a_row(rules: Repertoire) -> None:
    bed = confirmed_crisis(rules)
    bed.give(pressure(120, 80, at=2 * HOUR))
    assert present(bed, "bp.crisis"), "one of two"
    bed.give(pressure(175, 80, at=3 * HOUR))
    bed.give(pressure(120, 80, at=4 * HOUR))
    assert present(bed, "bp.crisis"), "the one in the band began the count anew"
    bed.give(pressure(120, 80, at=5 * HOUR))
    assert not present(bed, "bp.crisis")


def test_clearing_takes_the_time_between_readings(rules: Repertoire) -> None:
    bed = Bed(rules)
    bed.give(single("spo2", 88))
    bed.give(single("spo2", 88, at=60))
    bed.give(single("spo2", 97, at=600))
    assert present(bed, "spo2.critical")
    bed.give(single("spo2", 97, at=719))
    assert present(bed, "spo2.critical"), "119 of 120 s"
    bed.give(single("spo2", 97, at=720))
    assert not present(bed, "spo2.critical")


def test_a_less_urgent_inhibitor_does_not_keep_its_kin_from_being_raised(
    rules: Repertoire,
) -> None:
    bed = Bed(rules)
    # Doubtful: the crisis stands at low, one below its unconfirmed level.
    bed.give(pressure(185, 80, quality=Quality.QUESTIONABLE))
    crisis = bed.open("bp.crisis")
    assert crisis is not None
    assert crisis.level is Level.LOW
    assert bed.open("bp.grade2") is None
    # In the crisis rule's band: it neither meets nor ends the crisis.
    bed.give(pressure(175, 80, at=30))
    bed.give(pressure(175, 80, at=120))
    assert present(bed, "bp.crisis")
    grade2 = bed.open("bp.grade2")
    assert grade2 is not None
    assert grade2.level is Level.MEDIUM


def test_a_historical_alert_hides_no_live_one(rules: Repertoire) -> None:
    bed = Bed(rules)
    bed.give(pressure(185, 80), arrives=2 * DAY)
    old = bed.open("bp.crisis")
    assert old is not None
    assert old.historical
    # A doubtful reading does not end the old alert, which stays open beside it.
    doubtful = pressure(172, 80, at=2 * DAY + 60, quality=Quality.QUESTIONABLE)
    events = bed.give(doubtful)
    assert bed.open("bp.crisis") is not None
    assert ("raised", "bp.grade2") in [(e.change, e.alert.rule) for e in events]


def test_what_was_confirmed_stays_so_when_order_is_put_right(
    rules: Repertoire,
) -> None:
    bed = confirmed_crisis(rules)
    # Taken between the two: by itself it would have contradicted the first.
    bed.give(pressure(120, 80, at=300), arrives=660)
    alert = bed.open("bp.crisis")
    assert alert is not None
    assert alert.confirmation is Confirmation.CONFIRMED
    assert alert.level is Level.HIGH
    assert bed.tick(9 * HOUR) == [], "nor does a missing repeat undo it"
    assert bed.open("bp.crisis") == alert


def test_a_new_alert_begins_with_evidence_no_alert_began_with(
    rules: Repertoire,
) -> None:
    bed = Bed(rules)
    first, between = pressure(190, 80), pressure(190, 80, at=600)
    bed.give(first)
    bed.give(pressure(120, 80, at=900))
    bed.give(between, arrives=960)
    alert = bed.open("bp.crisis")
    assert alert is not None
    assert alert.evidence[0].observation == between.id
    assert alert.id == uuid5(ALERT_NAMESPACE, f"{alert.key}|{between.id}")


def test_putting_order_right_starts_from_what_was_open_before(
    rules: Repertoire,
) -> None:
    bed = confirmed_crisis(rules)
    bed.give(pressure(120, 80, at=2 * HOUR))
    bed.give(pressure(175, 80, at=2 * HOUR - 300), arrives=2 * HOUR + 60)
    assert present(bed, "bp.crisis"), "one good reading of two"


def test_an_older_backlog_does_not_end_a_newer_late_condition(
    rules: Repertoire,
) -> None:
    bed = Bed(rules)
    bed.give(single("glucose_capillary", "2.5", at=5 * HOUR), arrives=2 * DAY)
    assert bed.open("glu.hypo_l2") is not None
    # A second station's backlog reaches further back.
    events = bed.give(single("glucose_capillary", 6, at=HOUR), arrives=2 * DAY + 1)
    assert events == []
    bed.give(single("glucose_capillary", "2.4", at=0), arrives=2 * DAY + 2)
    bed.give(single("glucose_capillary", 6, at=2 * HOUR), arrives=2 * DAY + 3)
    assert bed.open("glu.hypo_l2") is not None
    bed.give(single("glucose_capillary", 6, at=6 * HOUR), arrives=2 * DAY + 4)
    assert bed.open("glu.hypo_l2") is None, "a newer one does"
