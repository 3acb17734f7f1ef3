"""The client against brokers that misbehave."""

import asyncio
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import MQTTErrorCode
from prometheus_client import CollectorRegistry

from gateway.clock import ManualClock, SystemClock
from gateway.errors import ConfigurationError, LinkClosedError, LinkRefusedError
from gateway.mqtt import client as client_module
from gateway.mqtt.client import PahoBus
from gateway.mqtt.metrics import MqttMetrics
from gateway.mqtt.settings import BusSettings, ClientTls
from gateway.ports.clock import Clock
from tests.mqtt.scripted_broker import (
    CONNECT,
    DISCONNECT,
    PUBACK,
    PUBLISH,
    Peer,
    publish_packet,
    scripted,
)
from tests.mqtt.site import certificate, eventually, free_port, take


class Running:
    """A bus that runs while the block lasts."""

    def __init__(
        self,
        *ports: int,
        subscribe: str = "",
        clock: Clock | None = None,
        max_inflight: int = 128,
        tls: ClientTls | None = None,
    ) -> None:
        settings = BusSettings(
            hosts=tuple(("127.0.0.1", port) for port in ports),
            client_id="tested",
            subscriptions=((subscribe, 1),) if subscribe else (),
            max_inflight=max_inflight,
            tls=tls,
        )
        self.metrics = MqttMetrics(CollectorRegistry()).bus("tested")
        self.bus = PahoBus(settings, clock=clock or SystemClock(), metrics=self.metrics)

    async def __aenter__(self) -> PahoBus:
        self._task = asyncio.create_task(self.bus.run())
        return self.bus

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def good(peer: Peer) -> None:
    await peer.accept()
    await peer.serve()


async def test_the_next_host_is_tried_when_one_fails() -> None:
    async with scripted(good) as (port, _), Running(free_port(), port) as bus:
        await bus.wait_connected()
        await bus.publish("t", b"x")


async def test_a_broken_connection_fails_the_open_publications() -> None:
    async def hang_up(peer: Peer) -> None:
        await peer.accept()
        assert (await peer.packet())[0] == PUBLISH

    async with scripted(hang_up) as (port, _), Running(port) as bus:
        await bus.wait_connected()
        with pytest.raises(LinkClosedError):
            await bus.publish("t", b"x")
        with pytest.raises(LinkClosedError):
            await bus.publish("t", b"x")


async def test_it_connects_again_and_counts_the_loss() -> None:
    async def first_hangs_up(peer: Peer) -> None:
        await peer.accept()
        if len(peers) > 1:
            await peer.serve()

    async with scripted(first_hangs_up) as (port, peers):
        running = Running(port)
        async with running as bus:
            await eventually(lambda: len(peers) > 1 and bus.connected)
            await bus.publish("t", b"x")
        assert running.metrics.lost._value.get() == 1


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x00\x00",
        b"\x30\xff\xff\xff\xff\xff\x01",
        b"\x32\x02\xff\xff",
        b"\x20\x00",
        b"\x90\x01\x00",
        b"\x40\x01\x00",
        b"\xf0\x00",
        b"\x30\x00",
    ],
    ids=lambda value: value.hex(),
)
async def test_rubbish_ends_the_connection_and_not_the_client(rubbish: bytes) -> None:
    async def talk_nonsense(peer: Peer) -> None:
        await peer.accept()
        if len(peers) == 1:
            peer.writer.write(rubbish)
            # No end of file: the client itself must find that this makes no sense.
        await peer.serve()

    async with scripted(talk_nonsense) as (port, peers), Running(port) as bus:
        await eventually(lambda: len(peers) > 1 and bus.connected)
        await bus.publish("t", b"x")


async def test_a_topic_that_is_not_utf8_is_delivered_readably() -> None:
    async def send(peer: Peer) -> None:
        await peer.accept()
        peer.writer.write(b"\x30\x05\x00\x02\xff\xfeX")
        await peer.serve()

    async with scripted(send) as (port, _), Running(port) as bus:
        (got,) = await take(bus, 1)
        assert got.message.topic == "\\xff\\xfe"
        assert got.message.payload == b"X"


async def test_refused_sign_in_waits_longer_than_a_lost_connection() -> None:
    async def refuse(peer: Peer) -> None:
        await peer.packet()
        peer.writer.write(b"\x20\x02\x00\x05")

    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with scripted(refuse) as (port, peers), Running(port, clock=clock) as bus:
        await eventually(lambda: bus.last_error is not None)
        assert isinstance(bus.last_error, LinkRefusedError)
        clock.advance(client_module.REFUSED_PAUSE_S / 2)
        await asyncio.sleep(0.05)
        assert len(peers) == 1
        clock.advance(client_module.REFUSED_PAUSE_S / 2)
        await eventually(lambda: len(peers) == 2)


async def test_a_broker_of_another_version_gets_one_connection_per_try() -> None:
    async def refuse_version(peer: Peer) -> None:
        await peer.packet()
        peer.writer.write(b"\x20\x02\x00\x01")
        await peer.serve()

    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with (
        scripted(refuse_version) as (port, peers),
        Running(port, clock=clock) as bus,
    ):
        await eventually(lambda: bus.last_error is not None)
        await asyncio.sleep(0.05)
        assert len(peers) == 1


async def test_a_fault_inside_the_protocol_engine_costs_the_connection_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = paho.Client.loop_read
    faults = [RuntimeError("invented")]

    def sometimes(client: paho.Client, max_packets: int = 1) -> MQTTErrorCode:
        if faults and client.is_connected():
            raise faults.pop()
        return real(client, max_packets)

    monkeypatch.setattr(paho.Client, "loop_read", sometimes)
    async with scripted(good) as (port, peers):
        running = Running(port)
        async with running as bus:
            await bus.wait_connected()
            with pytest.raises(LinkClosedError, match="RuntimeError"):
                await bus.publish("t", b"x")
            await eventually(lambda: len(peers) > 1 and bus.connected)
            await bus.publish("t", b"x")


