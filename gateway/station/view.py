"""The station as its operator sees it, and what the operator may do.

``StationDesk`` is what the station's own small HTTP API talks to; it works without the
hub. ``StatusReporter`` publishes the same facts, without readings, to the hub.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.errors import ConflictError, LinkError
from gateway.model.observation import Observation, TimeQuality
from gateway.model.session import IdentifiedBy, MeasurementSession, SessionEnd
from gateway.ports.journal import JournalState
from gateway.ports.messaging import MessageBus
from gateway.station.core import StationCore
from gateway.station.downlink import Downlink
from gateway.station.journal_schema import DeadLetter, Figures
from gateway.station.pipeline import Pipeline
from gateway.station.seen import LiveValue
from gateway.station.uplink import UplinkFigures
from gateway.wire.batch import SCHEMA, DeviceStatus, StationStatus
from gateway.wire.seal import Signer
from gateway.wire.topics import StationTopics

# Dead letters in one view; older ones by page.
MAX_DEAD_LETTERS: Final = 50
# The status is published at least this often (s), and looked at this often.
STATUS_EVERY: Final = 30.0
STATUS_TICK: Final = 1.0

Devices = Callable[[], list[DeviceStatus]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationView:
    """A snapshot for the operator.

    Attributes:
        recent: committed readings, newest last.
        attention: those of them with no owner or an impossible time.
    """

    station: str
    connected: bool
    journal: JournalState
    figures: Figures
    uplink: UplinkFigures
    session: MeasurementSession | None
    devices: list[DeviceStatus]
    conditions: list[str]
    live: list[LiveValue]
    recent: list[Observation]
    attention: list[Observation]
    dead_letters: list[DeadLetter]


class StationDesk:
    """Snapshot and acts of the operator at the station."""

    def __init__(
        self,
        core: StationCore,
        bus: MessageBus,
        *,
        downlink: Downlink,
        uplink: UplinkFigures,
        devices: Devices,
    ) -> None:
        """``devices`` are the supervisor's statuses."""
        self._core = core
        self._bus = bus
        self._downlink = downlink
        self._uplink = uplink
        self._devices = devices

    async def snapshot(self) -> StationView:
        """Everything the operator's screen shows.

        Raises:
            StorageError: the journal cannot be read.
        """
        recent = list(self._core.pipeline.seen.recent)
        return StationView(
            station=self._core.station,
            connected=self._bus.connected,
            journal=await self._core.journal.state(),
            figures=self._core.journal.figures,
            uplink=self._uplink,
            session=self._core.sessions.current,
            devices=self.devices(),
            conditions=self._core.events.active,
            live=self._core.pipeline.seen.live,
            recent=recent,
            attention=[o for o in recent if needs_attention(o)],
            dead_letters=await self._core.journal.dead_letters(limit=MAX_DEAD_LETTERS),
        )

    def devices(self) -> list[DeviceStatus]:
        """The supervisor's devices with what their drivers told."""
        return with_facts(self._devices(), self._core.pipeline)

    async def open_session(
        self, *, resident: str, identified_by: IdentifiedBy, by: str
    ) -> MeasurementSession:
        """Open a session at the station.

        Raises:
            StorageError: the journal cannot be written.
        """
        return await self._core.sessions.open(
            resident=resident, identified_by=identified_by, by=by
        )

    async def open_session_by_card(self, card: str, *, by: str) -> MeasurementSession:
        """Open the session of a card's holder, by the card's salted hash.

        Raises:
            NotFoundError: the card is not known; the open session was closed.
            StorageError: the journal cannot be written.
        """
        return await self._core.sessions.open_by_card(card, by=by)

    async def close_session(self, *, abort: bool = False) -> MeasurementSession | None:
        """Close the open session; an aborted one's readings are unclaimed.

        Raises:
            StorageError: the journal cannot be written.
        """
        end = SessionEnd.ABORTED if abort else SessionEnd.FINISHED
        return await self._core.sessions.close(end)

    async def command(self, device: str, name: str, *, by: str) -> None:
        """Have a device do something, audited.

        Raises:
            ConflictError: the device cannot; the message says why.
            StorageError: the journal cannot be written.
        """
        refusal = await self._downlink.carry_out(device, name, by=by)
        if refusal:
            raise ConflictError(refusal, current={"device": device})


class StatusReporter:
    """Publishes ``up/status``, retained: on change, and now and then."""

    def __init__(
        self,
        core: StationCore,
        bus: MessageBus,
        topics: StationTopics,
        signer: Signer,
        *,
        desk: StationDesk,
        version: str,
    ) -> None:
        """``version`` is this release's."""
        self._core = core
        self._bus = bus
        self._topics = topics
        self._signer = signer
        self._clock = core.clock
        self._desk = desk
        self._version = version

    def status(self) -> StationStatus:
        """The status now."""
        figures = self._core.journal.figures
        session = self._core.sessions.current
        return StationStatus(
            schema=SCHEMA,
            station=self._topics.station,
            online=True,
            at=self._clock.now(),
            version=self._version,
            epoch=figures.epoch,
            depth=figures.depth,
            oldest_at=figures.oldest_at,
            dead_letters=figures.dead_letters,
            bytes_used=figures.bytes_used,
            bytes_quota=figures.bytes_quota,
            refused_readings=figures.refused_readings,
            refused_waveforms=figures.refused_waveforms,
            conditions=self._core.events.active,
            devices=self._desk.devices(),
            session=session.id if session else "",
        )

    async def run(self) -> None:
        """Publish until cancelled; the last will then says offline."""
        published: StationStatus | None = None
        due = 0.0
        online = False
        while True:
            await self._bus.wait_connected()
            status = self.status()
            now = self._clock.monotonic()
            if not online or now >= due or _changed(published, status):
                try:
                    await self._publish(status)
                except LinkError:
                    online = False
                else:
                    online, published, due = True, status, now + STATUS_EVERY
            await self._clock.sleep(STATUS_TICK)
            online = online and self._bus.connected

    async def _publish(self, status: StationStatus) -> None:
        topic = self._topics.up("status")
        payload = self._signer.seal(topic, msgspec.json.encode(status))
        await self._bus.publish(topic, payload, retain=True)


def last_will(topics: StationTopics) -> tuple[str, bytes]:
    """Topic and payload of the retained last will; unsealed, the broker sends it."""
    offline = StationStatus(schema=SCHEMA, station=topics.station, online=False)
    return topics.up("status"), msgspec.json.encode(offline)


def needs_attention(observation: Observation) -> bool:
    """Whether an operator should look at it."""
    return (
        observation.subject is None
        or observation.time_quality is TimeQuality.IMPOSSIBLE
    )


def with_facts(devices: list[DeviceStatus], pipeline: Pipeline) -> list[DeviceStatus]:
    """Device statuses with battery and last reading filled in."""
    seen = pipeline.seen
    return [
        msgspec.structs.replace(
            d,
            battery=seen.batteries.get(d.id, d.battery),
            last_reading_at=seen.last_reading_at.get(d.id, d.last_reading_at),
        )
        for d in devices
    ]


def _changed(before: StationStatus | None, now: StationStatus) -> bool:
    """Whether people would want to know at once; figures wait for the next turn."""
    return before is None or _essence(before) != _essence(now)


def _essence(status: StationStatus) -> tuple[object, ...]:
    return (
        status.epoch,
        status.session,
        status.conditions,
        status.dead_letters,
        [(d.id, d.state, d.reason) for d in status.devices],
    )
