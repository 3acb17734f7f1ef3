"""The hub: broker, inbox, log, consumers, alerts, and the services of the API."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from influxdb_client.client.influxdb_client import InfluxDBClient
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from gateway.alerting.desk import AlertDesk
from gateway.alerting.feed import AlertFeed
from gateway.alerting.keeper import AlertKeeper
from gateway.alerting.loading import default_pack, parse_pack, require_approval
from gateway.alerting.publisher import AlertPublisher
from gateway.alerting.repertoire import Repertoire
from gateway.alerting.ticker import Ticker
from gateway.config import HubConfig
from gateway.database.engine import Database
from gateway.database.migrate import migrate
from gateway.errors import ConfigurationError
from gateway.hub.aborted import AbortedSessions
from gateway.hub.config_sender import ConfigSender
from gateway.hub.consumers import ConsumerMetrics, ConsumerRunner
from gateway.hub.intake import Intake, IntakeMetrics
from gateway.hub.log import HubLog, append, attribution_entry
from gateway.hub.stations import StationDirectory
from gateway.model.session import Attribution
from gateway.mqtt.accounts import write_private
from gateway.mqtt.broker import EmbeddedBroker
from gateway.mqtt.client import PahoBus
from gateway.mqtt.metrics import MqttMetrics
from gateway.mqtt.settings import BusSettings, ClientTls
from gateway.ports.clock import Clock
from gateway.records.accounts import Accounts
from gateway.records.enrolment import apply_roster
from gateway.records.roster import Roster, load_roster
from gateway.records.unclaimed import UnclaimedReadings
from gateway.services.bundle import Ports, Services, build_services
from gateway.services.downlink import MqttStationLink
from gateway.stores.influx import InfluxProjection, LineWriter
from gateway.stores.influx_read import FluxReader, Reader, VictoriaReader
from gateway.stores.series_sql import SqlSeries
from gateway.wire.seal import Signer
from gateway.wire.topics import UP_FILTER

# Random octets of the hub's MQTT client id, see ``_client_id``.
CLIENT_ID_BYTES: Final = 12


class HubAttributions:
    """Attributions made through the API, appended to the hub's log."""

    def __init__(self, log: HubLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def append(
        self, connection: Connection, attribution: Attribution, station: str
    ) -> object:
        """See ``AttributionLog.append``."""
        entry = attribution_entry(attribution, station=station)
        return append(connection, [entry], self._clock.now())

    def committed(self, result: object) -> None:
        """See ``AttributionLog.committed``."""
        if isinstance(result, list):
            self._log.committed(result)


@dataclass(slots=True)
class _Parts:
    """What runs."""

    database: Database
    broker: EmbeddedBroker | None
    bus: PahoBus
    log: HubLog
    intake: Intake
    sender: ConfigSender
    ticker: Ticker
    publisher: AlertPublisher
    runners: list[ConsumerRunner]
    influx: InfluxProjection | None


class HubApp:
    """One hub process. Make it with ``open_hub``."""

    def __init__(
        self,
        parts: _Parts,
        services: Services,
        *,
        registry: CollectorRegistry,
        signer: Signer,
    ) -> None:
        self._parts = parts
        self.services = services
        self.registry = registry
        self.public_key = signer.public_key

    @property
    def broker(self) -> EmbeddedBroker | None:
        """The embedded broker, or None with an external one."""
        return self._parts.broker

    @property
    def bus(self) -> PahoBus:
        """The hub's connection to the broker."""
        return self._parts.bus

    @property
    def log(self) -> HubLog:
        """The log."""
        return self._parts.log

    @property
    def database(self) -> Database:
        """The database."""
        return self._parts.database

    @property
    def influx(self) -> InfluxProjection | None:
        """The InfluxDB projection, or None."""
        return self._parts.influx

    async def run(self) -> None:
        """Run every part until cancelled."""
        parts = self._parts
        async with asyncio.TaskGroup() as tasks:
            if parts.broker is not None:
                tasks.create_task(parts.broker.run())
                await parts.broker.wait_ready()
            tasks.create_task(parts.bus.run())
            tasks.create_task(parts.intake.run())
            tasks.create_task(parts.sender.run())
            for runner in parts.runners:
                tasks.create_task(runner.run())
            tasks.create_task(parts.ticker.run())
            tasks.create_task(parts.publisher.run())
            tasks.create_task(self.services.live.run())
            if parts.influx is not None:
                tasks.create_task(parts.influx.run())


@asynccontextmanager
async def open_hub(
    config: HubConfig, *, clock: Clock, roster: Roster | None = None
) -> AsyncIterator[HubApp]:
    """Open the hub's database and make its parts; ``run`` starts them.

    Raises:
        ConfigurationError: a setting, the roster or the rule pack is wrong.
        StorageError: the database cannot be opened.
    """
    config.data_dir.mkdir(parents=True, exist_ok=True)
    registry = CollectorRegistry()
    signer = Signer.from_file(config.key_path)
    database = Database(config.database_url)
    try:
        await migrate(database)
        accounts = Accounts(database, clock)
        entries = roster or (load_roster(config.roster) if config.roster else None)
        if entries is not None:
            await apply_roster(
                database, entries, passwords=accounts.passwords, clock=clock
            )
        metrics = MqttMetrics(registry)
        broker = _broker(config, clock, metrics)
        if broker is not None and entries is not None:
            for station in entries.stations:
                broker.book.add_station(station.site, station.id)
        bus = PahoBus(
            _bus_settings(config, broker), clock=clock, metrics=metrics.bus("hub")
        )
        log = HubLog(database)
        await log.open()
        directory = StationDirectory(database, clock)
        sender = ConfigSender(database, directory, bus, signer=signer, clock=clock)
        intake = Intake(
            bus,
            database,
            log,
            directory,
            bus,
            signer=signer,
            clock=clock,
            metrics=IntakeMetrics(registry),
            on_status=sender.heard,
        )
        feed = AlertFeed()
        keeper = AlertKeeper(rules=_rules(config), feed=feed, zone=config.zone)
        series = SqlSeries(database)
        consumers = (keeper, series, UnclaimedReadings(), AbortedSessions(log))
        consumer_metrics = ConsumerMetrics(registry)
        services = build_services(
            database,
            clock,
            Ports(
                series=series,
                desk=AlertDesk(database, clock, feed=feed),
                link=MqttStationLink(bus, signer),
                attributions=HubAttributions(log, clock),
                replay=intake,
                broker_accounts=broker,
                broker_connected=lambda: bus.connected,
                zone=config.zone,
            ),
            accounts=accounts,
        )
        services.enrolment.on_change(sender.records_changed)
        parts = _Parts(
            database=database,
            broker=broker,
            bus=bus,
            log=log,
            intake=intake,
            sender=sender,
            ticker=Ticker(database, clock, keeper=keeper, feed=feed),
            publisher=AlertPublisher(database, bus, clock, feed=feed, site=config.site),
            runners=[
                ConsumerRunner(
                    database, log, consumer, clock=clock, metrics=consumer_metrics
                )
                for consumer in consumers
            ],
            influx=_influx(config, database, log, clock),
        )
        with feed.listening(lambda changes: services.live.announce(list(changes))):
            yield HubApp(parts, services, registry=registry, signer=signer)
    finally:
        database.close()


def _broker(
    config: HubConfig, clock: Clock, metrics: MqttMetrics
) -> EmbeddedBroker | None:
    if config.mqtt is not None:
        return None
    if not config.broker.enabled:
        raise ConfigurationError(
            "broker.enabled: is false, and there is no [mqtt].",
            remedy="Name a broker under [mqtt], or enable the embedded one.",
        )
    return EmbeddedBroker(
        config.data_dir / "broker",
        clock=clock,
        restarts=metrics.broker_restarts,
        port=config.broker.port,
        binary=config.broker.binary,
    )


def _bus_settings(config: HubConfig, broker: EmbeddedBroker | None) -> BusSettings:
    subscriptions = ((UP_FILTER, 1),)
    if broker is not None:
        return broker.settings(
            broker.book.hub,
            client_id=_client_id(config.data_dir),
            subscriptions=subscriptions,
        )
    mqtt = config.mqtt
    if mqtt is None:
        raise ConfigurationError("mqtt: missing.", remedy="Name a broker.")
    tls = ClientTls(
        ca=mqtt.ca, certificate=mqtt.certificate, key=mqtt.key, pinned=mqtt.pinned
    )
    return BusSettings(
        hosts=tuple(mqtt.addresses),
        client_id=_client_id(config.data_dir),
        username=mqtt.user,
        password=mqtt.password(),
        tls=tls if mqtt.tls else None,
        subscriptions=subscriptions,
    )


def _client_id(folder: Path) -> str:
    """The hub's own client id: kept, since it names its session at the broker.

    A broker need not bind it to an account (NATS does not), and who signs in with it
    ends our connection; so nobody can guess it.
    """
    file = folder / "mqtt-client-id"
    if not file.exists():
        write_private(file, f"hub-{secrets.token_hex(CLIENT_ID_BYTES)}".encode())
    return file.read_text("ascii")


def _rules(config: HubConfig) -> Repertoire:
    if config.rules is None:
        pack = default_pack()
    else:
        try:
            text = config.rules.read_text("utf-8")
        except OSError as error:
            raise ConfigurationError(f"rules: {error.strerror}.") from error
        pack = parse_pack(text, name=config.rules.name)
    return Repertoire(require_approval(pack) if config.production else pack)


def _influx(
    config: HubConfig, database: Database, log: HubLog, clock: Clock
) -> InfluxProjection | None:
    influx = config.influx
    if influx is None:
        return None
    client = InfluxDBClient(url=influx.url, token=influx.token(), org=influx.org)
    back: Reader = (
        VictoriaReader(influx.url)
        if influx.server == "victoriametrics"
        else FluxReader(client, influx.bucket)
    )
    return InfluxProjection(
        database, log, LineWriter(client, influx.bucket), back, clock=clock
    )
