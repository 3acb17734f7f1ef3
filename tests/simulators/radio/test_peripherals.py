"""Each family over the air, decoded by the codecs; the clock, and going to sleep."""

from decimal import Decimal

import pytest
from bleak.exc import BleakGATTProtocolError

from firmware_protocols.gatt.blood_pressure import (
    BEURER,
    BloodPressureMeasurement,
    IntermediateCuffPressure,
)
from firmware_protocols.gatt.current_time import CurrentTime
from firmware_protocols.gatt.date_time import DateTime, DateTimeValue
from firmware_protocols.gatt.heart_rate import HeartRateMeasurement
from firmware_protocols.gatt.pulse_oximeter import (
    ContinuousMeasurement,
    OximeterDeviceStatus,
    OximeterFeature,
    SpotCheckMeasurement,
)
from firmware_protocols.gatt.thermometer import (
    TemperatureMeasurement,
    TemperatureType,
    TemperatureUnit,
)
from firmware_protocols.gatt.weight_scale import WeightMeasurement, WeightUnits
from firmware_protocols.ieee11073.floats import Special
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.blood_pressure import SimulatedCuff
from simulators.radio.clock_service import ClockKind
from simulators.radio.heart_rate import SimulatedStrap
from simulators.radio.pulse_oximeter import SimulatedOximeter
from simulators.radio.stored import MEMORY
from simulators.radio.thermometer import SimulatedThermometer
from simulators.radio.weight_scale import SimulatedScale
from tests.simulators.radio.bench import Bench, Received, until


async def test_a_cuff_is_silent_until_it_has_measured_and_after_it_has_told(
    bench: Bench,
) -> None:
    cuff = SimulatedCuff(now=bench.now, behaviour=Behaviour(idle_disconnect_s=0.2))
    await bench.radio.add(cuff)
    assert not await bench.visible(cuff)
    await cuff.measure(systolic=141, diastolic=88, mean_arterial=105)
    got = Received()
    async with bench.connected(cuff) as client:
        await got.subscribe(client, "2a35")
        _, value = await got.next()
        await until(lambda: not client.is_connected)
    record = BloodPressureMeasurement.from_bytes(value)
    assert (record.systolic, record.diastolic) == (Decimal(141), Decimal(88))
    assert record.timestamp == DateTime.from_datetime(bench.time)
    assert not await bench.visible(cuff)


async def test_a_failed_measurement_is_nan_throughout(bench: Bench) -> None:
    cuff = SimulatedCuff(now=bench.now)
    record = BloodPressureMeasurement.from_bytes(await cuff.fail())
    assert {record.systolic, record.diastolic, record.pulse_rate} == {Special.NAN}


async def test_a_beurer_cuff_sends_its_own_layout(bench: Bench) -> None:
    cuff = SimulatedCuff(now=bench.now, layout=BEURER)
    value = await cuff.measure(systolic=120, diastolic=80, pulse_rate=65, user_id=1)
    record = BloodPressureMeasurement.from_bytes(value, layout=BEURER)
    assert (record.pulse_rate, record.user_id) == (Decimal(65), 1)


async def test_the_live_pressure_needs_a_listener(bench: Bench) -> None:
    cuff = SimulatedCuff(now=bench.now)
    await bench.radio.add(cuff)
    assert await cuff.inflate((20, 40)) == 0
    await cuff.measure(systolic=120, diastolic=80)
    got = Received()
    async with bench.connected(cuff) as client:
        await got.subscribe(client, "2a36")
        assert await cuff.inflate((20, 40)) == 2
        frames = [IntermediateCuffPressure.from_bytes((await got.next())[1])] * 1
        frames.append(IntermediateCuffPressure.from_bytes((await got.next())[1]))
    assert [frame.cuff_pressure for frame in frames] == [Decimal(20), Decimal(40)]


async def test_a_full_memory_overwrites_the_oldest(bench: Bench) -> None:
    cuff = SimulatedCuff(now=bench.now)
    values = [
        await cuff.measure(systolic=100 + n % 50, diastolic=60, user_id=n % 200)
        for n in range(MEMORY + 5)
    ]
    assert list(cuff.stored) == values[5:]


async def test_a_clock_is_wrong_until_it_is_set(bench: Bench) -> None:
    cuff = SimulatedCuff(now=bench.now, clock_offset_s=-3600)
    await bench.radio.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    right = CurrentTime.from_bytes(
        DateTime.from_datetime(bench.time).to_bytes() + bytes(3)
    )
    async with bench.connected(cuff) as client:
        time = CurrentTime.from_bytes(await client.read_gatt_char("2a2b")).date_time
        assert (time.hours, time.minutes) == (8, 30)
        await client.write_gatt_char("2a2b", right.to_bytes(), response=True)
        time = CurrentTime.from_bytes(await client.read_gatt_char("2a2b")).date_time
        assert time == DateTime.from_datetime(bench.time)
        with pytest.raises(BleakGATTProtocolError) as refused:
            await client.write_gatt_char("2a2b", b"\1\2\3", response=True)
        assert refused.value.code == 0x80
    assert cuff.clock.settings == [right.date_time]