async def test_connections_that_end_at_once_do_not_storm() -> None:
    async def hang_up(peer: Peer) -> None:
        await peer.accept()

    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with scripted(hang_up) as (port, peers), Running(port, clock=clock) as bus:
        pause = client_module.FIRST_PAUSE_S
        for tries in range(1, 6):
            await eventually(lambda tries=tries: len(peers) == tries)
            await eventually(lambda: not bus.connected and bool(clock._sleepers))
            clock.advance(pause * 0.9)
            await asyncio.sleep(0.02)
            assert len(peers) == tries
            clock.advance(pause * 0.1 + 0.001)
            pause *= 2


async def test_done_sends_the_puback_and_only_then() -> None:
    async def send(peer: Peer) -> None:
        await peer.accept()
        peer.writer.write(publish_packet("t", b"1", mid=7))
        await peer.serve()

    async with scripted(send) as (port, peers), Running(port) as bus:
        (got,) = await take(bus, 1, done=False)
        await bus.publish("t", b"x")
        kinds = [kind for kind, _ in peers[0].packets]
        assert kinds == [CONNECT, PUBLISH]
        got.done()
        await bus.publish("t", b"y")
        assert (PUBACK, b"\x00\x07") in peers[0].packets


async def test_done_after_the_connection_ended_does_nothing() -> None:
    async def send(peer: Peer) -> None:
        await peer.accept()
        if len(peers) == 1:
            peer.writer.write(publish_packet("t", b"1", mid=7))
            return
        await peer.serve()

    async with scripted(send) as (port, peers), Running(port) as bus:
        (got,) = await take(bus, 1, done=False)
        await eventually(lambda: len(peers) == 2 and bus.connected)
        got.done()
        await bus.publish("t", b"x")
        assert PUBACK not in [kind for kind, _ in peers[1].packets]


async def test_reading_stops_while_nobody_takes_the_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "MAX_WAITING", 10)
    total = 5_000
    sent: list[int] = []

    async def flood(peer: Peer) -> None:
        await peer.accept()
        for number in range(total):
            payload = number.to_bytes(4, "big") + bytes(4_000)
            peer.writer.write(publish_packet("t", payload))
            await peer.writer.drain()
            sent.append(number)
        await peer.serve()

    async with scripted(flood) as (port, _), Running(port) as bus:
        await eventually(lambda: len(bus._waiting) == 10)
        await asyncio.sleep(0.1)
        assert len(bus._waiting) == 10
        assert len(sent) < total
        got = await take(bus, total)
        numbers = [int.from_bytes(d.message.payload[:4], "big") for d in got]
        assert numbers == list(range(total))


async def test_no_more_than_the_window_is_in_flight() -> None:
    release = asyncio.Event()

    async def answer_late(peer: Peer) -> None:
        await peer.accept()
        reading = asyncio.create_task(peer.serve(puback=False))
        await release.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        for _, body in peer.packets[1:]:
            peer.writer.write(b"\x40\x02" + body[3:5])
        await peer.serve()

    async with (
        scripted(answer_late) as (port, peers),
        Running(port, max_inflight=3) as bus,
    ):
        await bus.wait_connected()
        sending = asyncio.gather(*(bus.publish("t", b"x") for _ in range(9)))
        await asyncio.sleep(0.1)
        assert [kind for kind, _ in peers[0].packets] == [CONNECT] + 3 * [PUBLISH]
        release.set()
        await sending


async def test_many_small_messages_in_one_tls_record(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    total = 1_000

    async def burst(peer: Peer) -> None:
        await peer.accept()
        # 9 bytes each: one record, which OpenSSL takes from the socket as a whole.
        peer.writer.write(
            b"".join(publish_packet("t", n.to_bytes(4, "big")) for n in range(total))
        )
        await peer.serve()

    async with scripted(burst, tls=context) as (port, _):
        running = Running(port, tls=ClientTls(ca=tls.certificate, pinned=True))
        async with running as bus:
            got = await take(bus, total)
    numbers = [int.from_bytes(d.message.payload, "big") for d in got]
    assert numbers == list(range(total))


async def test_shutdown_says_goodbye_and_leaves_no_thread() -> None:
    before = {thread.name for thread in threading.enumerate()}
    async with scripted(good) as (port, peers):
        async with Running(port) as bus:
            await bus.wait_connected()
        await eventually(lambda: peers[0].packets[-1][0] == DISCONNECT)
    after = {thread.name for thread in threading.enumerate()} - before
    # Only the event loop's own pool, which connected for us.
    assert all(name.startswith("asyncio_") for name in after)


async def test_cancelling_while_connecting_is_clean() -> None:
    async def silent(peer: Peer) -> None:
        await peer.reader.read()

    async with scripted(silent) as (port, peers), Running(port):
        await eventually(lambda: len(peers) == 1)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="hosts"):
        BusSettings(hosts=(), client_id="x")
    for client_id in ("", "a.b", "a b", "a" * 65, "a#"):
        with pytest.raises(ConfigurationError, match="client_id"):
            BusSettings(hosts=(("h", 1),), client_id=client_id)
    with pytest.raises(ConfigurationError, match="max_inflight"):
        BusSettings(hosts=(("h", 1),), client_id="x", max_inflight=0)
    secret = BusSettings(hosts=(("h", 1),), client_id="x", password="hidden")
    assert "hidden" not in repr(secret)
