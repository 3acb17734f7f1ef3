"""Invented stations with journals, a broker and a hub around the real intake."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid5

import msgspec
from msgspec import Raw
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, Engine, event, insert, select
from sqlalchemy.exc import OperationalError

from gateway.clock import ManualClock
from gateway.codes import reading
from gateway.database.engine import Database
from gateway.database.tables import log, metadata, station
from gateway.errors import LinkClosedError
from gateway.hub.dead_letters import DeadLetters
from gateway.hub.intake import Intake, IntakeMetrics
from gateway.hub.log import HubLog
from gateway.hub.stations import StationDirectory
from gateway.model.observation import (
    OBSERVATION_NAMESPACE,
    Component,
    Observation,
    Quantity,
    Setting,
    TimeQuality,
    observation_id,
)
from gateway.model.session import (
    IdentifiedBy,
    MeasurementSession,
    SessionEnd,
    TechnicalEvent,
)
from gateway.model.waveform import WaveformChunk, chunk_id, pack_samples
from gateway.ports.messaging import Delivery, Message
from gateway.wire.batch import (
    SCHEMA,
    Acknowledgement,
    Batch,
    BatchEntry,
    Body,
    encode_batch,
    encode_body,
)
from gateway.wire.seal import Signer, unseal
from gateway.wire.topics import StationTopics

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SITE = "site-invented"
EPOCH = "epoch-1"


class EagerClock(ManualClock):
    """Whoever sleeps moves the clock and goes on, so that no test waits."""

    async def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)


def blood_pressure(
    number: int,
    *,
    station: str = "station-a",
    session: str | None = None,
    subject: str | None = None,
    systolic: Decimal = Decimal(128),
) -> Observation:
    """Reading ``number`` of one cuff; the id depends on the number."""
    at = START + timedelta(seconds=number)
    raw = b"\x1e\x80\x00\x50\x00\x60\x00" + number.to_bytes(4, "little")
    values = {"systolic": systolic, "diastolic": Decimal(82)}
    panel = reading("blood_pressure_panel")
    return Observation(
        id=observation_id(
            device="cuff-invented",
            code=panel.mdc,
            raw=raw,
            device_time=None,
            sequence=number,
            received_at=at,
        ),
        kind="blood_pressure_panel",
        code=panel.mdc,
        components=tuple(
            Component(name=name, code=1, quantity=Quantity(unit="mm[Hg]", value=value))
            for name, value in values.items()
        ),
        device="cuff-invented",
        station=station,
        received_at=at,
        taken_at=at,
        time_quality=TimeQuality.RECEIVED,
        setting=Setting.KIOSK,
        raw=raw,
        driver="test/1",
        sequence=number,
        session=session,
        subject=subject,
    )


def chunk(
    index: int,
    *,
    station: str = "station-a",
    session: str | None = None,
    subject: str | None = None,
    stream: str = "stream-1",
) -> WaveformChunk:
    """One second of a lead, starting at sample ``index``."""
    counts = [2048 + (i % 37) for i in range(150)]
    return WaveformChunk(
        id=chunk_id(stream, "ecg_lead_i", index),
        stream=stream,
        kind="ecg_lead_i",
        code=reading("ecg_lead_i").mdc,
        device="ecg-invented",
        station=station,
        received_at=START,
        t0=START + timedelta(seconds=index / 150),
        index=index,
        rate=150,
        scale=1 / 394,
        baseline=2048,
        unit="mV",
        count=len(counts),
        samples=pack_samples(counts),
        setting=Setting.KIOSK,
        driver="test/1",
        session=session,
        subject=subject,
    )


def session_entry(
    id_: str,
    *,
    station: str = "station-a",
    end: SessionEnd | None = None,
    opened_at: datetime = START,
) -> MeasurementSession:
    """The opening of a session, or its closing when ``end`` is given."""
    return MeasurementSession(
        id=id_,
        station=station,
        resident="r-invented-1",
        identified_by=IdentifiedBy.ID_CARD,
        opened_at=opened_at,
        closed_at=None if end is None else opened_at + timedelta(minutes=5),
        end=end,
    )


def technical(number: int, *, station: str = "station-a") -> TechnicalEvent:
    """A technical event."""
    return TechnicalEvent(
        id=uuid5(OBSERVATION_NAMESPACE, f"event-{number}"),
        station=station,
        code="probe-off",
        at=START,
        active=True,
    )


def type_of(body: Body) -> str:
    """The entry type of a body."""
    match body:
        case Observation():
            return "reading"
        case WaveformChunk():
            return "waveform"
        case MeasurementSession():
            return "session"
        case TechnicalEvent():
            return "event"


class StationModel:
    """A station's side: its key, its journal, and what the hub acknowledged."""

    def __init__(self, id_: str = "station-a", *, epoch: str = EPOCH) -> None:
        self.id = id_
        self.epoch = epoch
        self.signer = Signer.generate()
        self.topics = StationTopics(SITE, id_)
        self.journal: dict[int, tuple[str, bytes]] = {}
        self.acknowledged: set[int] = set()

    def record(self, *bodies: Body) -> list[int]:
        """Journal entries; their numbers."""
        seqs = []
        for body in bodies:
            seqs.append(len(self.journal) + 1)
            self.journal[seqs[-1]] = (type_of(body), encode_body(body))
        return seqs

    def record_bytes(self, type_: str, body: bytes) -> int:
        """Journal something that no station of ours would."""
        self.journal[len(self.journal) + 1] = (type_, body)
        return len(self.journal)

    @property
    def unacknowledged(self) -> list[int]:
        return sorted(self.journal.keys() - self.acknowledged)

    def batch(self, seqs: Iterable[int], *, waveforms: bool = False) -> Message:
        """These journal entries as one message."""
        batch = Batch(
            schema=SCHEMA,
            station=self.id,
            epoch=self.epoch,
            sent_at=START,
            entries=[
                BatchEntry(
                    seq=seq, type=self.journal[seq][0], body=Raw(self.journal[seq][1])
                )
                for seq in seqs
            ],
        )
        name = "waveforms" if waveforms else "readings"
        return self.sealed(
            name, encode_batch(batch, waveforms=waveforms), waveforms=waveforms
        )

    def sealed(self, name: str, body: bytes, *, waveforms: bool = False) -> Message:
        """Any body, signed by this station."""
        topic = self.topics.up(name)
        payload = self.signer.seal(topic, body, waveforms=waveforms)
        return Message(topic=topic, payload=payload)

    def take(self, acknowledgement: Acknowledgement) -> None:
        """Free what the hub holds."""
        assert acknowledgement.station == self.id
        if acknowledgement.epoch != self.epoch:
            return
        spans = [(1, acknowledgement.upto), *acknowledgement.ranges]
        for first, last in spans:
            self.acknowledged.update(range(first, last + 1))


