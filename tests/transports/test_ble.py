"""The station's radio against simulated peripherals: real bleak on a virtual link."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from gateway.errors import LinkClosedError, LinkRefusedError, LinkTimeoutError
from gateway.transports.ble import BleLink, BleRadio
from gateway.transports.ble_link import LINK_STUCK, RECEIVE_OVERFLOW
from simulators.radio.attributes import Need
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.blood_pressure import SimulatedCuff
from simulators.radio.heart_rate import SimulatedStrap
from simulators.radio.pulse_oximeter import SimulatedOximeter
from tests.transports.room import QUICK, Room, running, sighting_of, uuid

BPM, CUFF, MODEL = uuid(0x2A35), uuid(0x2A36), uuid(0x2A24)
PLX_SPOT, PLX_CONTINUOUS, HRM = uuid(0x2A5E), uuid(0x2A5F), uuid(0x2A37)


def cuff_in(room: Room, name: str = "EX-CUFF", **options: object) -> SimulatedCuff:
    return SimulatedCuff(
        Identity(name=name),
        now=room.clock.now,
        **options,  # type: ignore[arg-type] # the tests' own options
    )


async def linked(radio: BleRadio, name: str, **quirks: object) -> BleLink:
    return await radio.connect(await sighting_of(radio, name), quirks=quirks)


def noted(
    order: list[str], call: Callable[..., Awaitable[None]]
) -> Callable[..., Awaitable[None]]:
    async def spy(*args: object) -> None:
        order.append(call.__name__)
        await call(*args)

    return spy


async def test_a_burst_of_stored_readings_comes_in_order_and_then_the_end(
    room: Room,
) -> None:
    cuff = cuff_in(room, behaviour=Behaviour(idle_disconnect_s=0.2))
    await room.virtual.add(cuff)
    sent = [await cuff.measure(systolic=120 + n, diastolic=80) for n in range(5)]
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        assert link.peer.services == (uuid(0x1810),)
        await link.subscribe(BPM)
        got = [await link.receive(2) for _ in sent]
        with pytest.raises(LinkClosedError):
            await link.receive(5)
        await link.close()
    assert [value.data for value in got if value] == sent
    assert {value.channel for value in got if value} == {BPM}
    assert cuff.delivered == sent
    assert cuff.stored == ()


async def test_what_arrived_before_the_drop_is_delivered_and_the_rest_stays(
    room: Room,
) -> None:
    cuff = cuff_in(room, behaviour=Behaviour(drop_after_values=2))
    await room.virtual.add(cuff)
    sent = [await cuff.measure(systolic=120 + n, diastolic=80) for n in range(5)]
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        await link.subscribe(BPM)
        first = [await link.receive(2), await link.receive(2)]
        with pytest.raises(LinkClosedError):
            await link.receive(2)
        await link.close()
        # It advertises again, and a second link brings the rest.
        link = await linked(radio, "EX-CUFF")
        await link.subscribe(BPM)
        rest = [await link.receive(2) for _ in range(3)]
        await link.close()
    assert [v.data for v in first + rest if v] == sent


async def test_operations_after_the_end_say_that_the_link_is_closed(
    room: Room,
) -> None:
    cuff = cuff_in(room)
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        await cuff.drop_link()
        with pytest.raises(LinkClosedError):
            await link.receive(2)
        for operation in (
            link.read(MODEL),
            link.write(uuid(0x2A2B), bytes(10)),
            link.subscribe(BPM),
        ):
            with pytest.raises(LinkClosedError):
                await operation
        await link.close()
        await link.close()


async def test_a_drop_during_a_read_ends_the_read(room: Room) -> None:
    cuff = cuff_in(room)
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        cuff.behaviour.silent = True
        reading = asyncio.create_task(link.read(MODEL))
        await asyncio.sleep(0.05)
        await cuff.drop_link()
        with pytest.raises(LinkClosedError):
            await reading
        await link.close()


async def test_a_silent_device_hits_our_deadline_and_ends_the_link(
    room: Room,
) -> None:
    cuff = cuff_in(room)
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        cuff.behaviour.silent = True
        with pytest.raises(LinkTimeoutError):
            await link.read(MODEL)
        with pytest.raises(LinkClosedError):
            await link.read(MODEL)
        await link.close()
        assert not cuff.connected


async def test_a_device_silent_from_the_start_cannot_hold_the_connection(
    room: Room,
) -> None:
    cuff = cuff_in(room, behaviour=Behaviour(silent=True, idle_disconnect_s=None))
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        with pytest.raises(LinkTimeoutError):
            await linked(radio, "EX-CUFF")
        assert radio.counts.failed == 1
        # The radio is free for the next one.
        other = cuff_in(room, "EX-OTHER")
        await room.virtual.add(other)
        await other.measure(systolic=130, diastolic=80)
        link = await linked(radio, "EX-OTHER")
        await link.close()


async def test_a_device_that_went_is_a_time_out_and_frees_the_radio(
    room: Room,
) -> None:
    gone, here = cuff_in(room, "EX-GONE"), cuff_in(room, "EX-HERE")
    await room.virtual.add(gone, here)
    await gone.measure(systolic=120, diastolic=80)
    await here.measure(systolic=120, diastolic=80)
    limits = QUICK
    async with running(await room.radio(limits=limits)) as radio:
        sighting = await sighting_of(radio, "EX-GONE")
        await room.virtual.remove(gone)
        with pytest.raises(LinkTimeoutError):
            await radio.connect(sighting)
        link = await linked(radio, "EX-HERE")
        await link.close()


async def test_a_disconnect_that_hangs_is_given_up_counted_and_told(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuff = cuff_in(room)
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        client = link._client
        assert client is not None
        really = client._backend.disconnect

        async def never() -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(client._backend, "disconnect", never)
        await link.close()
        assert link.counts.disconnect_timeouts == 1
        assert [c.code for c in room.conditions] == [LINK_STUCK]
        await really()


async def test_closing_stops_the_notifications_first(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    strap = SimulatedStrap()
    await room.virtual.add(strap)
    await strap.wear()
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-STRAP")
        await link.subscribe(HRM)
        assert strap.subscribed(strap.measurement)
        assert link._client is not None
        backend = link._client._backend
        order: list[str] = []
        for name in ("stop_notify", "disconnect"):
            monkeypatch.setattr(backend, name, noted(order, getattr(backend, name)))
        await link.close()
    assert order == ["stop_notify", "disconnect"]
    assert link.counts.stop_failures == 0


async def test_zero_and_empty_values_are_values(room: Room) -> None:
    strap = SimulatedStrap(Identity(name="EX-STRAP", model="", firmware=""))
    await room.virtual.add(strap)
    await strap.wear()
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-STRAP")
        await link.subscribe(HRM)
        assert await strap.push(strap.measurement, b"")
        assert await strap.push(strap.measurement, b"\0")
        got = [await link.receive(2), await link.receive(2)]
        assert [v.data for v in got if v is not None] == [b"", b"\0"]
        assert await link.receive(0.05) is None
        await link.close()


async def test_two_characteristics_keep_their_order_and_names(room: Room) -> None:
    oximeter = SimulatedOximeter(now=room.clock.now)
    await room.virtual.add(oximeter)
    await oximeter.spot_check(spo2=97, pulse_rate=61)
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-OXI")
        await link.subscribe(PLX_CONTINUOUS.upper())
        await oximeter.stream(spo2=96, pulse_rate=60)
        await link.subscribe(PLX_SPOT)
        first, second = await link.receive(2), await link.receive(2)
        assert first is not None
        assert second is not None
        assert [first.channel, second.channel] == [PLX_CONTINUOUS, PLX_SPOT]
        await link.close()


async def test_a_value_that_is_not_offered_is_refused_without_asking(
    room: Room,
) -> None:
    strap = SimulatedStrap()
    await room.virtual.add(strap)
    await strap.wear()
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-STRAP")
        assert link.has(HRM)
        assert link.has(HRM.upper())
        assert not link.has(BPM)
        for operation in (link.read(BPM), link.subscribe(BPM), link.subscribe(MODEL)):
            with pytest.raises(LinkRefusedError):
                await operation
        await link.close()


async def test_an_att_error_is_a_refusal_with_its_code(room: Room) -> None:
    cuff = cuff_in(room)
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        with pytest.raises(LinkRefusedError, match="0x80"):
            await link.write(uuid(0x2A2B), b"\xff" * 10)
        # A refusal is an answer: the link lives on.
        assert await link.read(MODEL) == b"EX-1"
        await link.close()


async def test_a_flood_ends_the_link_and_is_counted(room: Room) -> None:
    limits = QUICK.__class__(
        operation_s=2.0, connect_s=5.0, connect_attempts=1, queued_values=16
    )
    strap = SimulatedStrap()
    await room.virtual.add(strap)
    await strap.wear()
    async with running(await room.radio(limits=limits)) as radio:
        link = await linked(radio, "EX-STRAP")
        await link.subscribe(HRM)
        for beat in range(40):
            await strap.beat(heart_rate=60 + beat)
        await asyncio.sleep(0.1)
        got = [await link.receive(0.5) for _ in range(16)]
        assert all(value is not None for value in got)
        with pytest.raises(LinkClosedError, match="more values"):
            await link.receive(0.5)
        await link.close()
    assert link.counts.overflows == 1
    assert [c.code for c in room.conditions] == [RECEIVE_OVERFLOW]


async def test_eight_devices_at_once(room: Room) -> None:
    names = [f"EX-CUFF-{n}" for n in range(8)]
    cuffs = [cuff_in(room, name) for name in names]
    await room.virtual.add(*cuffs)
    for n, cuff in enumerate(cuffs):
        for k in range(20):
            await cuff.measure(systolic=100 + n, diastolic=50 + k)
    async with running(await room.radio()) as radio:

        async def drain(name: str) -> list[bytes]:
            link = await linked(radio, name)
            await link.subscribe(BPM)
            values = [await link.receive(5) for _ in range(20)]
            await link.close()
            return [v.data for v in values if v is not None]

        got = await asyncio.gather(*(drain(name) for name in names))
    assert got == [cuff.delivered for cuff in cuffs]
    assert all(len(values) == 20 for values in got)


async def test_a_slow_device_is_waited_for(room: Room) -> None:
    cuff = cuff_in(room, behaviour=Behaviour(answer_delay_s=0.02, value_delay_s=0.05))
    await room.virtual.add(cuff)
    sent = [await cuff.measure(systolic=120 + n, diastolic=80) for n in range(3)]
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        await link.subscribe(BPM)
        got = [await link.receive(5) for _ in sent]
        await link.close()
    assert [v.data for v in got if v] == sent


async def test_live_cuff_pressure_comes_beside_the_readings(room: Room) -> None:
    cuff = cuff_in(room)
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        await link.subscribe(CUFF)
        assert await cuff.inflate((20, 40)) == 2
        got = [await link.receive(2), await link.receive(2)]
        assert [v.channel for v in got if v] == [CUFF, CUFF]
        await link.close()


# --- bonding -------------------------------------------------------------------------


async def test_the_first_refusal_pairs_and_the_operation_is_repeated(
    room: Room,
) -> None:
    cuff = cuff_in(room, need=Need.ENCRYPTION)
    await room.virtual.add(cuff)
    sent = await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        bonded_before = cuff.bonded
        await link.subscribe(BPM)
        assert (bonded_before, cuff.bonded) == (False, True)
        value = await link.receive(2)
        # The attempt that was refused has left no second delivery behind.
        assert await link.receive(0.2) is None
        await link.close()
    assert value is not None
    assert value.data == sent


async def test_a_bond_outlives_the_link(room: Room) -> None:
    cuff = cuff_in(room, need=Need.AUTHENTICATION)
    await room.virtual.add(cuff)
    async with running(await room.radio()) as radio:
        for systolic in (120, 130):
            await cuff.measure(systolic=systolic, diastolic=80)
            link = await linked(radio, "EX-CUFF")
            if systolic == 130:
                cuff.behaviour.refuse_pairing = True
                assert cuff.bonded
            await link.subscribe(BPM)
            assert await link.receive(2) is not None
            await link.close()


async def test_bond_first_pairs_before_anything_else(room: Room) -> None:
    cuff = cuff_in(room)
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF", bond_first=True)
        assert cuff.bonded
        await link.close()


async def test_a_refused_pairing_is_a_refusal(room: Room) -> None:
    cuff = cuff_in(room, need=Need.ENCRYPTION, behaviour=Behaviour(refuse_pairing=True))
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        link = await linked(radio, "EX-CUFF")
        with pytest.raises(LinkRefusedError, match="pair"):
            await link.subscribe(BPM)
        await link.close()


@pytest.mark.parametrize("typed", [271_828, 111_111])
async def test_a_passkey_is_asked_for_and_must_be_right(room: Room, typed: int) -> None:
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        return typed

    cuff = cuff_in(room, need=Need.AUTHENTICATION, passkey=271_828)
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio(ask_passkey=ask)) as radio:
        link = await linked(radio, "EX-CUFF")
        if typed == 271_828:
            await link.subscribe(BPM)
            assert await link.receive(2) is not None
        else:
            with pytest.raises(LinkRefusedError):
                await link.subscribe(BPM)
        await link.close()
    assert asked == 1


async def test_only_a_device_that_is_connected_to_is_expected_to_pair(
    room: Room,
) -> None:
    cuff = cuff_in(room)
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        sighting = await sighting_of(radio, "EX-CUFF")
        assert not radio.expects(sighting.peer.address)
        link = await radio.connect(sighting)
        assert radio.expects(sighting.peer.address.lower())
        assert not radio.expects("C0:DE:00:00:00:77")
        await link.close()
        assert not radio.expects(sighting.peer.address)


@pytest.mark.parametrize("value", [-1, 11, "soon", Decimal(1)])
async def test_a_quirk_without_sense_is_our_fault(room: Room, value: object) -> None:
    cuff = cuff_in(room)
    await room.virtual.add(cuff)
    await cuff.measure(systolic=120, diastolic=80)
    async with running(await room.radio()) as radio:
        with pytest.raises(ValueError, match="subscribe_delay_s"):
            await linked(radio, "EX-CUFF", subscribe_delay_s=value)
