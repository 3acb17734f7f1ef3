"""A blood-pressure cuff: 0x1810 with 2A35 indicated, 2A36 notified, 2A49, a clock."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from bumble.core import UUID
from bumble.gatt import Service

from firmware_protocols.gatt.blood_pressure import (
    SIG,
    BloodPressureFeature,
    BloodPressureFeatures,
    BloodPressureLayout,
    BloodPressureMeasurement,
    BloodPressureStatus,
    IntermediateCuffPressure,
    PressureUnit,
)
from firmware_protocols.ieee11073.floats import Number, Special
from simulators.radio.attributes import Need, Properties, pushed, readable
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.clock_service import ClockKind, ClockService
from simulators.radio.device_clock import DeviceClock
from simulators.radio.stored import StoringPeripheral

SERVICE = 0x1810

INFLATION = (20, 60, 100, 140, 170, 150, 120, 90, 60, 20)
"""Cuff pressures in mmHg of a quick measurement, for the live display."""

_FEATURES = BloodPressureFeatures(
    BloodPressureFeatures.BODY_MOVEMENT
    | BloodPressureFeatures.CUFF_FIT
    | BloodPressureFeatures.IRREGULAR_PULSE
)


class SimulatedCuff(StoringPeripheral):
    """An upper-arm cuff.

    Args:
        identity: name and Device Information.
        now: true local time.
        clock_offset_s: how far its clock is ahead.
        clock_set: False for a clock that was never set.
        clock_kind: Current Time, or Date Time in the health service (A&D).
        behaviour: how it misbehaves.
        need: what its values need; ``Need.ENCRYPTION`` = it must be bonded.
        passkey: digits on its display at pairing.
        layout: of its frames; Beurer's differ.
    """

    def __init__(  # noqa: PLR0913 - one argument for each trait of a model
        self,
        identity: Identity | None = None,
        *,
        now: Callable[[], datetime],
        clock_offset_s: float = 0.0,
        clock_set: bool = True,
        clock_kind: ClockKind = ClockKind.CURRENT_TIME,
        behaviour: Behaviour | None = None,
        need: Need = Need.NOTHING,
        passkey: int | None = None,
        layout: BloodPressureLayout = SIG,
    ) -> None:
        clock = DeviceClock(now, offset_s=clock_offset_s, is_set=clock_set)
        super().__init__(
            identity or Identity(name="EX-CUFF"),
            services=[SERVICE],
            measurement=pushed(0x2A35, Properties.INDICATE),
            clock=ClockService(clock, kind=clock_kind),
            behaviour=behaviour,
            need=need,
            passkey=passkey,
        )
        self.cuff_pressure = pushed(0x2A36, Properties.NOTIFY)
        self._layout = layout

    def health_services(self) -> list[Service]:
        """Blood Pressure and, with most models, Current Time."""
        feature = BloodPressureFeature(features=_FEATURES).to_bytes()
        return [
            Service(
                UUID.from_16_bits(SERVICE),
                [
                    self.measurement,
                    self.cuff_pressure,
                    readable(0x2A49, feature, self.need),
                    *self.clock_service.in_health_service(),
                ],
            ),
            *self.clock_service.services(),
        ]

    async def measure(
        self,
        *,
        systolic: Number | int,
        diastolic: Number | int,
        mean_arterial: Number | int | None = None,
        pulse_rate: Number | int | None = 70,
        unit: PressureUnit = PressureUnit.MMHG,
        user_id: int | None = None,
        status: int | None = 0,
    ) -> bytes:
        """Take a measurement and store it; returns the value of 2A35.

        Raises:
            ValueError: A number does not fit the wire.
        """
        upper, lower = _number(systolic), _number(diastolic)
        mean = Special.NAN if mean_arterial is None else _number(mean_arterial)
        record = BloodPressureMeasurement(
            unit=unit,
            systolic=upper,
            diastolic=lower,
            mean_arterial=mean,
            timestamp=self.clock.read(),
            pulse_rate=None if pulse_rate is None else _number(pulse_rate),
            user_id=user_id,
            status=None if status is None else BloodPressureStatus(status),
        )
        return await self.store(record.to_bytes(layout=self._layout))

    async def fail(self) -> bytes:
        """A measurement that failed: NaN in all values, as boso cuffs send it."""
        return await self.measure(
            systolic=Special.NAN, diastolic=Special.NAN, pulse_rate=Special.NAN
        )

    async def inflate(
        self, pressures: Sequence[int] = INFLATION, *, pause_s: float = 0.0
    ) -> int:
        """Show the cuff's pressure live; returns how many values went out."""
        sent = 0
        for pressure in pressures:
            frame = BloodPressureMeasurement(
                unit=PressureUnit.MMHG,
                systolic=Decimal(pressure),
                diastolic=Special.NAN,
                mean_arterial=Special.NAN,
            )
            value = IntermediateCuffPressure(frame=frame).to_bytes(layout=SIG)
            sent += await self.push(self.cuff_pressure, value)
            if pause_s:
                await asyncio.sleep(pause_s)
        return sent


def _number(value: Number | int) -> Number:
    return Decimal(value) if isinstance(value, int) else value
