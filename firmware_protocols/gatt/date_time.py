"""Date Time, 0x2A08: a device's local clock in seven octets.

::

    +---------+-------+-----+-------+---------+---------+
    | year 16 | month | day | hours | minutes | seconds |   little-endian
    +---------+-------+-----+-------+---------+---------+
     0 = unknown, 1582 .. 9999; month and day 0 = unknown

There is no time zone in it. Meters whose clock was never set send zeros, a partial
date, or an impossible one such as 29 February 2026. A reading with such a time is
still a reading; therefore the record holds whatever seven octets can hold, and
``to_datetime`` says whether they are a time.

Source: Bluetooth SIG GATT Specification Supplement.
"""

from dataclasses import dataclass
from datetime import datetime
from struct import Struct
from typing import ClassVar, Self

from firmware_protocols.errors import FieldError, TruncatedError

_WIRE = Struct("<HBBBBB")

FIRST_YEAR = 1582
"""The calendar's first year; years below it, but for 0, are forbidden."""
LAST_YEAR = 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTime:
    """Seven octets of date and time, in wire order, unchecked."""

    SIZE: ClassVar[int] = _WIRE.size

    year: int
    month: int
    day: int
    hours: int
    minutes: int
    seconds: int

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Self:
        """Read exactly seven octets.

        Raises:
            TruncatedError: There are fewer.
            FieldError: There are more.
        """
        if len(data) < _WIRE.size:
            raise TruncatedError("date_time", "needs 7 bytes", bytes(data))
        if len(data) > _WIRE.size:
            raise FieldError("date_time", "has more than 7 bytes", bytes(data))
        return cls.unpack(data, 0)

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview, offset: int) -> Self:
        """Read seven octets out of a larger value; the caller checked the length."""
        year, month, day, hours, minutes, seconds = _WIRE.unpack_from(data, offset)
        return cls(
            year=year,
            month=month,
            day=day,
            hours=hours,
            minutes=minutes,
            seconds=seconds,
        )

    @classmethod
    def from_datetime(cls, value: datetime) -> Self:
        """Take over a local time; its zone and microseconds are dropped."""
        return cls(
            year=value.year,
            month=value.month,
            day=value.day,
            hours=value.hour,
            minutes=value.minute,
            seconds=value.second,
        )

    def to_bytes(self) -> bytes:
        """Return the seven octets.

        Raises:
            ValueError: A field does not fit its octets.
        """
        if not 0 <= self.year <= 0xFFFF or not all(  # noqa: PLR2004 - 16 bits
            0 <= octet <= 0xFF  # noqa: PLR2004 - 8 bits
            for octet in (self.month, self.day, self.hours, self.minutes, self.seconds)
        ):
            raise ValueError("a date and time field does not fit its octets")
        return _WIRE.pack(
            self.year, self.month, self.day, self.hours, self.minutes, self.seconds
        )

    @property
    def is_known(self) -> bool:
        """Return whether year, month and day are all given (perhaps impossibly)."""
        return bool(self.year and self.month and self.day)

    @property
    def out_of_range(self) -> str | None:
        """Return the first field outside its range, or None.

        The ranges are the characteristic's; 30 February is inside them.
        """
        if self.year and not FIRST_YEAR <= self.year <= LAST_YEAR:
            return "year"
        limits = (
            ("month", self.month, 12),
            ("day", self.day, 31),
            ("hours", self.hours, 23),
            ("minutes", self.minutes, 59),
            ("seconds", self.seconds, 59),
        )
        return next((name for name, value, top in limits if value > top), None)

    def to_datetime(self) -> datetime | None:
        """Return the local time without a zone, or None.

        None means that the date is unknown, partial, or not in the calendar.
        """
        if self.out_of_range is not None:
            return None
        try:
            # The device does not say its zone, and nothing here may guess it.
            return datetime(  # noqa: DTZ001
                self.year, self.month, self.day, self.hours, self.minutes, self.seconds
            )
        except ValueError:
            return None

    def __str__(self) -> str:
        return (
            f"{self.year:04d}-{self.month:02d}-{self.day:02d}"
            f"T{self.hours:02d}:{self.minutes:02d}:{self.seconds:02d}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTimeValue:
    """The characteristic 0x2A08 itself: a clock that is read or written."""

    date_time: DateTime
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Self:
        """Read the characteristic; a clock must be within its ranges.

        Raises:
            TruncatedError: There are fewer than seven octets.
            FieldError: A field is out of range.
        """
        data = bytes(data)
        if len(data) < DateTime.SIZE:
            raise TruncatedError("date_time", "needs 7 bytes", data)
        date_time = DateTime.unpack(data, 0)
        field = date_time.out_of_range
        if field is not None:
            raise FieldError(f"date_time.{field}", "is out of range", data)
        return cls(date_time=date_time, trailing=data[DateTime.SIZE :])

    def to_bytes(self) -> bytes:
        """Return the octets of the characteristic.

        Raises:
            ValueError: A field does not fit its octets.
        """
        return self.date_time.to_bytes() + self.trailing
