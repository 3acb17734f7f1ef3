"""How a device lets its clock be read and set: Current Time, or A&D's Date Time.

Current Time 2A2B lives in a service of its own (0x1805); A&D cuffs and scales and
some Roche meters put Date Time 2A08 into the health service.
"""

import enum

from bumble.att import ATT_Error
from bumble.core import UUID
from bumble.gatt import Service

from firmware_protocols.errors import ProtocolError
from firmware_protocols.gatt.current_time import (
    AdjustReason,
    CurrentTime,
    DayOfWeek,
)
from firmware_protocols.gatt.date_time import DateTimeValue
from simulators.radio.attributes import (
    Need,
    OctetCharacteristic,
    Properties,
    written,
)
from simulators.radio.device_clock import DeviceClock

DATA_FIELD_IGNORED = 0x80
"""ATT error of a clock that does not take a value (Current Time Service 1.1, 3.1.2)."""

_READ_WRITE = Properties.READ | Properties.WRITE


class ClockKind(enum.Enum):
    """Where the clock is."""

    CURRENT_TIME = 0x2A2B
    DATE_TIME = 0x2A08
    NONE = 0


class ClockService:
    """A device's clock behind its characteristic."""

    def __init__(
        self,
        clock: DeviceClock,
        *,
        kind: ClockKind = ClockKind.CURRENT_TIME,
        need: Need = Need.NOTHING,
    ) -> None:
        self.clock = clock
        self.kind = kind
        self._need = need

    def services(self) -> list[Service]:
        """The Current Time service, if that is where the clock is."""
        if self.kind is not ClockKind.CURRENT_TIME:
            return []
        return [Service(UUID.from_16_bits(0x1805), [self._characteristic()])]

    def in_health_service(self) -> list[OctetCharacteristic]:
        """The Date Time characteristic, if that is where the clock is."""
        return [self._characteristic()] if self.kind is ClockKind.DATE_TIME else []

    def _characteristic(self) -> OctetCharacteristic:
        return written(
            self.kind.value,
            _READ_WRITE,
            self._write,
            read=self._read,
            need=self._need,
        )

    def _read(self) -> bytes:
        time = self.clock.read()
        if self.kind is ClockKind.DATE_TIME:
            return time.to_bytes()
        return CurrentTime(
            date_time=time,
            day_of_week=DayOfWeek(DayOfWeek.UNKNOWN),
            fractions=0,
            adjust_reason=AdjustReason(0),
        ).to_bytes()

    def _write(self, value: bytes) -> None:
        try:
            time = (
                DateTimeValue.from_bytes(value).date_time
                if self.kind is ClockKind.DATE_TIME
                else CurrentTime.from_bytes(value).date_time
            )
        except ProtocolError as error:
            raise ATT_Error(DATA_FIELD_IGNORED) from error
        if not self.clock.set(time):
            raise ATT_Error(DATA_FIELD_IGNORED)
