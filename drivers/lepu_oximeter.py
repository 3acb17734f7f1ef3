"""Lepu fingertip oximeters PC-60FW, PC-60NW, KS-60FW, OxySmart over BLE.

A vendor's protocol on the Nordic UART service, which countless devices share: only the
advertised name tells them apart. Nothing is ever sent; values flow on subscription.

Source: ``firmware_protocols.lepu.oximeter``.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final

from drivers.device_clock import DeviceClock
from drivers.gatt_session import Conversation, converse
from drivers.lepu_readings import spo2_components
from drivers.lepu_streams import PlethStream
from drivers.quirk_values import number
from drivers.thinning import CONTINUOUS_INTERVAL_S, Thinner
from firmware_protocols.errors import ProtocolError
from firmware_protocols.lepu.aa55 import Aa55Framer, Event, Frame
from firmware_protocols.lepu.oximeter import (
    MAX_BATTERY_LEVEL,
    PLETH_HZ,
    DeviceRecord,
    Pleth,
    Spo2,
    decode_device,
)
from firmware_protocols.lepu.oximeter import Battery as BatteryRecord
from firmware_protocols.lepu.record import Unknown
from gateway.ports.devices import (
    Battery,
    Condition,
    DriverContext,
    DriverEvent,
    DriverSpec,
    GattLink,
    LinkKind,
    Live,
    Match,
    Reading,
    Received,
    Undecodable,
)

NORDIC_UART: Final = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
NOTIFY: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

SPEC: Final = DriverSpec(
    name="lepu_oximeter",
    version=1,
    link=LinkKind.GATT,
    matches=(Match(service=NORDIC_UART, name=r"PC-60|KS-60|OxySmart"),),
    produces=("spo2", "pleth_waveform"),
    may_send=(),
    title="Fingertip oximeter (Lepu)",
)

CONVERSATION: Final = Conversation(
    required=(NOTIFY,), first_value_s=30.0, linger_s=15.0
)

PROBE_OFF: Final = "probe-off"


class _Decoder:
    def __init__(self, ctx: DriverContext) -> None:
        self._ctx = ctx
        self._framer = Aa55Framer()
        self._pleth = PlethStream(PLETH_HZ)
        self._thinner = Thinner(
            number(ctx.quirks, "continuous_interval_s", CONTINUOUS_INTERVAL_S)
        )
        self._probe_off = False
        self._battery: int | None = None

    def decode(self, received: Received) -> list[DriverEvent]:
        events = self._framer.receive(received.data, self._ctx.monotonic())
        return [e for event in events for e in self._take(event, received.at)]

    def finish(self) -> list[DriverEvent]:
        at = self._ctx.now()
        rest = [e for event in self._framer.close() for e in self._take(event, at)]
        return [*rest, *self._thinner.flush()]

    def _take(self, event: Event, at: datetime) -> Iterator[DriverEvent]:
        if not isinstance(event, Frame):
            reason = f"noise: {event.reason}"
            yield Undecodable(raw=event.data, reason=reason, received_at=at)
            return
        try:
            record = decode_device(event)
        except ProtocolError as error:
            yield Undecodable(raw=event.raw, reason=str(error), received_at=at)
            return
        yield from self._events(record, event, at)

    def _events(
        self, record: DeviceRecord, frame: Frame, at: datetime
    ) -> Iterator[DriverEvent]:
        match record:
            case Spo2():
                yield from self._charge(record.battery_level)
                yield from self._saturation(record, frame, at)
            case Pleth():
                if not self._probe_off:
                    yield self._pleth.samples(record.samples, at)
            case BatteryRecord():
                yield from self._charge(record.level)
            case Unknown():
                reason = f"frame {record.token:02X}/{record.type:02X}: unknown"
                yield Undecodable(raw=frame.raw, reason=reason, received_at=at)
            case _:
                return  # what the device is doing

    def _charge(self, level: int) -> Iterator[DriverEvent]:
        if level != self._battery:
            self._battery = level
            yield Battery(percent=min(level, MAX_BATTERY_LEVEL) * 100 // 3)

    def _saturation(
        self, record: Spo2, frame: Frame, at: datetime
    ) -> Iterator[DriverEvent]:
        if record.probe_off is not self._probe_off:
            self._probe_off = record.probe_off
            yield Condition(code=PROBE_OFF, active=record.probe_off)
            yield from self._thinner.flush()
        if record.probe_off or record.spo2_pct is None:
            return
        parts = spo2_components(record.spo2_pct, record.pulse_bpm, record.pi_pct)
        yield Live(name="spo2", value=str(record.spo2_pct), unit="%")
        reading = Reading(
            kind="spo2",
            components=parts,
            raw=frame.raw,
            received_at=at,
            flags=("signal-searching",) if record.searching else (),
            context={"modality": "continuous"},
            questionable=record.searching,
        )
        yield from self._thinner.offer(reading, self._ctx.monotonic())


class LepuOximeterDriver:
    """See the module's description."""

    spec = SPEC

    def run(self, link: GattLink, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        """One connection."""

        def decoder(_clock: DeviceClock) -> _Decoder:
            return _Decoder(ctx)

        return converse(link, ctx, CONVERSATION, decoder)
