"""Pulse oximeters with the Bluetooth SIG service 0x1822, spot and continuous.

A continuous stream is thinned (``thinning``); every value is shown live. Status bits
under which a value must not page anybody make it invalid (no measurement of this
person: demo, test, calibration, sensor off or broken) or questionable (a measurement
that the device itself doubts).

Source: Bluetooth SIG Pulse Oximeter Service 1.0.1, sections 3.1 to 3.3; the split of
the status bits is ours, from their texts.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Final

from drivers.device_clock import MAY_SET_CLOCK, DeviceClock, Stamp, read_stamp
from drivers.gatt_session import Conversation, converse
from drivers.quantities import from_number
from drivers.quirk_values import number
from drivers.thinning import CONTINUOUS_INTERVAL_S, Thinner
from firmware_protocols.gatt.pulse_oximeter import (
    ContinuousMeasurement,
    OximeterDeviceStatus,
    OximeterMeasurementStatus,
    SpO2PulseRate,
    SpotCheckMeasurement,
)
from firmware_protocols.ieee11073.floats import Number
from gateway.ports.devices import (
    DriverContext,
    DriverEvent,
    DriverSpec,
    GattLink,
    LinkKind,
    Live,
    Match,
    Reading,
    Received,
)

SERVICE: Final = "00001822-0000-1000-8000-00805f9b34fb"
SPOT_CHECK: Final = "00002a5e-0000-1000-8000-00805f9b34fb"
CONTINUOUS: Final = "00002a5f-0000-1000-8000-00805f9b34fb"

SPEC: Final = DriverSpec(
    name="pulse_oximeter",
    version=1,
    link=LinkKind.GATT,
    matches=(Match(service=SERVICE),),
    produces=("spo2",),
    may_send=MAY_SET_CLOCK,
    title="Pulse oximeter",
)

CONVERSATION: Final = Conversation(
    required=(SPOT_CHECK, CONTINUOUS), first_value_s=60.0, linger_s=30.0
)

_M = OximeterMeasurementStatus
_D = OximeterDeviceStatus

_MEASUREMENT_FLAGS: Final = (
    (_M.EARLY_ESTIMATE, "early-estimate"),
    (_M.DEMO, "demo-data"),
    (_M.TEST, "test-data"),
    (_M.CALIBRATION_ONGOING, "calibration-ongoing"),
    (_M.UNAVAILABLE, "measurement-unavailable"),
    (_M.QUESTIONABLE, "measurement-questionable"),
    (_M.INVALID, "measurement-invalid"),
)

_DEVICE_FLAGS: Final = (
    (_D.EXTENDED_DISPLAY_UPDATE, "device-extended-update"),
    (_D.EQUIPMENT_MALFUNCTION, "device-equipment-malfunction"),
    (_D.SIGNAL_PROCESSING_IRREGULARITY, "signal-processing-irregularity"),
    (_D.INADEQUATE_SIGNAL, "signal-inadequate"),
    (_D.POOR_SIGNAL, "signal-poor"),
    (_D.LOW_PERFUSION, "signal-low-perfusion"),
    (_D.ERRATIC_SIGNAL, "signal-erratic"),
    (_D.NONPULSATILE_SIGNAL, "signal-non-pulsatile"),
    (_D.QUESTIONABLE_PULSE, "signal-pulse-questionable"),
    (_D.SIGNAL_ANALYSIS_ONGOING, "signal-searching"),
    (_D.SENSOR_INTERFERENCE, "sensor-interference"),
    (_D.SENSOR_UNCONNECTED_TO_USER, "sensor-off"),
    (_D.UNKNOWN_SENSOR, "sensor-unsupported"),
    (_D.SENSOR_DISPLACED, "sensor-displaced"),
    (_D.SENSOR_MALFUNCTIONING, "sensor-malfunction"),
    (_D.SENSOR_DISCONNECTED, "sensor-disconnected"),
)
"""Names of ``gateway/codes/terms.json``, status bits of the pulse oximeter."""

_INVALID_MEASUREMENT: Final = (
    _M.DEMO | _M.TEST | _M.CALIBRATION_ONGOING | _M.UNAVAILABLE | _M.INVALID
)
_INVALID_DEVICE: Final = (
    _D.EQUIPMENT_MALFUNCTION
    | _D.NONPULSATILE_SIGNAL
    | _D.SENSOR_UNCONNECTED_TO_USER
    | _D.UNKNOWN_SENSOR
    | _D.SENSOR_MALFUNCTIONING
    | _D.SENSOR_DISCONNECTED
)
_DOUBTFUL_DEVICE: Final = (
    _D.INADEQUATE_SIGNAL
    | _D.POOR_SIGNAL
    | _D.ERRATIC_SIGNAL
    | _D.QUESTIONABLE_PULSE
    | _D.SENSOR_INTERFERENCE
    | _D.SENSOR_DISPLACED
)

_FULL_SATURATION: Final = Decimal(100)
NO_SATURATION: Final = "no-saturation"
"""SpO2 is no number, or one that no blood has: 0, or a vendor's 127."""


