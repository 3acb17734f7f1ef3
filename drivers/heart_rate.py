"""Heart rate straps with the Bluetooth SIG service 0x180D.

A strap sends a value a second: the stream is thinned, every value is shown live. RR
intervals are kept in the raw bytes of what is emitted, not as readings: between the
emitted values they would have gaps, and a variability computed over gaps is wrong.

Source: Bluetooth SIG Heart Rate Service 1.0, sections 3.1 and 3.2.
"""

from collections.abc import AsyncIterator
from typing import Final

from drivers.device_clock import DeviceClock
from drivers.gatt_session import Conversation, converse
from drivers.quantities import missing, present
from drivers.quirk_values import number
from drivers.thinning import CONTINUOUS_INTERVAL_S, Thinner
from firmware_protocols.gatt.heart_rate import HeartRateMeasurement
from gateway.model.observation import Absent
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

SERVICE: Final = "0000180d-0000-1000-8000-00805f9b34fb"
MEASUREMENT: Final = "00002a37-0000-1000-8000-00805f9b34fb"

SPEC: Final = DriverSpec(
    name="heart_rate",
    version=1,
    link=LinkKind.GATT,
    matches=(Match(service=SERVICE),),
    produces=("heart_rate_ecg",),
    may_send=(),
    title="Heart rate strap",
)

CONVERSATION: Final = Conversation(
    required=(MEASUREMENT,), first_value_s=60.0, linger_s=30.0
)

NO_CONTACT: Final = "sensor-off"
NO_RATE: Final = "no-heart-rate"


class _Decoder:
    def __init__(self, ctx: DriverContext) -> None:
        self._ctx = ctx
        self._thinner = Thinner(
            number(ctx.quirks, "continuous_interval_s", CONTINUOUS_INTERVAL_S)
        )

    def decode(self, received: Received) -> list[DriverEvent]:
        record = HeartRateMeasurement.from_bytes(received.data)
        flags: tuple[str, ...] = ()
        if record.contact is False:
            flags += (NO_CONTACT,)
        if record.heart_rate == 0:
            flags += (NO_RATE,)  # straps send 0 until they have found the rhythm
        reading = Reading(
            kind="heart_rate_ecg",
            components=(
                present("heart_rate_ecg", record.heart_rate)
                if record.heart_rate
                else missing("heart_rate_ecg", Absent.NOT_A_NUMBER),
            ),
            raw=received.data,
            received_at=received.at,
            flags=flags,
            context={"modality": "continuous"},
            invalid=bool(flags),
        )
        due = self._thinner.offer(reading, self._ctx.monotonic())
        if reading.invalid:
            return [*due]
        rate = reading.components[0].quantity
        return [
            Live(name="heart_rate_ecg", value=str(rate.value), unit=rate.unit),
            *due,
        ]

    def finish(self) -> list[DriverEvent]:
        return [*self._thinner.flush()]


class HeartRateDriver:
    """See the module's description."""

    spec = SPEC

    def run(self, link: GattLink, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        """One connection."""

        def decoder(_clock: DeviceClock) -> _Decoder:
            return _Decoder(ctx)

        return converse(link, ctx, CONVERSATION, decoder)
