"""The embedded broker as a child: ports, restarts, orphans, accounts, last words."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from gateway.clock import SystemClock
from gateway.errors import (
    ConfigurationError,
    LinkClosedError,
    LinkRefusedError,
    WireError,
)
from gateway.mqtt.broker import EmbeddedBroker
from gateway.mqtt.metrics import MqttMetrics
from gateway.mqtt.orphan import command_line, orphan_pid
from gateway.wire.topics import UP_FILTER, StationTopics
from tests.mqtt.site import (
    Site,
    certificate,
    eventually,
    everything,
    free_port,
    running_broker,
    take,
)

S1 = StationTopics("demo", "s1")
ROOT = Path(__file__).resolve().parents[2]


def make(directory: Path, **settings: object) -> EmbeddedBroker:
    restarts = MqttMetrics(CollectorRegistry()).broker_restarts
    return EmbeddedBroker(
        directory,
        clock=SystemClock(),
        restarts=restarts,
        **settings,  # type: ignore[arg-type] # each test names real settings
    )


async def test_the_child_ends_with_the_hub(tmp_path: Path) -> None:
    async with running_broker(tmp_path / "b") as broker:
        pid = broker.pid
        assert pid is not None
        assert command_line(pid)
    assert command_line(pid) == []
    assert not (tmp_path / "b" / "nats.pid").exists()


async def test_secrets_are_for_their_owner_only(nats: EmbeddedBroker) -> None:
    for name in ("accounts.json", "nats.json"):
        mode = (nats._directory / name).stat().st_mode
        assert mode & 0o077 == 0, name
    log = (nats._directory / "nats.log").read_text()
    assert nats.book.hub.password not in log
    assert nats.book.hub.password not in repr(nats.book.hub)


async def test_the_port_is_the_same_in_the_next_run(tmp_path: Path) -> None:
    async with running_broker(tmp_path / "b") as broker:
        first = broker.port
    async with running_broker(tmp_path / "b") as broker:
        assert broker.port == first


async def test_a_taken_port_is_replaced_when_none_was_asked_for(
    tmp_path: Path,
) -> None:
    async with running_broker(tmp_path / "b") as broker:
        first = broker.port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first))
        other.listen()
        async with running_broker(tmp_path / "b") as broker:
            assert broker.port != first


async def test_a_taken_port_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        broker = make(tmp_path / "b", port=other.getsockname()[1])
        with pytest.raises(ConfigurationError, match=r"Read .*nats\.log"):
            await broker.run()


async def test_a_second_hub_is_kept_out(nats: EmbeddedBroker) -> None:
    with pytest.raises(ConfigurationError, match="in use by another hub"):
        await make(nats._directory).run()


def test_the_network_needs_tls(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="without TLS"):
        make(tmp_path, host="0.0.0.0")  # noqa: S104 - refused is what is tested


async def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    async with running_broker(tmp_path / "b") as broker:
        site = Site(broker.port, broker.book)
        # The session exists before the first message, then the hub is away.
        await site.bus(broker.book.hub, client_id="hub-1", subscribe=(UP_FILTER,))
        await site.close()
        station = await site.bus(site.account("s1"))
        acknowledged: list[int] = []
        killed = asyncio.Event()

        async def publish(number: int) -> None:
            try:
                await station.publish(S1.up("readings"), b"%d" % number)
            except LinkClosedError:
                assert killed.is_set()
            else:
                acknowledged.append(number)

        async def storm() -> None:
            for start in range(0, 4_000, 50):
                await asyncio.gather(*(publish(start + n) for n in range(50)))

        storming = asyncio.create_task(storm())
        await eventually(lambda: len(acknowledged) > 200)
        first = broker.pid
        assert first is not None
        killed.set()
        os.kill(first, signal.SIGKILL)
        await storming
        await eventually(lambda: broker.ready and broker.pid not in {None, first})
        expected = set(acknowledged)
        hub = await site.bus(broker.book.hub, client_id="hub-1", subscribe=(UP_FILTER,))
        held: set[int] = set()
        while not expected <= held:
            (got,) = await take(hub, 1)
            held.add(int(got.message.payload))
        await site.close()


async def test_a_dead_broker_is_started_again_and_counted(
    nats: EmbeddedBroker,
) -> None:
    first = nats.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: nats.ready and nats.pid not in {None, first})
    assert nats._restarts._value.get() == 1


KILLED_HUB = """
import asyncio, os, sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from gateway.clock import SystemClock
from gateway.mqtt.broker import EmbeddedBroker
from gateway.mqtt.metrics import MqttMetrics

