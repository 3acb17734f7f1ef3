"""Thermometers with the Bluetooth SIG service 0x1809.

The site decides the kind: armpit, ear and mouth have kinds (and normal ranges) of
their own, everything else is a body temperature with its site in the context. A finger
or toe is no body temperature for judging: it is marked questionable.

Source: Bluetooth SIG Health Thermometer Service 1.0, sections 3.1 to 3.3.
"""

from collections.abc import AsyncIterator
from typing import Final

from drivers.device_clock import MAY_SET_CLOCK, DeviceClock, read_stamp
from drivers.gatt_session import Conversation, converse
from drivers.quantities import celsius_from_fahrenheit, from_number
from firmware_protocols.errors import ProtocolError
from firmware_protocols.gatt.thermometer import (
    StaticTemperatureType,
    TemperatureMeasurement,
    TemperatureType,
    TemperatureUnit,
)
from firmware_protocols.ieee11073.floats import Special
from gateway.errors import LinkError
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

SERVICE: Final = "00001809-0000-1000-8000-00805f9b34fb"
MEASUREMENT: Final = "00002a1c-0000-1000-8000-00805f9b34fb"
INTERMEDIATE: Final = "00002a1e-0000-1000-8000-00805f9b34fb"
STATIC_TYPE: Final = "00002a1d-0000-1000-8000-00805f9b34fb"

SPEC: Final = DriverSpec(
    name="thermometer",
    version=1,
    link=LinkKind.GATT,
    matches=(Match(service=SERVICE),),
    produces=(
        "body_temperature",
        "body_temperature_axillary",
        "body_temperature_tympanic",
        "body_temperature_oral",
    ),
    may_send=MAY_SET_CLOCK,
    title="Thermometer",
)

CONVERSATION: Final = Conversation(
    required=(MEASUREMENT,),
    optional=(INTERMEDIATE,),
    first_value_s=120.0,
    linger_s=10.0,
)

_KINDS: Final = {
    TemperatureType.ARMPIT: "body_temperature_axillary",
    TemperatureType.EAR: "body_temperature_tympanic",
    TemperatureType.TYMPANUM: "body_temperature_tympanic",
    TemperatureType.MOUTH: "body_temperature_oral",
}
_PERIPHERAL: Final = (TemperatureType.FINGER, TemperatureType.TOE)

MEASUREMENT_FAILED: Final = "measurement-failed"


class _Decoder:
    def __init__(self, clock: DeviceClock, site: "_StaticSite") -> None:
        self._clock = clock
        self._site = site

    def decode(self, received: Received) -> list[DriverEvent]:
        record = TemperatureMeasurement.from_bytes(received.data)
        site = record.temperature_type or self._site.value
        kind = "body_temperature" if site is None else _kind(site)
        fahrenheit = record.unit is TemperatureUnit.FAHRENHEIT
        component = from_number(
            kind, record.temperature, celsius_from_fahrenheit if fahrenheit else None
        )
        value = component.quantity
        if received.channel == INTERMEDIATE:
            if value.value is None:
                return []  # nothing to show yet
            return [Live(name=kind, value=str(value.value), unit=value.unit)]
        stamp = read_stamp(record.timestamp)
        failed = isinstance(record.temperature, Special)
        return [
            Reading(
                kind=kind,
                components=(component,),
                raw=received.data,
                received_at=received.at,
                device_time=stamp.time,
                flags=(*stamp.flags, MEASUREMENT_FAILED) if failed else stamp.flags,
                context=dict(stamp.context)
                | ({} if site is None else {"site": site.label.replace("_", "-")}),
                invalid=failed,
                questionable=site in _PERIPHERAL,
                stored=self._clock.is_stored(stamp.time),
            )
        ]

    def finish(self) -> list[DriverEvent]:
        return []


def _kind(site: TemperatureType) -> str:
    return _KINDS.get(int(site), "body_temperature")


class _StaticSite:
    """2A1D: the site of a thermometer that is made for one place of the body."""

    def __init__(self) -> None:
        self.value: TemperatureType | None = None

    async def read(self, link: GattLink) -> None:
        if not link.has(STATIC_TYPE):
            return
        try:
            value = await link.read(STATIC_TYPE)
            self.value = StaticTemperatureType.from_bytes(value).temperature_type
        except (LinkError, ProtocolError):
            return  # the site stays unknown; the readings are taken all the same


class ThermometerDriver:
    """See the module's description."""

    spec = SPEC

    async def run(
        self, link: GattLink, ctx: DriverContext
    ) -> AsyncIterator[DriverEvent]:
        """One connection."""
        site = _StaticSite()
        known = False
        async for event in converse(
            link, ctx, CONVERSATION, lambda clock: _Decoder(clock, site)
        ):
            yield event
            if not known:
                # After the subscriptions, before the first value is decoded.
                known = True
                await site.read(link)
