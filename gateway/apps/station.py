"""The station: devices to journal to MQTT."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

import msgspec
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner
from prometheus_client import CollectorRegistry

from gateway.config import StationSettings
from gateway.model.observation import Setting
from gateway.mqtt.client import PahoBus
from gateway.mqtt.metrics import MqttMetrics
from gateway.mqtt.settings import BusSettings, ClientTls, Will
from gateway.ports.clock import Clock
from gateway.ports.devices import Condition, DriverSpec, LinkKind
from gateway.ports.radio import OpenByteLink, OpenGattLink
from gateway.registry.registry import Registry
from gateway.station.core import StationCore, open_core
from gateway.station.downlink import Downlink
from gateway.station.supervisor import DeviceSupervisor
from gateway.station.supervisor_state import ConfiguredDevice
from gateway.station.uplink import Uplink
from gateway.station.view import StationDesk, StatusReporter
from gateway.transports.ble import BleRadio
from gateway.transports.guard import (
    GuardedByteLink,
    GuardedGattLink,
    LinkGuards,
    Refusal,
)
from gateway.transports.serial_link import SerialOpener
from gateway.transports.serial_ports import SerialPorts
from gateway.wire.batch import SCHEMA, StationStatus
from gateway.wire.seal import Signer
from gateway.wire.topics import StationTopics

# Conditions from the radio and the guards that wait to be recorded.
MAX_CONDITIONS: Final = 256

Backends = tuple[type[BaseBleakScanner], type[BaseBleakClient]]


class StationApp:
    """One station process. Make it with ``open_station``."""

    def __init__(
        self,
        settings: StationSettings,
        core: StationCore,
        *,
        clock: Clock,
        backends: Backends | None = None,
    ) -> None:
        self.settings = settings
        self.core = core
        self.registry = CollectorRegistry()
        self._clock = clock
        self._conditions: asyncio.Queue[Condition] = asyncio.Queue(MAX_CONDITIONS)
        topics = StationTopics(settings.site, settings.station)
        signer = Signer.from_file(settings.key_path)
        self.public_key = signer.public_key
        self.bus = PahoBus(
            _bus_settings(settings, topics),
            clock=clock,
            metrics=MqttMetrics(self.registry).bus("station"),
        )
        self.radio = self._make_radio(backends)
        self.supervisor = self._make_supervisor()
        self.uplink = Uplink(core.journal, self.bus, topics, signer, clock)
        self.downlink = Downlink(
            self.bus,
            topics,
            core=core,
            uplink=self.uplink,
            commands=self.supervisor,
            hub_key=settings.hub_key,
        )
        self.desk = StationDesk(
            core,
            self.bus,
            downlink=self.downlink,
            uplink=self.uplink.figures,
            devices=self.supervisor.statuses,
        )
        self.reporter = StatusReporter(
            core,
            self.bus,
            topics,
            signer,
            desk=self.desk,
            version=version("vitalgate"),
        )

    async def run(self) -> None:
        """Run every part until cancelled."""
        await self.downlink.restore()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.core.pipeline.run())
            tasks.create_task(self._record_conditions())
            tasks.create_task(self.bus.run())
            tasks.create_task(self.uplink.run())
            tasks.create_task(self.downlink.run())
            tasks.create_task(self.reporter.run())
            if self.radio is not None:
                tasks.create_task(self.radio.run())
            tasks.create_task(self.supervisor.run())

    def _make_radio(self, backends: Backends | None) -> BleRadio | None:
        if not self.settings.radio.enabled:
            return None
        scanner, client = backends or (None, None)
        return BleRadio(
            clock=self._clock,
            scanner_backend=scanner,
            client_backend=client,
            on_condition=self._condition,
        )

    def _make_supervisor(self) -> DeviceSupervisor:
        settings = self.settings
        guards = LinkGuards(clock=self._clock, on_refusal=self._refused)

        def guard_gatt(link: OpenGattLink, spec: DriverSpec) -> GuardedGattLink:
            return guards.gatt(link, spec)

        def guard_bytes(link: OpenByteLink, spec: DriverSpec) -> GuardedByteLink:
            return guards.bytes(link, spec)

        named = tuple(
            device.address
            for device in settings.device
            if device.link == "bytes" and device.address
        )
        serial = settings.serial.enabled
        ports = SerialPorts(
            clock=self._clock,
            configured=named,
            only_configured=settings.serial.only_configured,
        )
        return DeviceSupervisor(
            registry=Registry.with_installed(),
            sink=self.core.pipeline,
            bookmarks=self.core.journal,
            clock=self._clock,
            zone=settings.zone,
            station=settings.station,
            guard_gatt=guard_gatt,
            guard_bytes=guard_bytes,
            radio=self.radio,
            ports=ports if serial else None,
            open_port=SerialOpener(clock=self._clock) if serial else None,
            configured=[
                ConfiguredDevice(
                    key=device.key,
                    link=LinkKind(device.link),
                    driver=device.driver,
                    address=device.address,
                    name=device.name,
                    serial_number=device.serial_number,
                    quirks=device.quirks,
                )
                for device in settings.device
            ],
            accept_unlisted=settings.accept_unlisted,
        )

    def _condition(self, condition: Condition) -> None:
        """Called by parts that cannot wait; the oldest gives way when too many come."""
        if self._conditions.full():
            self._conditions.get_nowait()
        self._conditions.put_nowait(condition)

    def _refused(self, refusal: Refusal) -> None:
        self._condition(Condition(code="command-refused", detail=refusal.driver))

    async def _record_conditions(self) -> None:
        while True:
            condition = await self._conditions.get()
            await self.core.events.set(
                condition.code, active=condition.active, detail=condition.detail
            )


@asynccontextmanager
async def open_station(
    settings: StationSettings, *, clock: Clock, backends: Backends | None = None
) -> AsyncIterator[StationApp]:
    """Open the station's journal and make its parts; ``run`` starts them.

    Args:
        settings: ``station.toml``.
        clock: time.
        backends: bleak scanner and client classes in place of the platform's.

    Raises:
        ConfigurationError: a setting, key or driver is wrong.
        StorageError: the journal cannot be opened.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    core = await open_core(
        settings.journal_path,
        station=settings.station,
        setting=Setting(settings.setting),
        zone=settings.zone,
        clock=clock,
        quota_bytes=settings.journal.quota_bytes,
        idle=settings.session.idle,
    )
    try:
        yield StationApp(settings, core, clock=clock, backends=backends)
    finally:
        core.close()


def _bus_settings(settings: StationSettings, topics: StationTopics) -> BusSettings:
    mqtt = settings.mqtt
    tls = ClientTls(
        ca=mqtt.ca, certificate=mqtt.certificate, key=mqtt.key, pinned=mqtt.pinned
    )
    offline = StationStatus(schema=SCHEMA, station=settings.station, online=False)
    return BusSettings(
        hosts=tuple(mqtt.addresses),
        client_id=settings.station,
        username=mqtt.user or settings.station,
        password=mqtt.password(),
        tls=tls if mqtt.tls else None,
        will=Will(topic=topics.up("status"), payload=msgspec.json.encode(offline)),
        subscriptions=((topics.down_filter, 1),),
    )