async def test_a_clock_never_set_stamps_zeros(bench: Bench) -> None:
    cuff = SimulatedCuff(now=bench.now, clock_set=False, clock_kind=ClockKind.DATE_TIME)
    await bench.radio.add(cuff)
    value = await cuff.measure(systolic=120, diastolic=80)
    stamp = BloodPressureMeasurement.from_bytes(value).timestamp
    assert stamp is not None
    assert not stamp.is_known
    async with bench.connected(cuff) as client:
        health = client.services.get_service("1810")
        assert health is not None
        assert health.get_characteristic("2a08") is not None
        raw = await client.read_gatt_char("2a08")
        assert DateTimeValue.from_bytes(raw).date_time == stamp
        now = DateTime.from_datetime(bench.time).to_bytes()
        await client.write_gatt_char("2a08", now, response=True)
    assert cuff.clock.read().to_datetime() == bench.time.replace(tzinfo=None)


async def test_an_oximeter_streams_and_stores(bench: Bench) -> None:
    oximeter = SimulatedOximeter(now=bench.now, clock_set=False)
    await bench.radio.add(oximeter)
    await oximeter.spot_check(spo2=97, pulse_rate=61, perfusion=Decimal("4.2"))
    got = Received()
    async with bench.connected(oximeter) as client:
        OximeterFeature.from_bytes(await client.read_gatt_char("2a60"))
        await got.subscribe(client, "2a5e", "2a5f")
        _, spot = await got.next()
        assert await oximeter.stream(spo2=96, pulse_rate=60)
        assert await oximeter.finger_out()
        _, first = await got.next()
        _, second = await got.next()
    check = SpotCheckMeasurement.from_bytes(spot)
    assert (check.spo2, check.clock_not_set) == (Decimal(97), True)
    assert check.pulse_amplitude_index == Decimal("4.2")
    assert ContinuousMeasurement.from_bytes(first).normal.spo2 == Decimal(96)
    out = ContinuousMeasurement.from_bytes(second)
    assert out.normal.spo2 is Special.NAN
    assert out.device_sensor_status is not None
    assert out.device_sensor_status.has(OximeterDeviceStatus.SENSOR_UNCONNECTED_TO_USER)


async def test_a_thermometer_in_fahrenheit_without_the_site(bench: Bench) -> None:
    thermometer = SimulatedThermometer(
        now=bench.now,
        unit=TemperatureUnit.FAHRENHEIT,
        site=TemperatureType.MOUTH,
        site_in_frames=False,
    )
    await bench.radio.add(thermometer)
    await thermometer.measure(temperature=Decimal("98.6"))
    got = Received()
    async with bench.connected(thermometer) as client:
        assert await client.read_gatt_char("2a1d") == bytes([TemperatureType.MOUTH])
        await got.subscribe(client, "2a1e")
        assert await thermometer.show(temperature=Decimal("97.1"))
        assert TemperatureMeasurement.from_bytes(
            (await got.next())[1]
        ).temperature == Decimal("97.1")
        await got.subscribe(client, "2a1c")
        record = TemperatureMeasurement.from_bytes((await got.next())[1])
    assert record.temperature == Decimal("98.6")
    assert record.unit is TemperatureUnit.FAHRENHEIT
    assert record.temperature_type is None


async def test_a_scale_weighs_and_fails_to(bench: Bench) -> None:
    scale = SimulatedScale(now=bench.now, units=WeightUnits.IMPERIAL)
    await bench.radio.add(scale)
    await scale.measure(weight=Decimal("154.32"), user_id=2)
    await scale.measure(weight=None)
    got = Received()
    async with bench.connected(scale) as client:
        await got.subscribe(client, "2a9d")
        first = WeightMeasurement.from_bytes((await got.next())[1])
        second = WeightMeasurement.from_bytes((await got.next())[1])
    assert (first.weight, first.user_id) == (Decimal("154.32"), 2)
    assert second.weight is None


async def test_a_strap_is_on_while_it_is_worn(bench: Bench) -> None:
    strap = SimulatedStrap()
    await bench.radio.add(strap)
    assert not await strap.beat(heart_rate=60)
    await strap.wear()
    got = Received()
    async with bench.connected(strap) as client:
        await got.subscribe(client, "2a37")
        assert await strap.beat(heart_rate=300, rr_intervals=(205,), contact=None)
        record = HeartRateMeasurement.from_bytes((await got.next())[1])
        await strap.wear(worn=False)
        await until(lambda: not client.is_connected)
    assert (record.heart_rate, record.rr_intervals, record.contact) == (
        300,
        (205,),
        None,
    )
    assert not await bench.visible(strap)


async def test_device_information_and_battery(bench: Bench) -> None:
    identity = Identity(name="EX-A", serial="EX-42", firmware="", battery=7)
    strap = SimulatedStrap(identity)
    await bench.radio.add(strap)
    await strap.wear()
    async with bench.connected(strap) as client:
        assert await client.read_gatt_char("2a25") == b"EX-42"
        assert await client.read_gatt_char("2a19") == b"\x07"
        assert client.services.get_characteristic("2a26") is None


async def test_a_name_too_long_for_the_air_is_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match="too long"):
        await bench.radio.add(SimulatedStrap(Identity(name="E" * 30)))
