"""Both brokers behind one face, and clients that are cleaned up."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import CollectorRegistry

from gateway.clock import SystemClock
from gateway.mqtt.accounts import AccountBook, BrokerAccount
from gateway.mqtt.broker import EmbeddedBroker
from gateway.mqtt.client import PahoBus
from gateway.mqtt.metrics import MqttMetrics
from gateway.mqtt.mosquitto import write_mosquitto_files
from gateway.mqtt.nats_config import BrokerLimits, BrokerTls
from gateway.mqtt.settings import BusSettings, Will
from gateway.ports.messaging import Delivery


class Site:
    """A running broker with the stations s1 and s2 of site demo."""

    def __init__(self, port: int, book: AccountBook) -> None:
        self.port = port
        self.book = book
        self._metrics = MqttMetrics(CollectorRegistry())
        self._stack = AsyncExitStack()

    def account(self, name: str) -> BrokerAccount:
        account = self.book.get(name)
        assert account is not None
        return account

    async def bus(
        self,
        account: BrokerAccount,
        *,
        client_id: str = "",
        subscribe: tuple[str, ...] = (),
        will: Will | None = None,
        ready: bool = True,
    ) -> PahoBus:
        """A client that runs until ``close``."""
        settings = self._settings(account, client_id, subscribe, will)
        return await self.connect(settings, ready=ready)

    @asynccontextmanager
    async def leaving(
        self, account: BrokerAccount, *, will: Will
    ) -> AsyncIterator[PahoBus]:
        """A client that leaves at the end of the block."""
        settings = self._settings(account, "", (), will)
        async with running_bus(settings, self._metrics) as (bus, _):
            await bus.wait_connected()
            yield bus

    def _settings(
        self,
        account: BrokerAccount,
        client_id: str,
        subscribe: tuple[str, ...],
        will: Will | None,
    ) -> BusSettings:
        return BusSettings(
            hosts=(("127.0.0.1", self.port),),
            client_id=client_id or f"{account.name.strip('.')}-client",
            username=account.name,
            password=account.password,
            subscriptions=tuple((topic, 1) for topic in subscribe),
            will=will,
        )

    async def connect(self, settings: BusSettings, *, ready: bool = True) -> PahoBus:
        bus, _ = await self._stack.enter_async_context(
            running_bus(settings, self._metrics)
        )
        if ready:
            await bus.wait_connected()
        return bus

    async def close(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def running_bus(
    settings: BusSettings, metrics: MqttMetrics
) -> AsyncIterator[tuple[PahoBus, "asyncio.Task[None]"]]:
    bus = PahoBus(settings, clock=SystemClock(), metrics=metrics.bus("test"))
    task = asyncio.create_task(bus.run())
    try:
        yield bus, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def running_broker(
    directory: Path, *, tls: BrokerTls | None = None
) -> AsyncIterator[EmbeddedBroker]:
    metrics = MqttMetrics(CollectorRegistry())
    broker = EmbeddedBroker(
        directory,
        clock=SystemClock(),
        restarts=metrics.broker_restarts,
        limits=BrokerLimits(ack_wait_s=1),
        tls=tls,
    )
    broker.book.add_station("demo", "s1")
    broker.book.add_station("demo", "s2")
    task = asyncio.create_task(broker.run())
    ready = asyncio.create_task(broker.wait_ready())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield broker
    finally:
        for one in (task, ready):
            one.cancel()
        await asyncio.gather(task, ready, return_exceptions=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def eventually(check: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait until the check holds; the test's own time-out is the limit."""
    while True:
        result = check()
        if result if isinstance(result, bool) else await result:
            return
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running_mosquitto(program: str, directory: Path) -> AsyncIterator[Site]:
    directory.mkdir()
    book = AccountBook(directory / "accounts.json")
    book.add_station("demo", "s1")
    book.add_station("demo", "s2")
    port = free_port()
    files = write_mosquitto_files(
        directory, book.accounts, host="127.0.0.1", port=port, user="root"
    )
    with subprocess.Popen(  # noqa: ASYNC220 - returns as soon as it is started
        [program, "-c", str(files.config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            await eventually(lambda: answers(port))
            site = Site(port, book)
            yield site
            await site.close()
        finally:
            process.terminate()
            process.wait()


async def take(bus: PahoBus, count: int, *, done: bool = True) -> list[Delivery]:
    taken: list[Delivery] = []
    async for delivery in bus.deliveries():
        taken.append(delivery)
        if done:
            delivery.done()
        if len(taken) == count:
            break
    return taken


async def everything(bus: PahoBus) -> list[Delivery]:
    """What has come, and what comes within many times a broker's usual delay."""
    taken: list[Delivery] = []
    arriving = bus.deliveries()
    try:
        async with asyncio.timeout(0.3):
            async for delivery in arriving:
                taken.append(delivery)  # noqa: PERF401 - kept when the time is over
    except TimeoutError:
        return taken
    return taken


def certificate(directory: Path) -> BrokerTls:
    """A self-signed certificate of an invented host."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker.invalid")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    files = BrokerTls(certificate=directory / "cert.pem", key=directory / "key.pem")
    files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