async def main():
    restarts = MqttMetrics(CollectorRegistry()).broker_restarts
    broker = EmbeddedBroker(Path(sys.argv[1]), clock=SystemClock(), restarts=restarts)
    running = asyncio.create_task(broker.run())
    await broker.wait_ready()
    print(broker.pid, broker.port, flush=True)
    await running

asyncio.run(main())
"""


async def test_the_orphan_of_a_killed_hub_is_replaced(tmp_path: Path) -> None:
    directory = tmp_path / "b"
    with subprocess.Popen(  # noqa: ASYNC220 - returns as soon as it is started
        [sys.executable, "-c", KILLED_HUB, str(directory)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as hub:
        assert hub.stdout is not None
        line = await asyncio.to_thread(hub.stdout.readline)
        orphan, port = (int(part) for part in line.split())
        hub.kill()
        hub.wait()
    try:
        assert command_line(orphan), "the broker outlives a killed hub"
        async with running_broker(directory) as broker:
            assert command_line(orphan) == []
            assert broker.pid != orphan
            assert broker.port == port
    finally:
        # Where the assertions fail, nobody else would stop it.
        if str(directory / "nats.json") in command_line(orphan):
            os.kill(orphan, signal.SIGKILL)


def test_a_process_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    pid_file = tmp_path / "nats.pid"
    pid_file.write_text(str(os.getpid()))
    assert orphan_pid(pid_file, tmp_path / "nats.json") == 0
    pid_file.write_text("not a number")
    assert orphan_pid(pid_file, tmp_path / "nats.json") == 0


async def test_stations_come_and_go_while_it_runs(nats: EmbeddedBroker) -> None:
    site = Site(nats.port, nats.book)
    old = await site.bus(site.account("s1"))
    pid = nats.pid
    await nats.add_station("demo", "s3")
    new = await site.bus(site.account("s3"))
    await new.publish(StationTopics("demo", "s3").up("readings"), b"first")
    assert await nats.remove_station("s3")
    await eventually(lambda: isinstance(new.last_error, LinkRefusedError))
    assert not await nats.remove_station("s3")
    # The others never noticed.
    assert old.connected
    await old.publish(S1.up("readings"), b"still here")
    assert nats.pid == pid
    with pytest.raises(WireError):
        await nats.add_station("demo", "../s4")
    await site.close()


async def test_a_stranger_with_the_hubs_client_id_hears_nothing(
    nats: EmbeddedBroker,
) -> None:
    site = Site(nats.port, nats.book)
    await site.bus(nats.book.hub, client_id="hub-1", subscribe=(UP_FILTER,))
    thief = await site.bus(site.account("s2"), client_id="hub-1")
    one = await site.bus(site.account("s1"))
    await one.publish(S1.up("readings"), b"private")
    assert await everything(thief) == []
    await site.close()


async def test_tls_large_messages_and_a_pinned_certificate(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    async with running_broker(tmp_path / "b", tls=tls) as broker:
        site = Site(broker.port, broker.book)
        hub = await site.connect(
            broker.settings(
                broker.book.hub, client_id="hub-1", subscriptions=((UP_FILTER, 1),)
            )
        )
        station = await site.connect(
            broker.settings(site.account("s1"), client_id="s1-1")
        )
        payload = bytes(range(256)) * 3_516
        sending = asyncio.gather(
            *(station.publish(S1.up("waveforms"), payload) for _ in range(5))
        )
        got = await take(hub, 5)
        await sending
        assert {d.message.payload for d in got} == {payload}
        await site.close()
        # In the clear nobody gets in.
        with socket.create_connection(("127.0.0.1", broker.port)) as plain:
            plain.settimeout(5)
            plain.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")
            assert plain.recv(4)[:1] != b"\x20"
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(
                "127.0.0.1",
                broker.port,
                ssl=ssl.create_default_context(),
                server_hostname="broker.invalid",
            )


def test_an_unknown_program_is_named(tmp_path: Path) -> None:
    broker = make(tmp_path / "b", binary=tmp_path / "missing", port=free_port())
    with pytest.raises(ConfigurationError, match="missing"):
        asyncio.run(broker.run())
