"""A room with a radio in it: real bleak, bumble underneath."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bumble.device import Device

from gateway.clock import SystemClock
from gateway.ports.devices import Condition
from gateway.transports.ble import BleRadio, RadioLimits, Sighting
from simulators.ble_backend import backends_for
from simulators.radio.pairing import AskPasskey
from simulators.radio.virtual_radio import VirtualRadio

# Deadlines short enough for tests of deadlines, long enough for two busy cores.
QUICK = RadioLimits(
    operation_s=2.0,
    connect_s=5.0,
    connect_attempts=1,
    stop_notify_s=0.5,
    disconnect_s=0.5,
    pair_s=5.0,
)


@dataclass
class Room:
    """A virtual radio and the station's own radio on it."""

    virtual: VirtualRadio
    clock: SystemClock = field(default_factory=SystemClock)
    conditions: list[Condition] = field(default_factory=list)
    central: Device | None = None

    async def radio(
        self,
        *,
        limits: RadioLimits = QUICK,
        ask_passkey: AskPasskey | None = None,
    ) -> BleRadio:
        self.central = await self.virtual.central(ask_passkey=ask_passkey)
        scanner, client = backends_for(self.central)
        return BleRadio(
            clock=self.clock,
            scanner_backend=scanner,
            client_backend=client,
            limits=limits,
            on_condition=self.conditions.append,
        )


async def sighting_of(radio: BleRadio, name: str) -> Sighting:
    async with asyncio.timeout(5):
        async for sighting in radio.sightings():
            if sighting.peer.name == name:
                return sighting
    raise AssertionError("sightings never end")


@contextlib.asynccontextmanager
async def running(radio: BleRadio) -> AsyncIterator[BleRadio]:
    task = asyncio.create_task(radio.run())
    try:
        yield radio
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def uuid(short: int) -> str:
    return f"0000{short:04x}-0000-1000-8000-00805f9b34fb"
