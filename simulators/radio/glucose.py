"""A glucose meter: 0x1808 with 2A18, 2A34, 2A51 and the record access point 2A52.

It stores numbered records and sends them only on request. As real meters, it wants a
bond, and its subscriptions before the request.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from bumble.core import UUID
from bumble.gatt import Service

from firmware_protocols.gatt.glucose import (
    ConcentrationUnit,
    GlucoseFeature,
    GlucoseMeasurement,
    GlucoseSample,
)
from firmware_protocols.gatt.glucose_codes import (
    GlucoseFeatures,
    GlucoseStatus,
    SampleLocation,
    SampleType,
)
from firmware_protocols.gatt.glucose_context import GlucoseContext
from firmware_protocols.ieee11073.floats import Number
from simulators.radio.attributes import (
    Need,
    OctetCharacteristic,
    Properties,
    pushed,
    readable,
)
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.clock_service import ClockKind, ClockService
from simulators.radio.device_clock import DeviceClock
from simulators.radio.peripheral import SimulatedPeripheral
from simulators.radio.record_access import RecordAccess, StoredRecord

SERVICE = 0x1808
SEQUENCE_NUMBERS = 0x1_0000
"""Sequence numbers have 16 bits and begin again."""

_FEATURES = GlucoseFeatures(
    GlucoseFeatures.LOW_BATTERY
    | GlucoseFeatures.RESULT_HIGH_LOW
    | GlucoseFeatures.SENSOR_MALFUNCTION
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucoseRecord:
    """A record in the meter, with its context if it has one."""

    measurement: GlucoseMeasurement
    context: GlucoseContext | None = None


class SimulatedMeter(SimulatedPeripheral):
    """A glucose meter.

    Args:
        identity: name and Device Information.
        now: true local time.
        clock_offset_s: how far its clock is ahead.
        clock_set: False for a clock that was never set.
        clock_kind: Current Time, or Date Time in the health service (Roche).
        first_sequence: number of the next record.
        interleaved: a context is sent after the *next* measurement.
        behaviour: how it misbehaves.
        need: what its values need; real meters want a bond.
        passkey: digits on its display at pairing.
    """

    def __init__(  # noqa: PLR0913 - one argument for each trait of a model
        self,
        identity: Identity | None = None,
        *,
        now: Callable[[], datetime],
        clock_offset_s: float = 0.0,
        clock_set: bool = True,
        clock_kind: ClockKind = ClockKind.CURRENT_TIME,
        first_sequence: int = 1,
        interleaved: bool = True,
        behaviour: Behaviour | None = None,
        need: Need = Need.ENCRYPTION,
        passkey: int | None = None,
    ) -> None:
        super().__init__(
            identity or Identity(name="EX-GLUCO", model="EX-6", serial="EX-000006"),
            services=[SERVICE],
            behaviour=behaviour,
            need=need,
            passkey=passkey,
        )
        self.clock = DeviceClock(now, offset_s=clock_offset_s, is_set=clock_set)
        self.clock_service = ClockService(self.clock, kind=clock_kind, need=need)
        self.records: list[GlucoseRecord] = []
        self.measurement = pushed(0x2A18, Properties.NOTIFY)
        self.context = pushed(0x2A34, Properties.NOTIFY)
        self.access = RecordAccess(
            self, self._select, ready=self._ready, interleaved=interleaved
        )
        self._sequence = first_sequence
        self._fresh = False

    def health_services(self) -> list[Service]:
        """Glucose and, with most models, Current Time."""
        return [
            Service(
                UUID.from_16_bits(SERVICE),
                [
                    self.measurement,
                    self.context,
                    readable(
                        0x2A51,
                        GlucoseFeature(features=_FEATURES).to_bytes(),
                        self.need,
                    ),
                    self.access.characteristic,
                    *self.clock_service.in_health_service(),
                ],
            ),
            *self.clock_service.services(),
        ]

    def has_something(self) -> bool:
        """Whether a measurement was made since the last connection."""
        return self._fresh

    async def serve(self) -> None:
        """A connection is what it woke for; records go out on request only."""
        self._fresh = False

    async def measure(
        self,
        *,
        concentration: Number,
        unit: ConcentrationUnit = ConcentrationUnit.MOL_PER_LITRE,
        sample_type: int = SampleType.CAPILLARY_WHOLE_BLOOD,
        time_offset: int | None = 0,
        status: int | None = 0,
        context: GlucoseContext | None = None,
    ) -> GlucoseRecord:
        """Measure, store under the next number, and wake the radio.

        Args:
            concentration: in ``unit``: 0.0062 mol/L is 6.2 mmol/L; an infinity is HI
                or LO.
            unit: on the wire.
            sample_type: what was sampled; control solution is one.
            time_offset: minutes from the base time to the time shown.
            status: annunciation bits.
            context: its sequence number is set here.
        """
        number, self._sequence = (
            self._sequence,
            (self._sequence + 1) % SEQUENCE_NUMBERS,
        )
        record = GlucoseRecord(
            measurement=GlucoseMeasurement(
                sequence_number=number,
                base_time=self.clock.read(),
                time_offset=time_offset,
                unit=unit,
                sample=GlucoseSample(
                    concentration=concentration,
                    sample_type=SampleType(sample_type),
                    location=SampleLocation(SampleLocation.FINGER),
                ),
                status=None if status is None else GlucoseStatus(status),
                context_follows=context is not None,
            ),
            context=None
            if context is None
            else replace(context, sequence_number=number),
        )
        self.records.append(record)
        await self.wake()
        return record

    async def wake(self) -> None:
        """Advertise, as when the person presses the transfer button."""
        self._fresh = True
        self.stir()
        await self.refresh()

    def _ready(self) -> bool:
        return self.subscribed(self.measurement)

    def _select(self) -> list[StoredRecord]:
        return [
            StoredRecord(
                sequence=record.measurement.sequence_number,
                time=record.measurement.user_facing_time(),
                first=(self.measurement, record.measurement.to_bytes()),
                second=self._context_of(record),
            )
            for record in self.records
        ]

    def _context_of(
        self, record: GlucoseRecord
    ) -> tuple[OctetCharacteristic, bytes] | None:
        if record.context is None:
            return None
        return self.context, record.context.to_bytes()
