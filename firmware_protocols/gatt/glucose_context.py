"""Glucose Measurement Context 2A34 of the glucose service 0x1808.

::

    +-------+----------+----------+---------------+------+----------------+
    | flags | sequence | extended | carbohydrate  | meal | tester, health | ...
    |   8   |    16    |  flags 8 | id 8 + SFLOAT |   8  | low, high nib. |
    +-------+----------+----------+---------------+------+----------------+
                          bit 7         bit 0       bit 1      bit 2
        +---------------------------+---------------+-----------+
    ... | exercise: duration s 16 + | medication    | HbA1c %   |
        | intensity % 8             | id 8 + SFLOAT | SFLOAT    |
        +---------------------------+---------------+-----------+
                   bit 3                 bit 4          bit 6
    flags bit 5: unit of the medication, 0 = kilogram, 1 = litre

It belongs to the measurement of the same sequence number. The masses of carbohydrate
and medication are ambiguous in the field: the specification means kilogram and litre,
implementations write gram, milligram and millilitre. They are kept as sent; no dose
may be computed from them.

Source: Bluetooth SIG Glucose Service 1.0.1, section 3.2.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Self

from firmware_protocols.gatt.glucose_codes import (
    CarbohydrateId,
    Health,
    Meal,
    MedicationId,
    Tester,
)
from firmware_protocols.gatt.octets import (
    OctetReader,
    Octets,
    OctetWriter,
    join_nibbles,
    split_nibbles,
)
from firmware_protocols.ieee11073.floats import Number

_CARBOHYDRATE = 1 << 0
_MEAL = 1 << 1
_TESTER_HEALTH = 1 << 2
_EXERCISE = 1 << 3
_MEDICATION = 1 << 4
_LITRE = 1 << 5
_HBA1C = 1 << 6
_EXTENDED = 1 << 7

EXERCISE_OVERRUN = 0xFFFF
"""An exercise duration longer than the field can tell."""


class MedicationUnit(Enum):
    """Unit that the flag claims for the medication's amount."""

    KILOGRAM = "kilogram"
    LITRE = "litre"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carbohydrate:
    """Meal and mass of carbohydrate, the mass as sent."""

    carbohydrate_id: CarbohydrateId
    amount: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class TesterHealth:
    """Who measured, and how the person felt."""

    tester: Tester
    health: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """Duration in seconds (65535 = longer) and intensity in percent."""

    duration: int
    intensity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Medication:
    """Kind of insulin and amount, the amount as sent."""

    medication_id: MedicationId
    amount: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucoseContext:
    """One value of 2A34.

    Attributes:
        sequence_number: Of the measurement that this describes.
        extended_flags: Reserved by the specification.
        meal: 6 is the ketone mark of i-SENS meters.
        medication_unit: Sent also where there is no medication.
        hba1c: Percent.
    """

    sequence_number: int
    extended_flags: int | None = None
    carbohydrate: Carbohydrate | None = None
    meal: Meal | None = None
    tester_health: TesterHealth | None = None
    exercise: Exercise | None = None
    medication: Medication | None = None
    medication_unit: MedicationUnit = MedicationUnit.KILOGRAM
    hba1c: Number | None = None
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A34.

        Raises:
            TruncatedError: A field is missing.
        """
        reader = OctetReader(data)
        flags = reader.u8("flags")
        # Keyword arguments are evaluated in the order written: the wire's.
        return cls(
            sequence_number=reader.u16("sequence_number"),
            extended_flags=reader.u8("extended_flags") if flags & _EXTENDED else None,
            carbohydrate=Carbohydrate(
                carbohydrate_id=CarbohydrateId(reader.u8("carbohydrate_id")),
                amount=reader.sfloat("carbohydrate"),
            )
            if flags & _CARBOHYDRATE
            else None,
            meal=Meal(reader.u8("meal")) if flags & _MEAL else None,
            tester_health=_read_tester(reader) if flags & _TESTER_HEALTH else None,
            exercise=Exercise(
                duration=reader.u16("exercise_duration"),
                intensity=reader.u8("exercise_intensity"),
            )
            if flags & _EXERCISE
            else None,
            medication=Medication(
                medication_id=MedicationId(reader.u8("medication_id")),
                amount=reader.sfloat("medication"),
            )
            if flags & _MEDICATION
            else None,
            medication_unit=MedicationUnit.LITRE
            if flags & _LITRE
            else MedicationUnit.KILOGRAM,
            hba1c=reader.sfloat("hba1c") if flags & _HBA1C else None,
            trailing=reader.rest(),
        )

    @property
    def flags(self) -> int:
        """Return the flags octet."""
        return (
            (_CARBOHYDRATE if self.carbohydrate is not None else 0)
            | (_MEAL if self.meal is not None else 0)
            | (_TESTER_HEALTH if self.tester_health is not None else 0)
            | (_EXERCISE if self.exercise is not None else 0)
            | (_MEDICATION if self.medication is not None else 0)
            | (_LITRE if self.medication_unit is MedicationUnit.LITRE else 0)
            | (_HBA1C if self.hba1c is not None else 0)
            | (_EXTENDED if self.extended_flags is not None else 0)
        )

    def to_bytes(self) -> bytes:
        """Encode 2A34.

        Raises:
            ValueError: A field does not fit.
            OverflowError: A field does not fit.
        """
        writer = OctetWriter().u8(self.flags).u16(self.sequence_number)
        if self.extended_flags is not None:
            writer.u8(self.extended_flags)
        if self.carbohydrate is not None:
            writer.u8(self.carbohydrate.carbohydrate_id)
            writer.sfloat(self.carbohydrate.amount)
        if self.meal is not None:
            writer.u8(self.meal)
        if self.tester_health is not None:
            pair = self.tester_health
            writer.u8(join_nibbles(pair.tester, pair.health))
        if self.exercise is not None:
            writer.u16(self.exercise.duration).u8(self.exercise.intensity)
        if self.medication is not None:
            writer.u8(self.medication.medication_id).sfloat(self.medication.amount)
        if self.hba1c is not None:
            writer.sfloat(self.hba1c)
        return writer.octets(self.trailing).value()


def _read_tester(reader: OctetReader) -> TesterHealth:
    low, high = split_nibbles(reader.u8("tester_health"))
    return TesterHealth(tester=Tester(low), health=Health(high))
