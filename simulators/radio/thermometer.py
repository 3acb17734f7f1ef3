"""A thermometer: 0x1809 with 2A1C indicated, 2A1E notified, 2A1D."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from bumble.core import UUID
from bumble.gatt import Service

from firmware_protocols.gatt.thermometer import (
    StaticTemperatureType,
    TemperatureMeasurement,
    TemperatureType,
    TemperatureUnit,
)
from firmware_protocols.ieee11073.floats import Number
from simulators.radio.attributes import Need, Properties, pushed, readable
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.clock_service import ClockKind, ClockService
from simulators.radio.device_clock import DeviceClock
from simulators.radio.stored import StoringPeripheral

SERVICE = 0x1809


class SimulatedThermometer(StoringPeripheral):
    """An ear or oral thermometer.

    Args:
        identity: name and Device Information.
        now: true local time.
        clock_offset_s: how far its clock is ahead.
        clock_set: False for a clock that was never set.
        site: where it measures, by ``TemperatureType``.
        site_in_frames: False: only 2A1D tells the site.
        unit: on the wire.
        behaviour: how it misbehaves.
        need: what its values need.
    """

    def __init__(  # noqa: PLR0913 - one argument for each trait of a model
        self,
        identity: Identity | None = None,
        *,
        now: Callable[[], datetime],
        clock_offset_s: float = 0.0,
        clock_set: bool = True,
        site: int = TemperatureType.EAR,
        site_in_frames: bool = True,
        unit: TemperatureUnit = TemperatureUnit.CELSIUS,
        behaviour: Behaviour | None = None,
        need: Need = Need.NOTHING,
    ) -> None:
        clock = DeviceClock(now, offset_s=clock_offset_s, is_set=clock_set)
        super().__init__(
            identity or Identity(name="EX-THERMO", model="EX-3", serial="EX-000003"),
            services=[SERVICE],
            measurement=pushed(0x2A1C, Properties.INDICATE),
            clock=ClockService(clock, kind=ClockKind.CURRENT_TIME),
            behaviour=behaviour,
            need=need,
        )
        self.intermediate = pushed(0x2A1E, Properties.NOTIFY)
        self._site = TemperatureType(site)
        self._site_in_frames = site_in_frames
        self._unit = unit

    def health_services(self) -> list[Service]:
        """Health Thermometer and Current Time."""
        site = StaticTemperatureType(temperature_type=self._site).to_bytes()
        return [
            Service(
                UUID.from_16_bits(SERVICE),
                [
                    self.measurement,
                    self.intermediate,
                    readable(0x2A1D, site, self.need),
                ],
            ),
            *self.clock_service.services(),
        ]

    async def measure(self, *, temperature: Decimal) -> bytes:
        """Take a measurement in the device's unit and store it; the value of 2A1C."""
        return await self.store(self._frame(temperature, stamped=True))

    async def show(self, *, temperature: Decimal) -> bool:
        """Send an intermediate value; whether somebody was listening."""
        return await self.push(
            self.intermediate, self._frame(temperature, stamped=False)
        )

    def _frame(self, temperature: Number, *, stamped: bool) -> bytes:
        return TemperatureMeasurement(
            unit=self._unit,
            temperature=temperature,
            timestamp=self.clock.read() if stamped else None,
            temperature_type=self._site if self._site_in_frames else None,
        ).to_bytes()
