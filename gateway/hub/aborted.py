"""When a session is aborted, its readings go back to belonging to nobody.

A consumer that turns the abort into attributions in the log, one per reading and
recording of that session, so that every other consumer needs to know only those.
"""

from collections.abc import Iterator
from typing import Final, TypeGuard
from uuid import UUID, uuid5

from sqlalchemy import Connection, select

from gateway.database.tables import log, measurement_session
from gateway.errors import WireError
from gateway.hub.log import (
    HubLog,
    NewLogEntry,
    append,
    attribution_entry,
    decode_entry,
)
from gateway.model.observation import OBSERVATION_NAMESPACE, Observation
from gateway.model.session import Attribution, MeasurementSession, SessionEnd
from gateway.model.waveform import WaveformChunk
from gateway.ports.log import LogBody, LogEntry

# Entries of one session read at a time.
PAGE: Final = 1_000

_NIL: Final = UUID(int=0)

Measured = Observation | WaveformChunk


class AbortedSessions:
    """Implements ``TransactionalConsumer``."""

    name = "aborted-sessions"

    def __init__(self, hub_log: HubLog) -> None:
        self._log = hub_log

    def apply(self, connection: Connection, entries: list[LogEntry]) -> list[LogEntry]:
        """Append what withdraws readings of aborted sessions; the new entries."""
        now = entries[-1].received_at
        aborted = _aborted(connection, entries)
        fresh: list[LogEntry] = []
        late: list[NewLogEntry] = []
        for entry in entries:
            body = entry.body
            if isinstance(body, MeasurementSession):
                if (body.station, body.id) in aborted:
                    for found in _of_session(connection, body):
                        news = [_withdrawal(measured, entry) for measured in found]
                        fresh += append(connection, news, now)
            elif _claims(body) and (body.station, body.session) in aborted:
                # It arrived after the abort of its session.
                late.append(_withdrawal(body, entry))
        return fresh + append(connection, late, now)

    def committed(self, result: object) -> None:
        """Tell the log's readers."""
        if isinstance(result, list):
            self._log.committed(result)


def _claims(body: LogBody) -> TypeGuard[Measured]:
    """Whether it says that it was measured of somebody in a session."""
    return isinstance(body, Measured) and bool(body.session and body.subject)


def _of_session(
    connection: Connection, session: MeasurementSession
) -> Iterator[list[Measured]]:
    """What was measured in the session and is in the log, in pages.

    By the session's id alone: the station's clock may be wrong, and its readings may
    have come before the session's own entry.
    """
    after = 0
    while True:
        rows = connection.execute(
            select(log.c.seq, log.c.type, log.c.body)
            .where(log.c.session == session.id)
            .where(log.c.station == session.station)
            .where(log.c.seq > after)
            .order_by(log.c.seq)
            .limit(PAGE)
        ).all()
        if not rows:
            return
        after = rows[-1].seq
        found: list[Measured] = []
        for row in rows:
            try:
                body = decode_entry(row.type, row.body)
            except WireError:
                continue  # counted by the log when it is read
            if _claims(body):
                found.append(body)
        yield found


def _aborted(connection: Connection, entries: list[LogEntry]) -> set[tuple[str, str]]:
    """(station, session) of those that the entries name and that ended aborted."""
    named: set[str] = set()
    for entry in entries:
        body = entry.body
        if isinstance(body, MeasurementSession):
            named.add(body.id)
        elif _claims(body) and body.session:
            named.add(body.session)
    if not named:
        return set()
    table = measurement_session
    rows = connection.execute(
        select(table.c.station, table.c.id).where(
            table.c.id.in_(named), table.c.end == SessionEnd.ABORTED.value
        )
    )
    return {(row.station, row.id) for row in rows}


def _withdrawal(body: Measured, cause: LogEntry) -> NewLogEntry:
    stream = body.stream if isinstance(body, WaveformChunk) else ""
    about = stream or str(body.id)
    withdrawal = Attribution(
        id=uuid5(OBSERVATION_NAMESPACE, f"withdrawn|{about}|{body.session}"),
        observation=_NIL if stream else body.id,
        stream=stream,
        resident="",
        previous=body.subject or "",
        by=f"station:{cause.station}",
        at=cause.received_at,
        reason="session-aborted",
    )
    return attribution_entry(withdrawal, station=cause.station)
