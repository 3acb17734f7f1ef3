"""A meter's record access, as a client sees it over the air."""

from decimal import Decimal

import pytest
from bleak import BleakClient
from bleak.exc import BleakError, BleakGATTProtocolError

from firmware_protocols.gatt.glucose import GlucoseMeasurement
from firmware_protocols.gatt.glucose_codes import Meal
from firmware_protocols.gatt.glucose_context import GlucoseContext
from firmware_protocols.ieee11073.floats import Special
from simulators.radio.attributes import Need
from simulators.radio.behaviour import Behaviour
from simulators.radio.glucose import SimulatedMeter
from tests.simulators.radio.bench import Bench, Received, until

AFTER_MEAL = GlucoseContext(sequence_number=0, meal=Meal(Meal.POSTPRANDIAL))
DONE, NOTHING = "06000101", "06000106"


async def meter_with(
    bench: Bench, records: int, *, first_sequence: int = 1, interleaved: bool = True
) -> SimulatedMeter:
    meter = SimulatedMeter(
        now=bench.now,
        need=Need.NOTHING,
        first_sequence=first_sequence,
        interleaved=interleaved,
        behaviour=Behaviour(idle_disconnect_s=None),
    )
    await bench.radio.add(meter)
    for n in range(records):
        await meter.measure(
            concentration=Decimal("0.0062"), context=AFTER_MEAL if n % 2 else None
        )
    await meter.wake()
    return meter


async def ask(
    client: BleakClient, got: Received, request: str
) -> list[tuple[str, str]]:
    """Everything up to and with the control point's answer: (UUID, hex)."""
    await client.write_gatt_char("2a52", bytes.fromhex(request), response=True)
    seen: list[tuple[str, str]] = []
    while not seen or seen[-1][0] != "2a52":
        short, data = await got.next()
        seen.append((short, data.hex()))
    return seen


def sequences(seen: list[tuple[str, str]], short: str = "2a18") -> list[int]:
    return [
        int.from_bytes(bytes.fromhex(data)[1:3], "little")
        for uuid, data in seen
        if uuid == short
    ]


async def test_all_records_with_their_contexts_interleaved(bench: Bench) -> None:
    meter = await meter_with(bench, 5)
    got = Received()
    async with bench.connected(meter) as client:
        await got.subscribe(client, "2a18", "2a34", "2a52")
        seen = await ask(client, got, "0101")
    assert sequences(seen) == [1, 2, 3, 4, 5]
    assert sequences(seen, "2a34") == [2, 4]
    order = [uuid for uuid, _ in seen]
    # The context of 2 comes behind measurement 3.
    assert order == ["2a18"] * 3 + ["2a34"] + ["2a18"] * 2 + ["2a34", "2a52"]
    assert seen[-1][1] == DONE
    record = GlucoseMeasurement.from_bytes(bytes.fromhex(seen[1][1]))
    assert record.context_follows
    assert record.mmol_per_l == Decimal("6.2")


async def test_contexts_at_once_when_not_interleaved(bench: Bench) -> None:
    meter = await meter_with(bench, 3, interleaved=False)
    got = Received()
    async with bench.connected(meter) as client:
        await got.subscribe(client, "2a18", "2a34", "2a52")
        seen = await ask(client, got, "0101")
    assert [u for u, _ in seen] == ["2a18", "2a18", "2a34", "2a18", "2a52"]


@pytest.mark.parametrize(
    ("request_hex", "expected"),
    [
        ("0103010400", [4, 5]),
        ("0102010200", [1, 2]),
        ("01040102000300", [2, 3]),
        ("0105", [1]),
        ("0106", [5]),
    ],
)
async def test_the_operators(
    bench: Bench, request_hex: str, expected: list[int]
) -> None:
    meter = await meter_with(bench, 5)
    got = Received()
    async with bench.connected(meter) as client:
        await got.subscribe(client, "2a18", "2a52")
        seen = await ask(client, got, request_hex)
    assert sequences(seen) == expected
    assert seen[-1][1] == DONE


@pytest.mark.parametrize(
    ("request_hex", "answer"),
    [
        ("0103016400", NOTHING),
        ("0401", "05000500"),
        ("040301" + "0400", "05000200"),
        ("0300", "06000301"),
        ("0201", "06000202"),
        ("0901", "06000902"),
        ("01", "06000105"),
    ],
)
async def test_the_answers(bench: Bench, request_hex: str, answer: str) -> None:
    meter = await meter_with(bench, 5)
    got = Received()
    async with bench.connected(meter) as client:
        await got.subscribe(client, "2a18", "2a52")
        assert await ask(client, got, request_hex) == [("2a52", answer)]
    assert len(meter.records) == 5
    assert meter.access.deletions_asked == (request_hex == "0201")


async def test_a_request_before_the_subscriptions_is_refused(bench: Bench) -> None:
    meter = await meter_with(bench, 1)
    async with bench.connected(meter) as client:
        with pytest.raises(BleakGATTProtocolError) as refused:
            await client.write_gatt_char("2a52", b"\x01\x01", response=True)
    assert refused.value.code == 0x81


async def test_a_second_request_while_one_runs_is_refused_and_abort_ends_it(
    bench: Bench,
) -> None:
    meter = await meter_with(bench, 50)
    meter.behaviour.value_delay_s = 0.02
    got = Received()
    async with bench.connected(meter) as client:
        await got.subscribe(client, "2a18", "2a52")
        await client.write_gatt_char("2a52", b"\x01\x01", response=True)
        with pytest.raises(BleakGATTProtocolError) as refused:
            await client.write_gatt_char("2a52", b"\x04\x01", response=True)
        assert refused.value.code == 0x80
        seen = await ask(client, got, "0300")
        assert seen[-1][1] == "06000301"
        assert len(sequences(seen)) < 50


async def test_numbers_begin_again(bench: Bench) -> None:
    meter = await meter_with(bench, 3, first_sequence=65_534)
    assert [r.measurement.sequence_number for r in meter.records] == [65_534, 65_535, 0]


async def test_hi_and_lo_are_infinities(bench: Bench) -> None:
    meter = await meter_with(bench, 0)
    record = await meter.measure(concentration=Special.POSITIVE_INFINITY)
    again = GlucoseMeasurement.from_bytes(record.measurement.to_bytes())
    assert again.sample is not None
    assert again.sample.concentration is Special.POSITIVE_INFINITY


async def test_a_meter_wants_a_bond_for_everything(bench: Bench) -> None:
    meter = SimulatedMeter(now=bench.now)
    await bench.radio.add(meter)
    await meter.measure(concentration=Decimal("0.0062"))
    got = Received()
    async with bench.connected(meter) as client:
        for short in ("2a51", "2a2b"):
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.read_gatt_char(short)
            assert refused.value.code == 0x0F
        with pytest.raises(BleakGATTProtocolError) as refused:
            await got.subscribe(client, "2a18")
        assert refused.value.code == 0x0F
        await client.pair()
        await got.subscribe(client, "2a18", "2a52")
        assert sequences(await ask(client, got, "0101")) == [1]


async def test_a_lost_bond_keeps_the_old_keys_out(bench: Bench) -> None:
    meter = SimulatedMeter(now=bench.now)
    await bench.radio.add(meter)
    await meter.measure(concentration=Decimal("0.0062"))
    async with bench.connected(meter, pair=True):
        assert meter.bonded
    await meter.forget_bonds()
    await meter.wake()
    with pytest.raises((BleakError, TimeoutError)):
        async with bench.connected(meter):
            pass
    await until(lambda: not meter.connected)
