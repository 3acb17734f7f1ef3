"""Supervisor, guards and drivers over real links: bleak on a virtual radio, ptys."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal

import pytest

from firmware_protocols.gatt.glucose_codes import Meal
from firmware_protocols.gatt.glucose_context import GlucoseContext
from gateway.clock import SystemClock
from gateway.ports.devices import (
    Bookmark,
    ClockRead,
    Condition,
    Identified,
    LinkKind,
    OperatorCommand,
    Reading,
    Samples,
)
from gateway.registry import Registry
from gateway.station.supervisor import DeviceSupervisor
from gateway.station.supervisor_state import ConfiguredDevice, device_id
from gateway.transports.ble import BleRadio
from gateway.transports.guard import GuardedByteLink, GuardedGattLink, SendGuard
from gateway.transports.serial_link import SerialOpener
from gateway.transports.serial_ports import SerialPorts
from simulators.ble_backend import backends_for
from simulators.kiosk_board import KioskBoard
from simulators.pty_port import serve_on_pty
from simulators.radio.attributes import Need
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.blood_pressure import SimulatedCuff
from simulators.radio.glucose import SimulatedMeter
from simulators.radio.heart_rate import SimulatedStrap
from simulators.radio.pulse_oximeter import SimulatedOximeter
from simulators.radio.thermometer import SimulatedThermometer
from simulators.radio.virtual_radio import VirtualRadio
from simulators.radio.weight_scale import SimulatedScale
from tests.drivers.peers import ZONE, E, of
from tests.station.supervised import FakePipeline

CLOCK = SystemClock()
PATIENCE_S = 30.0  # a hang is a failure; nothing here is about speed


def local_now() -> datetime:
    return CLOCK.now().astimezone(ZONE)


class Pipeline(FakePipeline):
    """Remembers bookmarks as the real one does."""

    async def take(self, source, event) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - as the base
        await super().take(source, event)
        if isinstance(event, Bookmark):
            self.marks.setdefault(source.device, {})[event.key] = event.value

    def of(self, kind: type[E]) -> list[E]:
        return of(self.events, kind)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                await asyncio.sleep(0.02)

    async def readings(self, count: int) -> list[Reading]:
        await self.until(lambda: len(self.of(Reading)) >= count)
        return self.of(Reading)


def supervise(
    pipeline: Pipeline,
    *,
    radio: BleRadio | None = None,
    ports: SerialPorts | None = None,
    configured: Sequence[ConfiguredDevice] = (),
) -> DeviceSupervisor:
    return DeviceSupervisor(
        registry=Registry(),
        sink=pipeline,
        bookmarks=pipeline,
        clock=CLOCK,
        zone=ZONE,
        station="st-1",
        guard_gatt=lambda link, spec: GuardedGattLink(
            link, SendGuard(spec, clock=CLOCK)
        ),
        guard_bytes=lambda link, spec: GuardedByteLink(
            link, SendGuard(spec, clock=CLOCK)
        ),
        radio=radio,
        ports=ports,
        open_port=SerialOpener(clock=CLOCK),
        configured=configured,
        rng=random.Random(3),  # noqa: S311 - jitter
    )


@asynccontextmanager
async def running(*parts: BleRadio | DeviceSupervisor) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
async def air() -> AsyncIterator[VirtualRadio]:
    async with VirtualRadio() as virtual:
        yield virtual


async def radio_in(air: VirtualRadio) -> BleRadio:
    scanner, client = backends_for(await air.central())
    return BleRadio(clock=CLOCK, scanner_backend=scanner, client_backend=client)


def named(name: str, number: int) -> Identity:
    return Identity(name=name, model=name, serial=f"EX-{number:06d}")


async def test_a_cuff_with_a_wrong_clock_and_stored_readings(
    air: VirtualRadio, pipeline: Pipeline
) -> None:
    cuff = SimulatedCuff(
        named("EX-CUFF", 1),
        now=local_now,
        clock_offset_s=-7200,
        behaviour=Behaviour(idle_disconnect_s=5.0),
    )
    await air.add(cuff)
    sent = [await cuff.measure(systolic=140 + n, diastolic=90) for n in range(3)]
    radio = await radio_in(air)
    supervisor = supervise(pipeline, radio=radio)
    async with running(radio, supervisor):
        found = await pipeline.readings(3)
        await pipeline.until(lambda: len(pipeline.of(ClockRead)) == 2)
    assert [r.raw for r in found] == sent
    assert isinstance(pipeline.events[0], Identified)
    expected = device_id("Example Devices", "EX-CUFF", "EX-000001")
    assert {source.device for source, _ in pipeline.taken} == {expected}
    before, after = pipeline.of(ClockRead)
    assert after.was_set
    assert before.device_time is not None
    assert after.device_time is not None
    moved = (after.device_time - before.device_time).total_seconds()
    assert moved == pytest.approx(7200, abs=60)
    assert pipeline.of(Condition) == []


async def test_a_bonded_meter_is_read_once_and_then_from_where_it_was(
    air: VirtualRadio, pipeline: Pipeline
) -> None:
    meter = SimulatedMeter(
        now=local_now,
        need=Need.ENCRYPTION,
        behaviour=Behaviour(idle_disconnect_s=1.0),
    )
    await air.add(meter)
    fasting = GlucoseContext(sequence_number=0, meal=Meal(Meal.FASTING))
    await meter.measure(concentration=Decimal("0.0062"), context=fasting)
    await meter.measure(concentration=Decimal("0.0110"))
    radio = await radio_in(air)
    config = ConfiguredDevice(
        key="meter-1",
        link=LinkKind.GATT,
        name="EX-GLUCO",
        quirks={"cool_down_s": 0.2},
    )
    supervisor = supervise(pipeline, radio=radio, configured=[config])
    async with running(radio, supervisor):
        await pipeline.readings(2)
        await pipeline.until(lambda: len(pipeline.of(Bookmark)) == 1)
        await pipeline.until(lambda: not meter.connected)
        await meter.measure(concentration=Decimal("0.0300"))
        found = await pipeline.readings(3)
    # The first waited for its context, which this meter sends after the second.
    assert [(r.sequence, r.kind) for r in found] == [
        (2, "glucose_capillary"),
        (1, "glucose_fasting"),
        (3, "glucose_capillary"),
    ]
    assert found[1].components[0].quantity.value == Decimal("6.2")
    # Nothing was deleted: every record is still in the meter.
    assert len(meter.records) == 3


async def test_all_families_at_once(air: VirtualRadio, pipeline: Pipeline) -> None:
    stays = Behaviour(idle_disconnect_s=None, stays_on=True)
    cuff = SimulatedCuff(named("EX-CUFF", 1), now=local_now)
    oximeter = SimulatedOximeter(named("EX-OXI", 2), now=local_now, behaviour=stays)
    thermometer = SimulatedThermometer(named("EX-TEMP", 3), now=local_now)
    scale = SimulatedScale(named("EX-SCALE", 4), now=local_now)
    strap = SimulatedStrap(named("EX-STRAP", 5), behaviour=stays)
    await air.add(cuff, oximeter, thermometer, scale, strap)
    await cuff.measure(systolic=128, diastolic=82)
    await thermometer.measure(temperature=Decimal("36.8"))
    await scale.measure(weight=Decimal("71.405"))
    radio = await radio_in(air)
    supervisor = supervise(pipeline, radio=radio)

    async def wear() -> None:
        while True:
            await oximeter.stream(spo2=97, pulse_rate=66)
            await strap.beat(heart_rate=67)
            await asyncio.sleep(0.05)

    wearing = asyncio.create_task(wear())
    try:
        async with running(radio, supervisor):
            wanted = {
                "blood_pressure_panel",
                "spo2",
                "body_temperature_tympanic",
                "body_weight",
                "heart_rate_ecg",
            }

            await pipeline.until(
                lambda: wanted <= {reading.kind for reading in pipeline.of(Reading)}
            )
            states = {s.name.split()[-1]: s.state for s in supervisor.statuses()}
            assert states["EX-OXI"] == "connected"
    finally:
        wearing.cancel()
        await asyncio.gather(wearing, return_exceptions=True)
    assert len({source.device for source, _ in pipeline.taken}) == 5


async def test_a_cuff_that_drops_the_link_in_mid_burst(
    air: VirtualRadio, pipeline: Pipeline
) -> None:
    cuff = SimulatedCuff(
        now=local_now, behaviour=Behaviour(drop_after_values=2, idle_disconnect_s=2.0)
    )
    await air.add(cuff)
    sent = [await cuff.measure(systolic=120 + n, diastolic=80) for n in range(5)]
    radio = await radio_in(air)
    config = ConfiguredDevice(
        key="cuff-1", link=LinkKind.GATT, name="EX-CUFF", quirks={"cool_down_s": 0.2}
    )
    supervisor = supervise(pipeline, radio=radio, configured=[config])
    async with running(radio, supervisor):
        await pipeline.until(lambda: {r.raw for r in pipeline.of(Reading)} == set(sent))


async def test_a_kiosk_board_on_a_port(pipeline: Pipeline) -> None:
    board = KioskBoard(serial="0000077")
    async with serve_on_pty(board, speed=20.0) as port:
        supervisor = supervise(
            pipeline,
            ports=SerialPorts(
                clock=CLOCK,
                configured=(port.path,),
                interval_s=0.1,
                only_configured=True,
            ),
            configured=[
                ConfiguredDevice(
                    key="kiosk-1",
                    link=LinkKind.BYTES,
                    driver="lepu_kiosk",
                    address=port.path,
                )
            ],
        )
        async with running(supervisor):
            device = device_id("", "PC-300SNT", "0000077")
            await pipeline.until(
                lambda: any(s.id == device for s in supervisor.statuses())
            )
            supervisor.command(
                device, OperatorCommand(name="start-blood-pressure", by="operator-1")
            )
            (pressure,) = await pipeline.readings(1)
            assert pressure.components[0].quantity.value == 124
            port.act(board.record_ecg, port.now(), seconds=10)
            await pipeline.until(lambda: len(pipeline.of(Reading)) >= 2)
            waves = [s for s in pipeline.of(Samples) if s.kind.startswith("ecg")]
            await pipeline.until(lambda: any(s.final for s in pipeline.of(Samples)))
            assert sum(len(s.counts) for s in waves) == 1500
            port.unplug()
            await pipeline.until(
                lambda: supervisor.statuses()[0].reason in ("unplugged", "link-closed")
            )
