"""A heart-rate strap: 0x180D with 2A37 notified, 2A38; no clock, no memory."""

from bumble.core import UUID
from bumble.gatt import Service

from firmware_protocols.gatt.heart_rate import (
    BodySensorLocation,
    HeartRateMeasurement,
    SensorLocation,
)
from simulators.radio.attributes import Need, Properties, pushed, readable
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.peripheral import SimulatedPeripheral

SERVICE = 0x180D
_LARGEST_NARROW = 0xFF


class SimulatedStrap(SimulatedPeripheral):
    """A chest strap; it is on while it is worn.

    Args:
        identity: name and Device Information.
        behaviour: how it misbehaves; by default it never ends a link itself.
        need: what its values need.
    """

    def __init__(
        self,
        identity: Identity | None = None,
        *,
        behaviour: Behaviour | None = None,
        need: Need = Need.NOTHING,
    ) -> None:
        super().__init__(
            identity or Identity(name="EX-STRAP", model="EX-5", serial="EX-000005"),
            services=[SERVICE],
            behaviour=behaviour or Behaviour(idle_disconnect_s=None),
            need=need,
        )
        self.measurement = pushed(0x2A37, Properties.NOTIFY)
        self._worn = False

    def health_services(self) -> list[Service]:
        """Heart Rate."""
        where = SensorLocation(location=BodySensorLocation(BodySensorLocation.CHEST))
        return [
            Service(
                UUID.from_16_bits(SERVICE),
                [self.measurement, readable(0x2A38, where.to_bytes(), self.need)],
            )
        ]

    def has_something(self) -> bool:
        """Whether it is worn."""
        return self._worn

    async def wear(self, *, worn: bool = True) -> None:
        """Put it on or off; off ends the link."""
        self._worn = worn
        if not worn:
            await self.drop_link()
        await self.refresh()

    async def beat(
        self,
        *,
        heart_rate: int,
        rr_intervals: tuple[int, ...] | None = None,
        contact: bool | None = True,
    ) -> bool:
        """Send one value; whether somebody was listening.

        Args:
            heart_rate: per minute; above 255 it is sent in 16 bits.
            rr_intervals: in 1/1024 s.
            contact: None = it cannot tell, as with Polar's H10.
        """
        record = HeartRateMeasurement(
            heart_rate=heart_rate,
            rr_intervals=rr_intervals,
            wide=heart_rate > _LARGEST_NARROW,
            contact_detected=bool(contact),
            contact_supported=contact is not None,
        )
        return await self.push(self.measurement, record.to_bytes())
