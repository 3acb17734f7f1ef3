"""Which readings belong to nobody, and who each was attributed to: from the log.

A station sends a reading without a subject when it cannot know whose it is; a claim or
a re-assignment names one afterwards, an aborted session takes it away again.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from gateway.database.tables import attribution, log, unclaimed, waveform
from gateway.database.tables.base import to_us
from gateway.model.observation import Observation
from gateway.model.session import Attribution
from gateway.model.waveform import WaveformChunk
from gateway.ports.log import LogEntry
from gateway.wire.batch import decode_body

NIL: Final = UUID(int=0)


class UnclaimedReadings:
    """Implements ``TransactionalConsumer``; applying entries again changes nothing."""

    name = "unclaimed"

    def apply(self, connection: Connection, entries: list[LogEntry]) -> None:
        """Follow the log."""
        for entry in entries:
            body = entry.body
            if isinstance(body, Observation):
                if body.subject is None:
                    _put(connection, _of_reading(body))
            elif isinstance(body, WaveformChunk):
                if body.subject is None:
                    _put(connection, _of_recording(body))
            elif isinstance(body, Attribution):
                self._attribute(connection, body)

    def committed(self, result: object) -> None:
        """Nothing to announce: readers ask."""

    def _attribute(self, connection: Connection, body: Attribution) -> None:
        if not body.stream:
            _keep(connection, body)
        if body.resident:
            connection.execute(
                delete(unclaimed).where(_is(body.observation.bytes, body.stream))
            )
            return
        if body.stream:
            row = connection.execute(
                select(waveform.c.id).where(waveform.c.stream == body.stream).limit(1)
            ).scalar_one_or_none()
            key = row
        else:
            key = body.observation.bytes
        held = connection.execute(
            select(log.c.type, log.c.body).where(log.c.id == key)
        ).one_or_none()
        if held is None:
            return  # taken away before it arrived: nothing here to show
        found = decode_body(held.type, held.body)
        if isinstance(found, Observation):
            _put(connection, _of_reading(found))
        elif isinstance(found, WaveformChunk):
            _put(connection, _of_recording(found))


def _keep(connection: Connection, body: Attribution) -> None:
    """Into the history of the reading, unless the claim put it there itself."""
    row = {
        "observation": body.observation.bytes,
        "resident": body.resident,
        "by": body.by,
        "at_us": to_us(body.at),
    }
    same = and_(*(attribution.c[name] == value for name, value in row.items()))
    held = connection.execute(select(attribution.c.id).where(same)).first()
    if held is None:
        connection.execute(
            insert(attribution).values(
                **row,
                previous=body.previous,
                approved_by=body.approved_by,
                reason=body.reason,
            )
        )


def _of_reading(body: Observation) -> dict[str, object]:
    return {
        "observation": body.id.bytes,
        "stream": "",
        "station": body.station,
        "kind": body.kind,
        "taken_us": to_us(body.taken_at),
    }


def _of_recording(body: WaveformChunk) -> dict[str, object]:
    return {
        "observation": NIL.bytes,
        "stream": body.stream,
        "station": body.station,
        "kind": body.kind,
        "taken_us": to_us(body.t0),
    }


def _put(connection: Connection, row: dict[str, object]) -> None:
    held = connection.execute(
        select(unclaimed.c.station).where(_is(row["observation"], row["stream"]))
    ).one_or_none()
    if held is None:
        connection.execute(insert(unclaimed).values(**row))


def _is(observation: object, stream: object) -> ColumnElement[bool]:
    return and_(unclaimed.c.observation == observation, unclaimed.c.stream == stream)
