"""Spellings of names which no carried vector shows.

The code tables of the specification are prose; sources shorten them differently. Names
that do occur in a vector have one spelling and do not stand here.
"""

from collections.abc import Iterable

from firmware_protocols.codes import Code
from tests.vectors.adapters.base import Spellings

SYNONYMS: dict[str, tuple[str, ...]] = {
    # 2A34
    "lab_test": ("lab", "laboratory"),
    "major_issues": ("major_health_issues",),
    "during_menses": ("menses",),
    "under_stress": ("stress",),
    "short_acting_insulin": ("short_insulin",),
    "intermediate_acting_insulin": ("intermediate_insulin",),
    "pre_mixed_insulin": ("premixed_insulin", "pre_mixed", "premixed"),
    # 2A18
    "read_interrupted": (
        "sensor_read_interrupted",
        "read_interrupt",
        "strip_pulled_too_soon",
    ),
    "earlobe": ("ear_lobe",),
    "ear_lobe": ("earlobe",),
    # 2A1C
    "body": ("body_general",),
    "gastrointestinal_tract": ("gastro_intestinal_tract", "gi", "gi_tract"),
    "tympanum": ("tympanum_ear_drum", "tympanic"),
    # 2A5E, 2A5F
    "validated": ("validated_data", "data_validated"),
    "fully_qualified": ("fully_qualified_data", "data_fully_qualified"),
    "demo": ("demo_data", "data_for_demonstration", "demonstration"),
    "test": ("test_data", "data_for_testing", "testing"),
    "unavailable": ("measurement_unavailable",),
    "questionable": ("questionable_measurement", "measurement_questionable"),
    "extended_display_update": ("extended_display_update_ongoing",),
    "equipment_malfunction": ("equipment_malfunction_detected",),
    "signal_processing_irregularity": (
        "signal_irregularity",
        "signal_processing_irregularity_detected",
    ),
    "inadequate_signal": ("inadequate_signal_detected",),
    "poor_signal": ("poor_signal_detected",),
    "erratic_signal": ("erratic", "erratic_signal_detected"),
    "signal_analysis_ongoing": ("analysis_ongoing",),
    "sensor_interference": (
        "interference",
        "interference_detected",
        "sensor_interference_detected",
    ),
    "unknown_sensor": ("unknown_sensor_connected", "sensor_unknown"),
    "sensor_displaced": ("displaced",),
    "sensor_malfunctioning": ("sensor_malfunction",),
    "timestamp": ("time_stamp", "timestamp_for_spot_check"),
    "spo2pr_fast": ("fast", "spo2_pr_fast"),
    "pulse_amplitude_index": ("pai", "pulse_amplitude"),
    # 2A2B, 2A0D, 2A0F
    "external": ("external_reference", "external_reference_time_update"),
    "time_zone": ("change_of_time_zone", "time_zone_change"),
    "dst": ("change_of_dst", "dst_change"),
    "standard": ("standard_time",),
    # 2A52
    "less_or_equal": ("less_than_or_equal",),
}


def spelled(name: str) -> object:
    """Return a name, or all spellings of it."""
    synonyms = SYNONYMS.get(name)
    return Spellings(name, *synonyms) if synonyms else name


def label(code: Code | None) -> object:
    """Return the name of a code, or None."""
    return None if code is None else spelled(code.label)


def labels(names: Iterable[str]) -> list[object]:
    """Return the names of flags."""
    return [spelled(name) for name in names]
