"""Plain bleak against one peripheral."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from bleak import BleakClient, BleakScanner
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner

from simulators.ble_backend import backends_for
from simulators.radio.peripheral import SimulatedPeripheral
from simulators.radio.virtual_radio import VirtualRadio


class Received:
    """Values of subscribed characteristics, in order: (short UUID, octets)."""

    def __init__(self) -> None:
        self.values: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def subscribe(self, client: BleakClient, *shorts: str) -> None:
        for short in shorts:

            def keep(_sender: object, data: bytearray, short: str = short) -> None:
                self.values.put_nowait((short, bytes(data)))

            await client.start_notify(short, keep)

    async def next(self) -> tuple[str, bytes]:
        async with asyncio.timeout(5):
            return await self.values.get()


@dataclass
class Bench:
    """A radio with a central, and a time of its own."""

    radio: VirtualRadio
    time: datetime
    scanner: type[BaseBleakScanner]
    client: type[BaseBleakClient]

    @classmethod
    async def on(cls, radio: VirtualRadio, time: datetime) -> Self:
        scanner, client = backends_for(await radio.central())
        return cls(radio, time, scanner, client)

    def now(self) -> datetime:
        return self.time

    @contextlib.asynccontextmanager
    async def connected(
        self, peripheral: SimulatedPeripheral, *, pair: bool = False
    ) -> AsyncIterator[BleakClient]:
        device = await BleakScanner.find_device_by_name(
            peripheral.identity.name, timeout=5, backend=self.scanner
        )
        assert device is not None, "it does not advertise"
        async with BleakClient(
            device, backend=self.client, pair=pair, timeout=5
        ) as client:
            yield client

    async def visible(self, peripheral: SimulatedPeripheral) -> bool:
        found = await BleakScanner.find_device_by_name(
            peripheral.identity.name, timeout=0.4, backend=self.scanner
        )
        return found is not None


async def until(condition: object) -> None:
    """Wait for a callable to be true."""
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)
