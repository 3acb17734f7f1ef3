"""Current Time service 0x1805: 2A2B, 2A0F and 2A0D; Date Time 2A08 beside it.

Current Time 2A2B::

    +-----------+-------------+-----------+--------------+
    | date time | day of week | fractions | adjust       |
    |  7 octets |  8          |  8, 1/256 | reason 8     |
    +-----------+-------------+-----------+--------------+
                  1 Monday .. 7 Sunday, 0 unknown

Local Time Information 2A0F::

    +------------------------+-----------+
    | time zone s8, x 15 min | DST offset|   time zone -48 .. 56, -128 = unknown
    +------------------------+-----------+

DST Offset 2A0D: u8 in quarters of an hour: 0, 2, 4 or 8; 255 = unknown.

These are clocks, not readings: values out of their ranges are refused.

Source: Bluetooth SIG Current Time Service 1.1; GATT Specification Supplement.
"""

from dataclasses import dataclass
from typing import Final, Self

from firmware_protocols.codes import BitField, Code
from firmware_protocols.errors import FieldError
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.octets import OctetReader, Octets, OctetWriter

_LAST_DAY_OF_WEEK = 7
_TIME_ZONE_UNKNOWN = -128
_TIME_ZONES = range(-48, 57)
_MINUTES_PER_QUARTER = 15


class DayOfWeek(Code):
    """Day of the week, ISO 8601 numbers; 0 where the device does not know it."""

    __slots__ = ()

    UNKNOWN: Final = 0
    MONDAY: Final = 1
    TUESDAY: Final = 2
    WEDNESDAY: Final = 3
    THURSDAY: Final = 4
    FRIDAY: Final = 5
    SATURDAY: Final = 6
    SUNDAY: Final = 7


class AdjustReason(BitField):
    """Why the server's clock was changed."""

    __slots__ = ()

    MANUAL: Final = 1 << 0
    EXTERNAL: Final = 1 << 1
    TIME_ZONE: Final = 1 << 2
    DST: Final = 1 << 3


class DstOffset(Code):
    """Daylight saving time in quarters of an hour."""

    __slots__ = ()

    STANDARD: Final = 0
    HALF_HOUR: Final = 2
    DAYLIGHT: Final = 4
    DOUBLE_DAYLIGHT: Final = 8
    UNKNOWN: Final = 255


def _read_dst(reader: OctetReader) -> DstOffset:
    dst = DstOffset(reader.u8("dst_offset"))
    if not dst.is_known:
        raise FieldError("dst_offset", "is reserved", reader.data)
    return dst


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentTime:
    """The value of 2A2B.

    Attributes:
        fractions: 1/256 of a second.
    """

    date_time: DateTime
    day_of_week: DayOfWeek
    fractions: int
    adjust_reason: AdjustReason
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A2B.

        Raises:
            TruncatedError: A field is missing.
            FieldError: A field of the time or the day of week is out of range.
        """
        reader = OctetReader(data)
        date_time = reader.date_time("date_time")
        day_of_week = DayOfWeek(reader.u8("day_of_week"))
        fractions = reader.u8("fractions")
        adjust_reason = AdjustReason(reader.u8("adjust_reason"))
        field = date_time.out_of_range
        if field is not None:
            raise FieldError(f"date_time.{field}", "is out of range", reader.data)
        if day_of_week > _LAST_DAY_OF_WEEK:
            raise FieldError("day_of_week", "is out of range", reader.data)
        return cls(
            date_time=date_time,
            day_of_week=day_of_week,
            fractions=fractions,
            adjust_reason=adjust_reason,
            trailing=reader.rest(),
        )

    def to_bytes(self) -> bytes:
        """Encode 2A2B.

        Raises:
            ValueError: A field does not fit.
            OverflowError: A field does not fit.
        """
        writer = OctetWriter().date_time(self.date_time).u8(self.day_of_week)
        writer.u8(self.fractions).u8(self.adjust_reason)
        return writer.octets(self.trailing).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTimeInformation:
    """The value of 2A0F.

    Attributes:
        time_zone: Standard time's distance from UTC in quarters of an hour, or None
            where the device does not know it.
    """

    time_zone: int | None
    dst: DstOffset
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A0F.

        Raises:
            TruncatedError: A field is missing.
            FieldError: Time zone or DST offset is reserved.
        """
        reader = OctetReader(data)
        time_zone = reader.s8("time_zone")
        dst = _read_dst(reader)
        if time_zone != _TIME_ZONE_UNKNOWN and time_zone not in _TIME_ZONES:
            raise FieldError("time_zone", "is out of range", reader.data)
        return cls(
            time_zone=None if time_zone == _TIME_ZONE_UNKNOWN else time_zone,
            dst=dst,
            trailing=reader.rest(),
        )

    @property
    def time_zone_minutes(self) -> int | None:
        """Return the distance from UTC in minutes, without DST."""
        if self.time_zone is None:
            return None
        return self.time_zone * _MINUTES_PER_QUARTER

    def to_bytes(self) -> bytes:
        """Encode 2A0F.

        Raises:
            OverflowError: A field does not fit.
        """
        zone = _TIME_ZONE_UNKNOWN if self.time_zone is None else self.time_zone
        return OctetWriter().s8(zone).u8(self.dst).octets(self.trailing).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class DaylightSaving:
    """The value of 2A0D."""

    dst: DstOffset
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A0D.

        Raises:
            TruncatedError: The value is empty.
            FieldError: The offset is reserved.
        """
        reader = OctetReader(data)
        return cls(dst=_read_dst(reader), trailing=reader.rest())

    def to_bytes(self) -> bytes:
        """Encode 2A0D."""
        return OctetWriter().u8(self.dst).octets(self.trailing).value()
