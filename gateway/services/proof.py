"""A reading as it is held: its bytes, its place in the log, and whose it is now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import Connection, select

from gateway.database.tables import attribution, log, waveform
from gateway.database.tables.base import from_us
from gateway.model.observation import Observation
from gateway.model.session import Attribution
from gateway.wire.batch import decode_body

NIL: Final = UUID(int=0)
# A reading changes hands a few times in its life; more would be a fault to look into.
MAX_HISTORY: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A reading with what proves it.

    Attributes:
        seq: its place in the hub's log.
        resident: whose it is now; empty while unclaimed.
        history: claims and re-assignments, oldest first.
    """

    observation: Observation
    seq: int
    hub_received_at: datetime
    resident: str
    history: tuple[Attribution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A reading or recording and its present owner, read inside a transaction."""

    observation: UUID
    stream: str
    station: str
    resident: str
    taken_at: datetime


def load_held(connection: Connection, observation: UUID, stream: str) -> Held | None:
    """A reading, or a recording when ``stream`` is given; None when it is not here."""
    if stream:
        row = connection.execute(
            select(waveform.c.resident, waveform.c.body, waveform.c.start_us)
            .where(waveform.c.stream == stream)
            .order_by(waveform.c.first)
            .limit(1)
        ).first()
        if row is None:
            return None
        return Held(
            observation=NIL,
            stream=stream,
            station=_STATION.decode(row.body).station,
            resident=row.resident,
            taken_at=from_us(row.start_us),
        )
    proof = load_proof(connection, observation)
    if proof is None:
        return None
    return Held(
        observation=observation,
        stream="",
        station=proof.observation.station,
        resident=proof.resident,
        taken_at=proof.observation.taken_at,
    )


class _StationOfChunk(msgspec.Struct):
    """The part of a stored chunk that says where it was recorded."""

    station: str


_STATION = msgspec.msgpack.Decoder(_StationOfChunk)


def load_proof(connection: Connection, id_: UUID) -> Proof | None:
    """A reading with its history; None when there is none."""
    row = connection.execute(select(log).where(log.c.id == id_.bytes)).first()
    if row is None or row.type != "reading":
        return None
    body = decode_body(row.type, row.body)
    if not isinstance(body, Observation):
        return None
    moves = connection.execute(
        select(attribution)
        .where(attribution.c.observation == id_.bytes)
        .order_by(attribution.c.at_us.desc(), attribution.c.id.desc())
        .limit(MAX_HISTORY)
    ).all()
    history = tuple(
        Attribution(
            id=NIL,
            observation=id_,
            resident=move.resident,
            by=move.by,
            at=from_us(move.at_us),
            reason=move.reason,
            previous=move.previous,
            approved_by=move.approved_by,
        )
        for move in reversed(moves)
    )
    resident = history[-1].resident if history else (body.subject or "")
    return Proof(
        observation=body,
        seq=row.seq,
        hub_received_at=from_us(row.received_us),
        resident=resident,
        history=history,
    )
