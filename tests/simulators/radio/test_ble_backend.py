"""The backend behaves as bleak documents it."""

import asyncio

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import (
    BleakCharacteristicNotFoundError,
    BleakDeviceNotFoundError,
    BleakError,
)

from simulators.radio.heart_rate import SimulatedStrap
from tests.simulators.radio.bench import Bench, Received, until
from tests.transports.room import uuid


async def worn(bench: Bench) -> SimulatedStrap:
    strap = SimulatedStrap()
    await bench.radio.add(strap)
    await strap.wear()
    return strap


async def test_two_scanners_share_the_radio_and_stop_apart(bench: Bench) -> None:
    await worn(bench)
    one, two = asyncio.Event(), asyncio.Event()
    first = BleakScanner(lambda _device, _data: one.set(), backend=bench.scanner)
    second = BleakScanner(lambda _device, _data: two.set(), backend=bench.scanner)
    await first.start()
    await second.start()
    async with asyncio.timeout(5):
        await one.wait()
        await first.stop()
        two.clear()
        await two.wait()
        one.clear()
    await asyncio.sleep(0.3)
    assert not one.is_set()
    await second.stop()


async def test_a_filter_on_services(bench: Bench) -> None:
    await worn(bench)
    found = await BleakScanner.discover(
        timeout=0.4, service_uuids=[uuid(0x180D)], backend=bench.scanner
    )
    assert [device.name for device in found] == ["EX-STRAP"]
    assert not await BleakScanner.discover(
        timeout=0.3, service_uuids=[uuid(0x1810)], backend=bench.scanner
    )


async def test_an_address_alone_is_looked_for(bench: Bench) -> None:
    strap = await worn(bench)
    async with BleakClient(
        "c0:de:00:00:00:01", backend=bench.client, timeout=5
    ) as client:
        assert client.is_connected
        assert client.name == strap.identity.name
        assert client.mtu_size == 247
        assert client.backend_id == "BumbleClient"
    with pytest.raises(BleakDeviceNotFoundError):
        await BleakClient(
            "C0:DE:00:00:00:99", backend=bench.client, timeout=0.3
        ).connect()


async def test_what_is_not_there_and_what_cannot_be_done(bench: Bench) -> None:
    strap = await worn(bench)
    async with bench.connected(strap) as client:
        with pytest.raises(BleakCharacteristicNotFoundError):
            await client.read_gatt_char("2a99")
        with pytest.raises(BleakError, match="already connected"):
            await client.connect()
    with pytest.raises(BleakError):
        await client.read_gatt_char("2a38")
    assert not client.is_connected
    await client.disconnect()


async def test_the_disconnected_callback_comes_once_and_the_client_can_go_again(
    bench: Bench,
) -> None:
    strap = await worn(bench)
    device = await BleakScanner.find_device_by_name(
        "EX-STRAP", timeout=5, backend=bench.scanner
    )
    assert device is not None
    told: list[BleakClient] = []
    client = BleakClient(device, told.append, backend=bench.client, timeout=5)
    for times in (1, 2):
        await client.connect()
        await strap.drop_link()
        await until(lambda times=times: len(told) == times)
    assert told == [client, client]


async def test_unsubscribing_stops_the_values(bench: Bench) -> None:
    strap = await worn(bench)
    got = Received()
    async with bench.connected(strap) as client:
        await got.subscribe(client, "2a37")
        assert await strap.beat(heart_rate=60)
        await got.next()
        await client.stop_notify("2a37")
        assert not await strap.beat(heart_rate=61)
        assert got.values.empty()


async def test_a_cancelled_connect_leaves_the_radio_free(bench: Bench) -> None:
    strap = await worn(bench)
    device = await BleakScanner.find_device_by_name(
        "EX-STRAP", timeout=5, backend=bench.scanner
    )
    assert device is not None
    await strap.wear(worn=False)
    connecting = asyncio.create_task(
        BleakClient(device, backend=bench.client, timeout=30).connect()
    )
    await asyncio.sleep(0.1)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    await strap.wear()
    async with bench.connected(strap) as client:
        assert client.is_connected
