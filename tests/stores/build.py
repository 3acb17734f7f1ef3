"""Invented observations and recordings for the store tests."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import Connection, insert, select

from gateway.codes import reading
from gateway.database.engine import Database
from gateway.database.tables import log
from gateway.database.tables.base import from_us, to_us
from gateway.model.observation import (
    OBSERVATION_NAMESPACE,
    Absent,
    Component,
    Observation,
    Quantity,
    Setting,
    TimeQuality,
)
from gateway.model.session import Attribution
from gateway.model.waveform import WaveformChunk, chunk_id, pack_samples
from gateway.ports.log import LogEntry
from gateway.wire.batch import decode_body, encode_body

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def observation(
    number: int,
    *,
    subject: str | None = "r-invented-1",
    kind: str = "spo2",
    values: dict[str, Decimal | Absent] | None = None,
    at: datetime | None = None,
) -> Observation:
    """Reading ``number``, one minute after the one before."""
    taken = at or START + timedelta(minutes=number)
    components = []
    for name, value in (values or {"spo2": Decimal(97)}).items():
        code = reading(name)
        quantity = (
            Quantity(unit=code.unit or "1", absent=value)
            if isinstance(value, Absent)
            else Quantity(unit=code.unit or "1", value=value)
        )
        components.append(Component(name=name, code=code.mdc, quantity=quantity))
    return Observation(
        id=uuid5(OBSERVATION_NAMESPACE, f"test-{number}-{kind}"),
        kind=kind,
        code=reading(kind).mdc,
        components=tuple(components),
        device="dev-invented",
        station="station-a",
        received_at=taken,
        taken_at=taken,
        time_quality=TimeQuality.RECEIVED,
        setting=Setting.KIOSK,
        raw=number.to_bytes(4, "little"),
        driver="test/1",
        subject=subject,
    )


def chunk(index: int, *, subject: str | None = "r-invented-1") -> WaveformChunk:
    """Ten seconds of one lead at 150 Hz, starting at sample ``index``."""
    counts = [2048 + (i % 37) for i in range(1500)]
    return WaveformChunk(
        id=chunk_id("stream-1", "ecg_lead_i", index),
        stream="stream-1",
        kind="ecg_lead_i",
        code=reading("ecg_lead_i").mdc,
        device="dev-invented",
        station="station-a",
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
        subject=subject,
    )


def attribution(
    of: Observation, *, resident: str, previous: str = "", stream: str = ""
) -> Attribution:
    """A claim of ``of`` for ``resident``."""
    return Attribution(
        id=uuid5(OBSERVATION_NAMESPACE, f"claim-{of.id}-{resident}"),
        observation=UUID(int=0) if stream else of.id,
        resident=resident,
        by="operator-invented",
        at=START,
        reason="test",
        stream=stream,
        previous=previous,
    )


class TableLog:
    """The log table, written and read directly: what the stores consume."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def append(
        self, *bodies: Observation | WaveformChunk | Attribution
    ) -> list[LogEntry]:
        """Commit entries and return them as consumers get them."""

        def put(connection: Connection) -> list[LogEntry]:
            entries = []
            for body in bodies:
                if isinstance(body, Attribution):
                    type_, data = "attribution", msgspec.json.encode(body)
                else:
                    type_ = "reading" if isinstance(body, Observation) else "waveform"
                    data = encode_body(body)
                result = connection.execute(
                    insert(log).values(
                        id=body.id.bytes,
                        type=type_,
                        station="station-a",
                        received_us=to_us(START),
                        body=data,
                    )
                )
                key = result.inserted_primary_key
                assert key is not None
                entries.append(_entry(key[0], type_, data, body.id))
            return entries

        return await self.database.write(put)

    async def read(self, after: int, limit: int) -> list[LogEntry]:
        query = select(log).where(log.c.seq > after).order_by(log.c.seq).limit(limit)
        rows = await self.database.read(lambda c: c.execute(query).all())
        return [_entry(r.seq, r.type, r.body, UUID(bytes=r.id)) for r in rows]

    async def wait_beyond(self, seq: int) -> None:
        while not await self.read(seq, 1):
            await asyncio.sleep(0.01)


def _entry(seq: int, type_: str, data: bytes, id_: UUID) -> LogEntry:
    body = (
        msgspec.json.decode(data, type=Attribution)
        if type_ == "attribution"
        else decode_body(type_, data)
    )
    return LogEntry(
        seq=seq,
        id=id_,
        type=type_,
        station="station-a",
        received_at=from_us(to_us(START)),
        body=body,
    )