class _Decoder:
    def __init__(self, ctx: DriverContext, clock: DeviceClock) -> None:
        self._ctx = ctx
        self._clock = clock
        self._thinner = Thinner(
            number(ctx.quirks, "continuous_interval_s", CONTINUOUS_INTERVAL_S)
        )

    def decode(self, received: Received) -> list[DriverEvent]:
        if received.channel == CONTINUOUS:
            record = ContinuousMeasurement.from_bytes(received.data)
            reading = self._reading(record, received, record.normal, Stamp())
            due = self._thinner.offer(reading, self._ctx.monotonic())
            return [*_live(reading), *due]
        spot = SpotCheckMeasurement.from_bytes(received.data)
        stamp = read_stamp(spot.timestamp, clock_not_set=spot.clock_not_set)
        pair = SpO2PulseRate(spo2=spot.spo2, pulse_rate=spot.pulse_rate)
        return [self._reading(spot, received, pair, stamp)]

    def finish(self) -> list[DriverEvent]:
        return [*self._thinner.flush()]

    def _reading(
        self,
        record: SpotCheckMeasurement | ContinuousMeasurement,
        received: Received,
        pair: SpO2PulseRate,
        stamp: Stamp,
    ) -> Reading:
        measurement = record.measurement_status or _M(0)
        device = record.device_sensor_status or _D(0)
        components = [
            from_number("spo2", pair.spo2),
            from_number("pulse_rate_pleth", pair.pulse_rate),
        ]
        if record.pulse_amplitude_index is not None:
            components.append(
                from_number("perfusion_index", record.pulse_amplitude_index)
            )
        flags = [name for bit, name in _MEASUREMENT_FLAGS if measurement.has(bit)]
        flags += [name for bit, name in _DEVICE_FLAGS if device.has(bit)]
        saturated = _is_saturation(pair.spo2)
        if not saturated:
            flags.append(NO_SATURATION)
        modality = "continuous" if received.channel == CONTINUOUS else "spot"
        return Reading(
            kind="spo2",
            components=tuple(components),
            raw=received.data,
            received_at=received.at,
            device_time=stamp.time,
            flags=(*flags, *stamp.flags),
            context={"modality": modality, **dict(stamp.context)},
            invalid=not saturated
            or measurement.has(_INVALID_MEASUREMENT)
            or device.has(_INVALID_DEVICE),
            questionable=measurement.has(_M.QUESTIONABLE)
            or device.has(_DOUBTFUL_DEVICE),
            stored=measurement.has(_M.FROM_STORAGE)
            or self._clock.is_stored(stamp.time),
        )


def _is_saturation(value: Number) -> bool:
    return isinstance(value, Decimal) and 0 < value <= _FULL_SATURATION


def _live(reading: Reading) -> list[DriverEvent]:
    if reading.invalid:
        return []
    return [
        Live(name=part.name, value=str(part.quantity.value), unit=part.quantity.unit)
        for part in reading.components
        if part.quantity.value is not None
    ]


class PulseOximeterDriver:
    """See the module's description."""

    spec = SPEC

    def run(self, link: GattLink, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        """One connection."""
        return converse(link, ctx, CONVERSATION, lambda clock: _Decoder(ctx, clock))
