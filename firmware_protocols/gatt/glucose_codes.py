"""Code tables and flags of the glucose service, used by 2A18, 2A34 and 2A51.

Source: Bluetooth SIG Glucose Service 1.0.1 and GATT Specification Supplement. Meal
code 6 is i-SENS' mark of a ketone reading and not standard.
"""

from typing import Final

from firmware_protocols.codes import BitField, Code


class SampleType(Code):
    """What was measured."""

    __slots__ = ()

    CAPILLARY_WHOLE_BLOOD: Final = 1
    CAPILLARY_PLASMA: Final = 2
    VENOUS_WHOLE_BLOOD: Final = 3
    VENOUS_PLASMA: Final = 4
    ARTERIAL_WHOLE_BLOOD: Final = 5
    ARTERIAL_PLASMA: Final = 6
    UNDETERMINED_WHOLE_BLOOD: Final = 7
    UNDETERMINED_PLASMA: Final = 8
    INTERSTITIAL_FLUID: Final = 9
    CONTROL_SOLUTION: Final = 10


class SampleLocation(Code):
    """Where the sample was taken; 5 is of the continuous monitors."""

    __slots__ = ()

    FINGER: Final = 1
    ALTERNATE_SITE: Final = 2
    EARLOBE: Final = 3
    CONTROL_SOLUTION: Final = 4
    SUBCUTANEOUS_TISSUE: Final = 5
    NOT_AVAILABLE: Final = 15


class GlucoseStatus(BitField):
    """Sensor status annunciation."""

    __slots__ = ()

    BATTERY_LOW: Final = 1 << 0
    SENSOR_MALFUNCTION: Final = 1 << 1
    SAMPLE_INSUFFICIENT: Final = 1 << 2
    STRIP_INSERTION_ERROR: Final = 1 << 3
    STRIP_TYPE_INCORRECT: Final = 1 << 4
    RESULT_TOO_HIGH: Final = 1 << 5
    RESULT_TOO_LOW: Final = 1 << 6
    TEMPERATURE_TOO_HIGH: Final = 1 << 7
    TEMPERATURE_TOO_LOW: Final = 1 << 8
    READ_INTERRUPTED: Final = 1 << 9
    GENERAL_DEVICE_FAULT: Final = 1 << 10
    TIME_FAULT: Final = 1 << 11


class GlucoseFeatures(BitField):
    """What the meter can report."""

    __slots__ = ()

    LOW_BATTERY: Final = 1 << 0
    SENSOR_MALFUNCTION: Final = 1 << 1
    SAMPLE_SIZE: Final = 1 << 2
    STRIP_INSERTION_ERROR: Final = 1 << 3
    STRIP_TYPE_ERROR: Final = 1 << 4
    RESULT_HIGH_LOW: Final = 1 << 5
    TEMPERATURE_HIGH_LOW: Final = 1 << 6
    READ_INTERRUPT: Final = 1 << 7
    GENERAL_DEVICE_FAULT: Final = 1 << 8
    TIME_FAULT: Final = 1 << 9
    MULTIPLE_BOND: Final = 1 << 10


class CarbohydrateId(Code):
    """Which meal the carbohydrate belongs to."""

    __slots__ = ()

    BREAKFAST: Final = 1
    LUNCH: Final = 2
    DINNER: Final = 3
    SNACK: Final = 4
    DRINK: Final = 5
    SUPPER: Final = 6
    BRUNCH: Final = 7


class Meal(Code):
    """When the sample was taken relative to a meal."""

    __slots__ = ()

    PREPRANDIAL: Final = 1
    POSTPRANDIAL: Final = 2
    FASTING: Final = 3
    CASUAL: Final = 4
    BEDTIME: Final = 5


class Tester(Code):
    """Who measured."""

    __slots__ = ()

    SELF: Final = 1
    HEALTH_CARE_PROFESSIONAL: Final = 2
    LAB_TEST: Final = 3
    NOT_AVAILABLE: Final = 15


class Health(Code):
    """The person's own account of the day."""

    __slots__ = ()

    MINOR_ISSUES: Final = 1
    MAJOR_ISSUES: Final = 2
    DURING_MENSES: Final = 3
    UNDER_STRESS: Final = 4
    NO_ISSUES: Final = 5
    NOT_AVAILABLE: Final = 15


class MedicationId(Code):
    """Kind of insulin."""

    __slots__ = ()

    RAPID_ACTING_INSULIN: Final = 1
    SHORT_ACTING_INSULIN: Final = 2
    INTERMEDIATE_ACTING_INSULIN: Final = 3
    LONG_ACTING_INSULIN: Final = 4
    PRE_MIXED_INSULIN: Final = 5
