"""Clock write of i-SENS (CareSens) glucose meters: FFF1 in service FFF0.

These meters do not take the Current Time service; the collector writes, twice::

    +----+----+----+----+-----------+
    | C0 | 03 | 01 | 00 | date time |
    +----+----+----+----+-----------+
                          7 octets as in 0x2A08

Source: a test of NightscoutFoundation/xDrip (TimeTx), one source.
"""

from dataclasses import dataclass
from typing import Self

from firmware_protocols.errors import FieldError, LayoutError
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.octets import OctetReader, Octets

_COMMAND = bytes.fromhex("C0030100")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetClock:
    """The command that sets the meter's clock."""

    date_time: DateTime

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode the command.

        Raises:
            TruncatedError: The date and time are incomplete.
            FieldError: It is another command.
            LayoutError: Octets are left over.
        """
        reader = OctetReader(data)
        if reader.take("command", len(_COMMAND)) != _COMMAND:
            raise FieldError("command", "is not the clock's", reader.data)
        date_time = reader.date_time("date_time")
        if reader.left():
            raise LayoutError("set_clock", "bytes are left over", reader.data)
        return cls(date_time=date_time)

    def to_bytes(self) -> bytes:
        """Encode the command.

        Raises:
            ValueError: The date and time do not fit.
        """
        return _COMMAND + self.date_time.to_bytes()
