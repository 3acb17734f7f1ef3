"""A fingertip oximeter: 0x1822 with 2A5E indicated, 2A5F notified, 2A60, a clock."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from bumble.core import UUID
from bumble.gatt import Service

from firmware_protocols.gatt.pulse_oximeter import (
    ContinuousMeasurement,
    OximeterDeviceStatus,
    OximeterFeature,
    OximeterFeatures,
    OximeterMeasurementStatus,
    SpO2PulseRate,
    SpotCheckMeasurement,
)
from firmware_protocols.ieee11073.floats import Number, Special
from simulators.radio.attributes import Need, Properties, pushed, readable
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.clock_service import ClockKind, ClockService
from simulators.radio.device_clock import DeviceClock
from simulators.radio.stored import StoringPeripheral

SERVICE = 0x1822

_MEASUREMENT_BITS = OximeterMeasurementStatus(
    OximeterMeasurementStatus.MEASUREMENT_ONGOING
    | OximeterMeasurementStatus.VALIDATED
    | OximeterMeasurementStatus.QUESTIONABLE
    | OximeterMeasurementStatus.INVALID
)
_DEVICE_BITS = OximeterDeviceStatus(
    OximeterDeviceStatus.LOW_PERFUSION
    | OximeterDeviceStatus.SENSOR_UNCONNECTED_TO_USER
    | OximeterDeviceStatus.SENSOR_DISCONNECTED
)
_FEATURE = OximeterFeature(
    features=OximeterFeatures(
        OximeterFeatures.MEASUREMENT_STATUS
        | OximeterFeatures.DEVICE_SENSOR_STATUS
        | OximeterFeatures.TIMESTAMP
        | OximeterFeatures.PULSE_AMPLITUDE_INDEX
    ),
    measurement_status_support=_MEASUREMENT_BITS,
    device_sensor_status_support=_DEVICE_BITS,
)


class SimulatedOximeter(StoringPeripheral):
    """Spot checks are stored; the continuous values go only to who listens now.

    Args:
        identity: name and Device Information.
        now: true local time.
        clock_offset_s: how far its clock is ahead.
        clock_set: False: it stamps a fabricated time and says so (ChoiceMMed).
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
        behaviour: Behaviour | None = None,
        need: Need = Need.NOTHING,
    ) -> None:
        clock = DeviceClock(now, offset_s=clock_offset_s, is_set=clock_set)
        super().__init__(
            identity or Identity(name="EX-OXI", model="EX-2", serial="EX-000002"),
            services=[SERVICE],
            measurement=pushed(0x2A5E, Properties.INDICATE),
            clock=ClockService(clock, kind=ClockKind.CURRENT_TIME),
            behaviour=behaviour,
            need=need,
        )
        self.continuous = pushed(0x2A5F, Properties.NOTIFY)

    def health_services(self) -> list[Service]:
        """Pulse Oximeter and Current Time."""
        return [
            Service(
                UUID.from_16_bits(SERVICE),
                [
                    self.measurement,
                    self.continuous,
                    readable(0x2A60, _FEATURE.to_bytes(), self.need),
                ],
            ),
            *self.clock_service.services(),
        ]

    async def spot_check(
        self,
        *,
        spo2: Number | int,
        pulse_rate: Number | int,
        perfusion: Decimal | None = None,
        status: int = OximeterMeasurementStatus.VALIDATED,
    ) -> bytes:
        """Take a spot check and store it; returns the value of 2A5E."""
        record = SpotCheckMeasurement(
            spo2=_number(spo2),
            pulse_rate=_number(pulse_rate),
            timestamp=self.clock.read(),
            measurement_status=OximeterMeasurementStatus(status),
            pulse_amplitude_index=perfusion,
            clock_not_set=not self.clock.is_set,
        )
        return await self.store(record.to_bytes())

    async def stream(
        self,
        *,
        spo2: Number | int,
        pulse_rate: Number | int,
        perfusion: Decimal | None = None,
        status: int = OximeterMeasurementStatus.MEASUREMENT_ONGOING,
        device_status: int = 0,
    ) -> bool:
        """Send one continuous value; whether somebody was listening."""
        record = ContinuousMeasurement(
            normal=SpO2PulseRate(spo2=_number(spo2), pulse_rate=_number(pulse_rate)),
            measurement_status=OximeterMeasurementStatus(status),
            device_sensor_status=OximeterDeviceStatus(device_status),
            pulse_amplitude_index=perfusion,
        )
        return await self.push(self.continuous, record.to_bytes())

    async def finger_out(self) -> bool:
        """Send what a probe without a finger sends: NaN, sensor unconnected."""
        return await self.stream(
            spo2=Special.NAN,
            pulse_rate=Special.NAN,
            device_status=OximeterDeviceStatus.SENSOR_UNCONNECTED_TO_USER,
        )


def _number(value: Number | int) -> Number:
    return Decimal(value) if isinstance(value, int) else value
