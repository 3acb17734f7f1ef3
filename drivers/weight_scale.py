"""Weight scales with the Bluetooth SIG service 0x181D.

Source: Bluetooth SIG Weight Scale Service 1.0.1, section 3.2. The resolutions in the
feature are those of the display and are not used.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Final

from drivers.device_clock import MAY_SET_CLOCK, DeviceClock, read_stamp
from drivers.gatt_session import Conversation, converse
from drivers.quantities import CM_PER_INCH, kg_from_lb, missing, present
from firmware_protocols.gatt.weight_scale import (
    USER_UNKNOWN,
    BodySize,
    WeightMeasurement,
    WeightUnits,
)
from gateway.model.observation import Absent, Component
from gateway.ports.devices import (
    DriverContext,
    DriverEvent,
    DriverSpec,
    GattLink,
    LinkKind,
    Match,
    Reading,
    Received,
)

SERVICE: Final = "0000181d-0000-1000-8000-00805f9b34fb"
MEASUREMENT: Final = "00002a9d-0000-1000-8000-00805f9b34fb"

SPEC: Final = DriverSpec(
    name="weight_scale",
    version=1,
    link=LinkKind.GATT,
    matches=(Match(service=SERVICE),),
    produces=("body_weight",),
    may_send=MAY_SET_CLOCK,
    title="Weight scale",
)

CONVERSATION: Final = Conversation(
    required=(MEASUREMENT,), first_value_s=60.0, linger_s=10.0
)

MEASUREMENT_FAILED: Final = "measurement-failed"
_CM_PER_M: Final = Decimal(100)


class _Decoder:
    def __init__(self, clock: DeviceClock) -> None:
        self._clock = clock

    def decode(self, received: Received) -> list[DriverEvent]:
        record = WeightMeasurement.from_bytes(received.data)
        imperial = record.units is WeightUnits.IMPERIAL
        stamp = read_stamp(record.timestamp)
        failed = record.weight is None
        return [
            Reading(
                kind="body_weight",
                components=(
                    _weight(record.weight, imperial=imperial),
                    *_body_size(record.body_size, imperial=imperial),
                ),
                raw=received.data,
                received_at=received.at,
                device_time=stamp.time,
                user_slot=None if record.user_id == USER_UNKNOWN else record.user_id,
                flags=(*stamp.flags, MEASUREMENT_FAILED) if failed else stamp.flags,
                context=dict(stamp.context),
                invalid=failed,
                stored=self._clock.is_stored(stamp.time),
            )
        ]

    def finish(self) -> list[DriverEvent]:
        return []


def _weight(weight: Decimal | None, *, imperial: bool) -> Component:
    if weight is None:
        return missing("body_weight", Absent.ERROR)
    return present("body_weight", kg_from_lb(weight) if imperial else weight)


def _body_size(size: BodySize | None, *, imperial: bool) -> tuple[Component, ...]:
    """BMI and height; 0 is what a scale sends that knows no height."""
    if size is None:
        return ()
    height = size.height * (CM_PER_INCH if imperial else _CM_PER_M)
    return tuple(
        present(name, value)
        for name, value in (("bmi", size.bmi), ("body_height", height))
        if value
    )


class WeightScaleDriver:
    """See the module's description."""

    spec = SPEC

    def run(self, link: GattLink, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        """One connection."""
        return converse(link, ctx, CONVERSATION, _Decoder)
