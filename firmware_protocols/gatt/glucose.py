r"""Glucose service 0x1808: 2A18 and 2A51; the context 2A34 is in its own module.

Glucose Measurement 2A18::

    +-------+----------+-----------+--------+---------------+----------+--------+
    | flags | sequence | base time | offset | concentration | type and | status |
    |   8   |    16    |  7 octets | s16 min|     SFLOAT    | location |   16   |
    +-------+----------+-----------+--------+---------------+----------+--------+
                                    if bit 0 \________ if bit 1 ______/ if bit 3
    flags bit 2: 0 = kg/L, 1 = mol/L; bit 4: a 2A34 of this sequence number follows;
    bits 5-7 reserved. Type is the low nibble, location the high one.

Glucose Feature 2A51: features u16.

The user facing time is base time plus offset; the offset is signed and changes when
the user sets the clock, so that a record's identity is sequence and *base* time. A
concentration of +INF or -INF is a reading: HI or LO.

Source: Bluetooth SIG Glucose Service 1.0.1, sections 3.1 and 3.3.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Self

from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.glucose_codes import (
    GlucoseFeatures,
    GlucoseStatus,
    SampleLocation,
    SampleType,
)
from firmware_protocols.gatt.octets import (
    OctetReader,
    Octets,
    OctetWriter,
    join_nibbles,
    reserved_bits,
    split_nibbles,
)
from firmware_protocols.ieee11073.floats import Number

_OFFSET = 1 << 0
_SAMPLE = 1 << 1
_MOL_PER_LITRE = 1 << 2
_STATUS = 1 << 3
_CONTEXT = 1 << 4
_RESERVED = 0b1110_0000

_MG_PER_DL_EXPONENT = 5
"""1 kg/L is 10^5 mg/dL."""
_MMOL_PER_L_EXPONENT = 3
"""1 mol/L is 10^3 mmol/L."""


class ConcentrationUnit(Enum):
    """Unit on the wire; it says nothing about the meter's display."""

    KG_PER_LITRE = "kg/L"
    MOL_PER_LITRE = "mol/L"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucoseSample:
    """Concentration with what was sampled and where.

    Attributes:
        concentration: In the unit of the record; +INF is HI, -INF is LO.
        sample_type: Blood, plasma, interstitial fluid or control solution.
        location: Finger, alternate site and so on.
    """

    concentration: Number
    sample_type: SampleType
    location: SampleLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucoseMeasurement:
    """One value of 2A18.

    Attributes:
        sequence_number: 0 .. 65535, counts up and wraps.
        base_time: Local time of the meter's clock.
        time_offset: Minutes from base time to user facing time, signed.
        unit: Of the concentration; sent also where there is none.
        context_follows: A context of the same sequence number comes.
        reserved_flags: Bits 5 to 7 of the flags as they were sent.
    """

    sequence_number: int
    base_time: DateTime
    time_offset: int | None = None
    unit: ConcentrationUnit = ConcentrationUnit.KG_PER_LITRE
    sample: GlucoseSample | None = None
    status: GlucoseStatus | None = None
    context_follows: bool = False
    reserved_flags: int = 0
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A18.

        Raises:
            TruncatedError: A field is missing.
        """
        reader = OctetReader(data)
        flags = reader.u8("flags")
        sequence_number = reader.u16("sequence_number")
        base_time = reader.date_time("base_time")
        time_offset = reader.s16("time_offset") if flags & _OFFSET else None
        return cls(
            sequence_number=sequence_number,
            base_time=base_time,
            time_offset=time_offset,
            unit=ConcentrationUnit.MOL_PER_LITRE
            if flags & _MOL_PER_LITRE
            else ConcentrationUnit.KG_PER_LITRE,
            sample=_read_sample(reader) if flags & _SAMPLE else None,
            status=GlucoseStatus(reader.u16("status")) if flags & _STATUS else None,
            context_follows=bool(flags & _CONTEXT),
            reserved_flags=flags & _RESERVED,
            trailing=reader.rest(),
        )

    @property
    def flags(self) -> int:
        """Return the flags octet."""
        return (
            (_OFFSET if self.time_offset is not None else 0)
            | (_SAMPLE if self.sample is not None else 0)
            | (_MOL_PER_LITRE if self.unit is ConcentrationUnit.MOL_PER_LITRE else 0)
            | (_STATUS if self.status is not None else 0)
            | (_CONTEXT if self.context_follows else 0)
            | reserved_bits(self.reserved_flags, _RESERVED)
        )

    def to_bytes(self) -> bytes:
        """Encode 2A18.

        Raises:
            ValueError: A field does not fit.
            OverflowError: A field does not fit.
        """
        writer = OctetWriter().u8(self.flags).u16(self.sequence_number)
        writer.date_time(self.base_time)
        if self.time_offset is not None:
            writer.s16(self.time_offset)
        if self.sample is not None:
            writer.sfloat(self.sample.concentration)
            writer.u8(join_nibbles(self.sample.sample_type, self.sample.location))
        if self.status is not None:
            writer.u16(self.status)
        return writer.octets(self.trailing).value()

    def user_facing_time(self) -> datetime | None:
        """Return base time plus offset, without a zone.

        None if the meter sent no offset, or a date that is unknown or impossible.
        """
        base = self.base_time.to_datetime()
        if base is None or self.time_offset is None:
            return None
        try:
            return base + timedelta(minutes=self.time_offset)
        except OverflowError:
            return None

    @property
    def mg_per_dl(self) -> Decimal | None:
        """Return the concentration in mg/dL if it was sent as mass, else None."""
        return self._scaled(ConcentrationUnit.KG_PER_LITRE, _MG_PER_DL_EXPONENT)

    @property
    def mmol_per_l(self) -> Decimal | None:
        """Return the concentration in mmol/L if it was sent in mol, else None."""
        return self._scaled(ConcentrationUnit.MOL_PER_LITRE, _MMOL_PER_L_EXPONENT)

    def _scaled(self, unit: ConcentrationUnit, exponent: int) -> Decimal | None:
        if self.unit is not unit or self.sample is None:
            return None
        value = self.sample.concentration
        return value.scaleb(exponent) if isinstance(value, Decimal) else None


def _read_sample(reader: OctetReader) -> GlucoseSample:
    concentration = reader.sfloat("concentration")
    low, high = split_nibbles(reader.u8("type_and_location"))
    return GlucoseSample(
        concentration=concentration,
        sample_type=SampleType(low),
        location=SampleLocation(high),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucoseFeature:
    """The value of 2A51."""

    features: GlucoseFeatures
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A51.

        Raises:
            TruncatedError: There are fewer than two octets.
        """
        reader = OctetReader(data)
        features = GlucoseFeatures(reader.u16("features"))
        return cls(features=features, trailing=reader.rest())

    def to_bytes(self) -> bytes:
        """Encode 2A51."""
        return OctetWriter().u16(self.features).octets(self.trailing).value()
