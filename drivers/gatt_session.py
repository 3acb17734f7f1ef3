"""The order of a BLE conversation, the same for all Bluetooth SIG health services.

::

    subscribe (indications first, within a second of connecting)
    -> Identified, Battery, ClockRead -> readings -> quiet: set the clock -> linger

Peripherals close the link themselves after the last value: that is the normal end. A
device that closes early, while it is still being identified, has its queued values
decoded all the same.

Source: order and waits from Bluetooth SIG service specifications and field reports
(Bluetooth developer quirks collected in ``docs/devices``).
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from drivers.device_clock import DeviceClock
from drivers.quirk_values import number
from firmware_protocols.errors import ProtocolError
from firmware_protocols.gatt.battery import BatteryLevel
from firmware_protocols.gatt.device_information import DeviceText
from gateway.errors import LinkClosedError, LinkError
from gateway.ports.devices import (
    Battery,
    Condition,
    DriverContext,
    DriverEvent,
    GattLink,
    Identified,
    Received,
    Undecodable,
)

MANUFACTURER: Final = "00002a29-0000-1000-8000-00805f9b34fb"
MODEL: Final = "00002a24-0000-1000-8000-00805f9b34fb"
SERIAL: Final = "00002a25-0000-1000-8000-00805f9b34fb"
FIRMWARE: Final = "00002a26-0000-1000-8000-00805f9b34fb"
HARDWARE: Final = "00002a27-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL: Final = "00002a19-0000-1000-8000-00805f9b34fb"

MAX_TEXT: Final = 64
"""Characters kept of a device information string: real ones have under 32."""

DRAIN_QUIET_S: Final = 2.0
"""Silence after which stored readings count as drained (values of a burst follow each
other within a connection interval; collectors in the field wait 2 s)."""

MAX_LOOP_WAIT_S: Final = 1.0
"""Longest single wait for a value, so that waits are measured on the driver's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What a family subscribes to and how long it waits.

    Attributes:
        required: characteristics of which at least one must be there; first in order.
        optional: subscribed too when they are there.
        first_value_s: how long to wait for a first value.
        linger_s: how long to wait for another one; quirk ``linger_s`` overrides it.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    first_value_s: float
    linger_s: float


class Decoder(Protocol):
    """A family's mapping of values to events, with the state of one connection."""

    def decode(self, received: Received) -> list[DriverEvent]:
        """The events of a value.

        Raises:
            ProtocolError: no decoder accepts it.
        """

    def finish(self) -> list[DriverEvent]:
        """What is held back when the connection ends."""


async def subscribe(link: GattLink, conversation: Conversation) -> Condition | None:
    """Subscribe in order; a condition when the device lacks the service.

    Raises:
        LinkError: the link is gone, or a required subscription is refused.
    """
    offered = [uuid for uuid in conversation.required if link.has(uuid)]
    if not offered:
        return Condition(
            code="service-missing", detail="The device lacks the health service."
        )
    for uuid in offered:
        await link.subscribe(uuid)
    for uuid in conversation.optional:
        if link.has(uuid):
            try:
                await link.subscribe(uuid)
            except LinkClosedError:
                raise
            except LinkError:
                return Condition(
                    code="subscription-refused", detail=f"Characteristic {uuid[4:8]}."
                )
    return None


async def identify(link: GattLink) -> Identified:
    """Device information, as much as the link gives before it closes."""
    texts: dict[str, str] = {}
    for uuid in (MODEL, SERIAL, MANUFACTURER, FIRMWARE, HARDWARE):
        if not link.has(uuid):
            continue
        try:
            value = await link.read(uuid)
        except LinkClosedError:
            break
        except LinkError:
            continue
        text = "".join(c for c in DeviceText.from_bytes(value).text if c.isprintable())
        texts[uuid] = text.strip()[:MAX_TEXT]
    return Identified(
        manufacturer=texts.get(MANUFACTURER, ""),
        model=texts.get(MODEL, ""),
        serial=texts.get(SERIAL, ""),
        firmware=texts.get(FIRMWARE, ""),
        hardware=texts.get(HARDWARE, ""),
    )


async def read_battery(link: GattLink) -> Battery | None:
    """Battery level; None when there is none or it is no percentage."""
    if not link.has(BATTERY_LEVEL):
        return None
    try:
        return Battery(
            percent=BatteryLevel.from_bytes(await link.read(BATTERY_LEVEL)).level
        )
    except (LinkError, ProtocolError):
        return None


async def introduce(link: GattLink, clock: DeviceClock) -> AsyncIterator[DriverEvent]:
    """Identified, then ClockRead and Battery where the device has them.

    With the quirk ``set_clock = "on-connect"`` the clock is set here.
    """
    yield await identify(link)
    try:
        read = await clock.read()
        if read is not None:
            yield read
        for event in await clock.connected():
            yield event
    except LinkClosedError:
        return  # its values are still to be taken
    battery = await read_battery(link)
    if battery is not None:
        yield battery


def decoded(decoder: Decoder, received: Received) -> Iterator[DriverEvent]:
    """The events of a value; what cannot be decoded is an event too."""
    try:
        events = decoder.decode(received)
    except ProtocolError as error:
        yield Undecodable(
            raw=received.data,
            reason=str(error),
            received_at=received.at,
            channel=received.channel,
        )
        return
    yield from events


async def converse(
    link: GattLink,
    ctx: DriverContext,
    conversation: Conversation,
    make_decoder: Callable[[DeviceClock], Decoder],
) -> AsyncIterator[DriverEvent]:
    """A whole connection of a family that only listens.

    Raises:
        LinkError: a required subscription failed, or the peer stopped answering.
    """
    lacking = await subscribe(link, conversation)
    if lacking is not None:
        yield lacking
        if lacking.code == "service-missing":
            return
    clock = DeviceClock(link, ctx)
    async for event in introduce(link, clock):
        yield event
    decoder = make_decoder(clock)
    try:
        async for event in _values(link, ctx, conversation, decoder, clock):
            yield event
    except LinkClosedError:
        pass
    for event in decoder.finish():
        yield event
    for event in clock.announcement():
        yield event


async def _values(
    link: GattLink,
    ctx: DriverContext,
    conversation: Conversation,
    decoder: Decoder,
    clock: DeviceClock,
) -> AsyncIterator[DriverEvent]:
    """Values until the device falls silent; the clock is set on the way."""
    last = ctx.monotonic()
    heard = False
    while True:
        quiet = ctx.monotonic() - last
        if quiet >= DRAIN_QUIET_S:
            for event in await clock.quiet():
                yield event
        linger = number(ctx.quirks, "linger_s", conversation.linger_s)
        limit = linger if heard else max(linger, conversation.first_value_s)
        if quiet >= limit:
            return
        received = await link.receive(min(MAX_LOOP_WAIT_S, limit - quiet))
        if received is None:
            continue
        for event in decoded(decoder, received):
            yield event
        if not heard:
            heard = True
            for event in await clock.first_value():
                yield event
        last = ctx.monotonic()
