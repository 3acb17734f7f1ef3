"""Battery service 0x180F: Battery Level 2A19, one octet of percent, 0 .. 100.

Source: Bluetooth SIG Battery Service 1.0, section 3.1.
"""

from dataclasses import dataclass
from typing import Self

from firmware_protocols.errors import FieldError
from firmware_protocols.gatt.octets import OctetReader, Octets, OctetWriter

FULL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryLevel:
    """The value of 2A19, in percent."""

    level: int
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A19.

        Raises:
            TruncatedError: The value is empty.
            FieldError: The level is above 100 %.
        """
        reader = OctetReader(data)
        level = reader.u8("level")
        if level > FULL:
            raise FieldError("level", "is above 100 %", reader.data)
        return cls(level=level, trailing=reader.rest())

    def to_bytes(self) -> bytes:
        """Encode 2A19.

        Raises:
            OverflowError: The level does not fit.
        """
        return OctetWriter().u8(self.level).octets(self.trailing).value()
