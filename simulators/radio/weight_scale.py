"""A scale: 0x181D with 2A9D indicated, 2A9E, a clock."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from bumble.core import UUID
from bumble.gatt import Service

from firmware_protocols.gatt.weight_scale import (
    BodySize,
    WeightMeasurement,
    WeightScaleFeature,
    WeightScaleFeatures,
    WeightUnits,
)
from simulators.radio.attributes import Need, Properties, pushed, readable
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.clock_service import ClockKind, ClockService
from simulators.radio.device_clock import DeviceClock
from simulators.radio.stored import StoringPeripheral

SERVICE = 0x181D

_FEATURES = WeightScaleFeatures(
    WeightScaleFeatures.TIMESTAMP
    | WeightScaleFeatures.MULTIPLE_USERS
    | WeightScaleFeatures.BMI
)


class SimulatedScale(StoringPeripheral):
    """A bathroom scale.

    Args:
        identity: name and Device Information.
        now: true local time.
        clock_offset_s: how far its clock is ahead.
        clock_set: False for a clock that was never set.
        clock_kind: Current Time, or Date Time in the health service (A&D).
        units: on the wire.
        behaviour: how it misbehaves.
        need: what its values need.
    """

    def __init__(
        self,
        identity: Identity | None = None,
        *,
        now: Callable[[], datetime],
        clock_offset_s: float = 0.0,
        clock_set: bool = True,
        clock_kind: ClockKind = ClockKind.CURRENT_TIME,
        units: WeightUnits = WeightUnits.METRIC,
        behaviour: Behaviour | None = None,
        need: Need = Need.NOTHING,
    ) -> None:
        clock = DeviceClock(now, offset_s=clock_offset_s, is_set=clock_set)
        super().__init__(
            identity or Identity(name="EX-SCALE", model="EX-4", serial="EX-000004"),
            services=[SERVICE],
            measurement=pushed(0x2A9D, Properties.INDICATE),
            clock=ClockService(clock, kind=clock_kind),
            behaviour=behaviour,
            need=need,
        )
        self._units = units

    def health_services(self) -> list[Service]:
        """Weight Scale and, with most models, Current Time."""
        feature = WeightScaleFeature(features=_FEATURES).to_bytes()
        return [
            Service(
                UUID.from_16_bits(SERVICE),
                [
                    self.measurement,
                    readable(0x2A9E, feature, self.need),
                    *self.clock_service.in_health_service(),
                ],
            ),
            *self.clock_service.services(),
        ]

    async def measure(
        self,
        *,
        weight: Decimal | None,
        user_id: int | None = None,
        body_size: BodySize | None = None,
    ) -> bytes:
        """Weigh in the scale's unit and store it; None = it could not measure.

        Raises:
            ValueError: No multiple of 0.005 kg or 0.01 lb.
        """
        record = WeightMeasurement(
            units=self._units,
            weight=weight,
            timestamp=self.clock.read(),
            user_id=user_id,
            body_size=body_size,
        )
        return await self.store(record.to_bytes())
