"""What every broker must do for us: the embedded NATS and Mosquitto alike."""

import asyncio

import pytest

from gateway.errors import LinkClosedError, LinkRefusedError, WireError
from gateway.mqtt.accounts import BrokerAccount
from gateway.mqtt.settings import Will
from gateway.wire.batch import MAX_PAYLOAD_BYTES
from gateway.wire.topics import UP_FILTER, StationTopics
from tests.mqtt.site import Site, eventually, everything, take

S1 = StationTopics("demo", "s1")
S2 = StationTopics("demo", "s2")


async def test_a_reading_arrives_and_publish_waits_for_the_puback(site: Site) -> None:
    hub = await site.bus(site.book.hub, subscribe=(UP_FILTER,))
    station = await site.bus(site.account("s1"), subscribe=(S1.down_filter,))
    await station.publish(S1.up("readings"), b"one")
    (got,) = await take(hub, 1)
    assert (got.message.topic, got.message.payload) == (S1.up("readings"), b"one")
    await hub.publish(S1.down("ack"), b"two", qos=0)
    (answer,) = await take(station, 1)
    assert answer.message.payload == b"two"


async def test_messages_wait_for_a_hub_that_is_away(site: Site) -> None:
    hub = await site.bus(site.book.hub, client_id="hub-away", subscribe=(UP_FILTER,))
    await site.close()
    station = await site.bus(site.account("s1"))
    for number in range(50):
        await station.publish(S1.up("readings"), b"%d" % number)
    hub = await site.bus(site.book.hub, client_id="hub-away", subscribe=(UP_FILTER,))
    got = await take(hub, 50)
    assert [d.message.payload for d in got] == [b"%d" % n for n in range(50)]


async def test_what_was_not_done_comes_again(site: Site) -> None:
    hub = await site.bus(site.book.hub, client_id="hub-1", subscribe=(UP_FILTER,))
    station = await site.bus(site.account("s1"))
    for number in range(3):
        await station.publish(S1.up("readings"), b"%d" % number)
    first, *_ = await take(hub, 3, done=False)
    first.done()
    # The PUBACK must have left before the connection ends.
    await hub.publish(S1.down("ack"), b"", qos=1)
    await site.close()
    hub = await site.bus(site.book.hub, client_id="hub-1", subscribe=(UP_FILTER,))
    again = await take(hub, 2)
    assert [d.message.payload for d in again] == [b"1", b"2"]


async def test_a_station_cannot_speak_for_another(site: Site) -> None:
    hub = await site.bus(site.book.hub, subscribe=(UP_FILTER,))
    one = await site.bus(site.account("s1"))
    try:
        await one.publish(S2.up("readings"), b"forged")
    except LinkClosedError:
        await one.wait_connected()
    await one.publish(S1.up("readings"), b"own")
    (got,) = await take(hub, 1)
    assert got.message.payload == b"own"


@pytest.mark.parametrize(
    "wanted", [S2.down_filter, "vitalgate/v1/demo/+/down/+", "#", UP_FILTER]
)
async def test_a_station_cannot_hear_another(site: Site, wanted: str) -> None:
    hub = await site.bus(site.book.hub)
    eager = await site.bus(site.account("s1"), subscribe=(wanted,), ready=False)
    await eventually(
        lambda: eager.connected or isinstance(eager.last_error, LinkRefusedError)
    )
    if not eager.connected:
        return  # refused at SUBSCRIBE
    # Mosquitto grants a wildcard and then filters what it delivers.
    await hub.publish(S2.down("ack"), b"for s2 only")
    await hub.publish(S1.down("ack"), b"for s1")
    await eager.publish(S1.up("readings"), b"own")
    heard = [d.message.payload for d in await everything(eager)]
    assert heard in ([], [b"for s1"])


@pytest.mark.parametrize(
    "account",
    [
        BrokerAccount(name="s1", password="not-the-password-1"),
        BrokerAccount(name="nobody", password="not-the-password-1"),
        BrokerAccount(name="", password=""),
    ],
    ids=["wrong-password", "unknown", "anonymous"],
)
async def test_who_is_not_known_is_refused(site: Site, account: BrokerAccount) -> None:
    bus = await site.bus(account, client_id="stranger", ready=False)
    await eventually(lambda: isinstance(bus.last_error, LinkRefusedError))
    assert not bus.connected
    with pytest.raises(LinkClosedError):
        await bus.publish(S1.up("readings"), b"x")


async def test_last_will_and_retained_status(site: Site) -> None:
    hub = await site.bus(site.book.hub, subscribe=(UP_FILTER,))
    will = Will(topic=S1.up("status"), payload=b"offline")
    station = await site.bus(site.account("s1"), will=will)
    await station.publish(S1.up("status"), b"online", retain=True)
    (online,) = await take(hub, 1)
    assert (online.message.payload, online.message.retained) == (b"online", False)
    assert station._connection is not None
    station._connection.abort("pulled out")
    (offline,) = await take(hub, 1)
    assert offline.message.payload == b"offline"
    late = await site.bus(
        site.book.hub, client_id="hub-late", subscribe=(S1.up("status"),)
    )
    (kept,) = await take(late, 1)
    assert (kept.message.payload, kept.message.retained) == (b"offline", True)


async def test_a_station_that_is_switched_off_is_shown_offline(site: Site) -> None:
    hub = await site.bus(site.book.hub, subscribe=(UP_FILTER,))
    will = Will(topic=S1.up("status"), payload=b"offline")
    async with site.leaving(site.account("s1"), will=will) as station:
        await station.publish(S1.up("readings"), b"last")
        (reading,) = await take(hub, 1)
        assert reading.message.payload == b"last"
    (status,) = await take(hub, 1)
    assert status.message.payload == b"offline"


async def test_large_messages_pass_and_larger_ones_are_refused(site: Site) -> None:
    hub = await site.bus(site.book.hub, subscribe=(UP_FILTER,))
    station = await site.bus(site.account("s1"))
    payload = bytes(range(256)) * 3_516
    await station.publish(S1.up("waveforms"), payload)
    (got,) = await take(hub, 1)
    assert got.message.payload == payload
    with pytest.raises(WireError) as caught:
        await station.publish(S1.up("waveforms"), bytes(MAX_PAYLOAD_BYTES + 1))
    assert caught.value.reason == "oversized"
    assert station.connected


async def test_many_in_flight_arrive_in_order(site: Site) -> None:
    hub = await site.bus(site.book.hub, subscribe=(UP_FILTER,))
    station = await site.bus(site.account("s1"))
    total = 1_000

    async def send(number: int) -> None:
        await station.publish(S1.up("readings"), b"%d" % number)

    sending = asyncio.gather(*(send(number) for number in range(total)))
    got = await take(hub, total)
    await sending
    assert [int(d.message.payload) for d in got] == list(range(total))
