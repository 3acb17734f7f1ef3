"""Blood pressure monitors with the Bluetooth SIG service 0x1810.

A measurement is one reading with all of its components. A failed measurement (every
value NaN) is a reading too, marked invalid: that a person could not be measured is
worth knowing, and 2047 mmHg is not a blood pressure. Movement, a loose cuff or a wrong
position make it questionable; an irregular pulse does not, it is a finding.

Source: Bluetooth SIG Blood Pressure Service 1.1.1; failed measurements as a boso
medicus sends them (derdilla/blood-pressure-monitor-fl #80).
"""

from collections.abc import AsyncIterator
from typing import Final

from drivers.device_clock import MAY_SET_CLOCK, DeviceClock, read_stamp
from drivers.gatt_session import Conversation, converse
from drivers.quantities import from_number, missing, mmhg_from_kpa
from drivers.quirk_values import token
from firmware_protocols.gatt.blood_pressure import (
    BEURER,
    SIG,
    USER_UNKNOWN,
    BloodPressureMeasurement,
    BloodPressureStatus,
    IntermediateCuffPressure,
    PressureUnit,
    PulseRange,
)
from firmware_protocols.ieee11073.floats import Number, Special
from gateway.model.observation import Absent, Component
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

SERVICE: Final = "00001810-0000-1000-8000-00805f9b34fb"
MEASUREMENT: Final = "00002a35-0000-1000-8000-00805f9b34fb"
CUFF_PRESSURE: Final = "00002a36-0000-1000-8000-00805f9b34fb"

SPEC: Final = DriverSpec(
    name="blood_pressure",
    version=1,
    link=LinkKind.GATT,
    matches=(Match(service=SERVICE),),
    produces=("blood_pressure_panel",),
    may_send=MAY_SET_CLOCK,
    title="Blood pressure monitor",
)

CONVERSATION: Final = Conversation(
    required=(MEASUREMENT,),
    optional=(CUFF_PRESSURE,),
    # A cuff that connects when it begins needs up to 120 s at a high pressure.
    first_value_s=150.0,
    linger_s=10.0,
)

_STATUS_FLAGS: Final = (
    (BloodPressureStatus.BODY_MOVEMENT, "body-movement"),
    (BloodPressureStatus.CUFF_TOO_LOOSE, "cuff-too-loose"),
    (BloodPressureStatus.IRREGULAR_PULSE, "irregular-pulse"),
    (BloodPressureStatus.IMPROPER_POSITION, "improper-body-position"),
)
"""Names of ``gateway/codes/terms.json``, status bits of blood pressure."""

_PULSE_RANGE_FLAGS: Final = {
    PulseRange.ABOVE_UPPER: "pulse-over-range",
    PulseRange.BELOW_LOWER: "pulse-under-range",
}

_DOUBTFUL: Final = (
    BloodPressureStatus.BODY_MOVEMENT
    | BloodPressureStatus.CUFF_TOO_LOOSE
    | BloodPressureStatus.IMPROPER_POSITION
)

MEASUREMENT_FAILED: Final = "measurement-failed"

_LAYOUTS: Final = {"sig": SIG, "beurer": BEURER}


class _Decoder:
    def __init__(self, ctx: DriverContext, clock: DeviceClock) -> None:
        self._ctx = ctx
        self._clock = clock

    def decode(self, received: Received) -> list[DriverEvent]:
        layout = _LAYOUTS[token(self._ctx.quirks, "layout", "sig")]
        if received.channel == CUFF_PRESSURE:
            live = IntermediateCuffPressure.from_bytes(received.data, layout=layout)
            return _live(live)
        record = BloodPressureMeasurement.from_bytes(received.data, layout=layout)
        return [self._reading(record, received)]

    def finish(self) -> list[DriverEvent]:
        return []

    def _reading(self, record: BloodPressureMeasurement, received: Received) -> Reading:
        stamp = read_stamp(record.timestamp)
        status = record.status or BloodPressureStatus(0)
        failed = isinstance(record.systolic, Special) and isinstance(
            record.diastolic, Special
        )
        partial = isinstance(record.systolic, Special) or isinstance(
            record.diastolic, Special
        )
        flags = (*_status_flags(status), *stamp.flags)
        return Reading(
            kind="blood_pressure_panel",
            components=_components(record),
            raw=received.data,
            received_at=received.at,
            device_time=stamp.time,
            user_slot=None if record.user_id == USER_UNKNOWN else record.user_id,
            flags=(*flags, MEASUREMENT_FAILED) if failed else flags,
            context=dict(stamp.context),
            invalid=failed,
            questionable=partial or status.has(_DOUBTFUL),
            stored=self._clock.is_stored(stamp.time),
        )


def _status_flags(status: BloodPressureStatus) -> tuple[str, ...]:
    flags = [name for bit, name in _STATUS_FLAGS if status.has(bit)]
    pulse = _PULSE_RANGE_FLAGS.get(status.pulse_range)
    return tuple(flags) if pulse is None else (*flags, pulse)


def _components(record: BloodPressureMeasurement) -> tuple[Component, ...]:
    components = [
        _pressure("systolic", record.systolic, record.unit),
        _pressure("diastolic", record.diastolic, record.unit),
    ]
    mean = record.mean_arterial
    # 0 and NaN both stand for "this cuff computes none" on many models.
    if isinstance(mean, Special) or mean == 0:
        components.append(missing("mean_arterial_pressure", Absent.UNKNOWN))
    else:
        components.append(_pressure("mean_arterial_pressure", mean, record.unit))
    if record.pulse_rate is not None:
        components.append(from_number("pulse_rate_cuff", record.pulse_rate))
    return tuple(components)


def _pressure(name: str, value: Number, unit: PressureUnit) -> Component:
    convert = mmhg_from_kpa if unit is PressureUnit.KPA else None
    return from_number(name, value, convert)


def _live(record: IntermediateCuffPressure) -> list[DriverEvent]:
    pressure = _pressure("systolic", record.cuff_pressure, record.frame.unit).quantity
    if pressure.value is None:
        return []  # the cuff says that it has no pressure to show
    return [Live(name="cuff-pressure", value=str(pressure.value), unit=pressure.unit)]


class BloodPressureDriver:
    """See the module's description."""

    spec = SPEC

    def run(self, link: GattLink, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        """One connection."""
        return converse(link, ctx, CONVERSATION, lambda clock: _Decoder(ctx, clock))
