"""When a session is aborted, its readings go back to belonging to nobody.

A consumer that turns the abort into attributions in the log, one per reading and
recording of that session, so that every other consumer needs to know only those.
"""

from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import Connection, select

from gateway.database.tables import log, measurement_session
from gateway.database.tables.base import to_us
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
from gateway.ports.log import LogEntry

# Entries looked through for one session: a day of one reading a second.
MAX_ENTRIES: Final = 86_400

_NIL: Final = UUID(int=0)

Measured = Observation | WaveformChunk


class AbortedSessions:
    """Implements ``TransactionalConsumer``."""

    name = "aborted-sessions"

    def __init__(self, hub_log: HubLog) -> None:
        self._log = hub_log

    def apply(self, connection: Connection, entries: list[LogEntry]) -> list[LogEntry]:
        """Append what withdraws readings of aborted sessions; the new entries."""
        news: list[NewLogEntry] = []
        aborted = _aborted(connection, entries)
        for entry in entries:
            body = entry.body
            if isinstance(body, MeasurementSession) and body.id in aborted:
                found = _of_session(connection, body)
                news.extend(_withdrawal(measured, entry) for measured in found)
            elif isinstance(body, Measured) and body.session in aborted:
                # It arrived after the abort of its session.
                news.append(_withdrawal(body, entry))
        last = entries[-1].received_at
        return append(connection, news, last)

    def committed(self, result: object) -> None:
        """Tell the log's readers."""
        if isinstance(result, list):
            self._log.committed(result)


def _of_session(connection: Connection, session: MeasurementSession) -> list[Measured]:
    """What was measured in the session and is in the log."""
    rows = connection.execute(
        select(log.c.type, log.c.body)
        .where(
            log.c.station == session.station,
            log.c.type.in_(("reading", "waveform")),
            log.c.received_us >= to_us(session.opened_at),
        )
        .limit(MAX_ENTRIES)
    ).all()
    found: list[Measured] = []
    for row in rows:
        try:
            body = decode_entry(row.type, row.body)
        except WireError:
            continue  # counted by the log when it is read
        if isinstance(body, Measured) and body.session == session.id:
            found.append(body)
    return found


def _aborted(connection: Connection, entries: list[LogEntry]) -> set[str]:
    """Which of the sessions that the entries name ended aborted."""
    named: set[str] = set()
    for entry in entries:
        body = entry.body
        if isinstance(body, MeasurementSession):
            named.add(body.id)
        elif isinstance(body, Measured) and body.session and body.subject:
            named.add(body.session)
    if not named:
        return set()
    table = measurement_session
    rows = connection.execute(
        select(table.c.id).where(
            table.c.id.in_(named), table.c.end == SessionEnd.ABORTED.value
        )
    )
    return set(rows.scalars())


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