class BrokerDelivery:
    """One message at the fake broker."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self.is_done = False

    @property
    def message(self) -> Message:
        return self._message

    def done(self) -> None:
        self.is_done = True


class Broker:
    """Keeps a message until it is done; a reconnection sends the rest again."""

    def __init__(self) -> None:
        self.kept: list[BrokerDelivery] = []
        self._queue: deque[BrokerDelivery] = deque()
        self._news = asyncio.Event()

    def publish(self, *messages: Message) -> None:
        for message in messages:
            self.kept.append(BrokerDelivery(message))
            self._queue.append(self.kept[-1])
        self._news.set()

    def reconnect(self) -> None:
        """Everything not done comes again, after what waits."""
        self.kept = [d for d in self.kept if not d.is_done]
        self._queue.extend(self.kept)
        self._news.set()

    @property
    def undone(self) -> int:
        return sum(not d.is_done for d in self.kept)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while True:
            while self._queue:
                yield self._queue.popleft()
            self._news.clear()
            await self._news.wait()


class Acknowledgements:
    """Takes the hub's acknowledgements as the stations would."""

    def __init__(self) -> None:
        self.public_key = b""
        self.sent: list[Acknowledgement] = []
        self.stations: dict[str, StationModel] = {}
        self.lose = False

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        assert not retain
        assert qos in (0, 1)
        if self.lose:
            raise LinkClosedError("broker: not connected.")
        body = unseal(topic, payload, self.public_key)
        acknowledgement = msgspec.json.decode(body, type=Acknowledgement)
        self.sent.append(acknowledgement)
        model = self.stations.get(acknowledgement.station)
        if model is not None:
            assert topic == model.topics.down("ack")
            model.take(acknowledgement)


class Hub:
    """The real intake on a SQLite file, between a fake broker and fake stations."""

    def __init__(self, path: Path) -> None:
        self.clock = EagerClock(START)
        self.database = Database(f"sqlite:///{path}")
        self.log = HubLog(self.database)
        self.stations = StationDirectory(self.database, self.clock)
        self.broker = Broker()
        self.acks = Acknowledgements()
        self.registry = CollectorRegistry()
        self.letters = DeadLetters(self.database)
        signer = Signer.generate()
        self.acks.public_key = signer.public_key
        self.intake = Intake(
            self.broker,
            self.database,
            self.log,
            self.stations,
            self.acks,
            signer=signer,
            clock=self.clock,
            metrics=IntakeMetrics(self.registry),
        )

    async def open(self) -> None:
        await self.database.write(metadata.create_all)
        await self.log.open()

    async def enrol(self, model: StationModel) -> None:
        row = {
            "id": model.id,
            "site": SITE,
            "name": "",
            "public_key": model.signer.public_key,
            "setting": "kiosk",
            "status": b"",
        }
        await self.database.write(lambda c: c.execute(insert(station), [row]))
        await self.stations.reload()
        self.acks.stations[model.id] = model

    async def send(self, *messages: Message) -> list[BrokerDelivery]:
        """Take messages as one group."""
        deliveries = [BrokerDelivery(message) for message in messages]
        await self.intake.take(list(deliveries))
        return deliveries

    async def logged(self) -> list[bytes]:
        """Bodies in the log, in order, from the table."""
        query = select(log.c.body).order_by(log.c.seq)
        return list(await self.database.read(lambda c: c.execute(query).scalars()))

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


def fail_commits(engine: Engine, times: int) -> list[int]:
    """The next commits fail, as when the disk is full; holds how many are left."""
    left = [times]

    @event.listens_for(engine, "commit")
    def _fail(_connection: Connection) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise OperationalError("COMMIT", None, OSError("disk full"))

    return left
