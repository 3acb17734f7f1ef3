"""The engine's state, alerts and their feed as rows of the hub's database.

Functions over a connection: the caller chooses the transaction.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.alerting.conditions import Profile
from gateway.alerting.engine import ResidentState
from gateway.alerting.reconcile import Event
from gateway.alerting.tracks import Stream, deadline
from gateway.database.tables import alert, alert_change, resident, rule_state
from gateway.database.tables.base import from_us, to_us
from gateway.model.alert import Alert, AlertChange, AlertState

# Names in one SQL list; SQLite of long ago refuses more than 999 parameters.
MAX_IN_LIST: Final = 500

_ALERTS = msgspec.json.Decoder(Alert)
_STREAMS = msgspec.msgpack.Decoder(Stream)
# Built once: a storm writes thousands of rows with them.
_INSERT_ALERT = insert(alert)
_INSERT_CHANGE = insert(alert_change)
_UPDATE_ALERT = update(alert).where(alert.c.id == bindparam("which"))
_DIAGNOSES = msgspec.json.Decoder(tuple[str, ...])


def load_states(
    connection: Connection, residents: Collection[str]
) -> dict[str, ResidentState]:
    """The engine's state of each resident; empty for one without rows."""
    streams: dict[str, dict[str, Stream]] = {}
    alerts: dict[str, dict[str, Alert]] = {}
    for part in _parts(residents):
        rows = connection.execute(
            select(rule_state.c.resident, rule_state.c.rule, rule_state.c.body).where(
                rule_state.c.resident.in_(part)
            )
        )
        for who, rule, body in rows:
            streams.setdefault(who, {})[rule] = _STREAMS.decode(body)
        bodies = connection.execute(
            select(alert.c.body).where(
                alert.c.resident.in_(part), alert.c.state != AlertState.CLOSED.value
            )
        )
        for (body,) in bodies:
            found = _ALERTS.decode(body)
            alerts.setdefault(found.resident, {})[found.rule] = found
    return {
        who: ResidentState(streams=streams.get(who, {}), alerts=alerts.get(who, {}))
        for who in residents
    }


def load_profiles(
    connection: Connection, residents: Collection[str]
) -> dict[str, Profile]:
    """What the rules need of each resident; an unknown one has an empty profile."""
    found = {who: Profile(resident=who) for who in residents}
    for part in _parts(residents):
        rows = connection.execute(
            select(
                resident.c.id,
                resident.c.diagnoses,
                resident.c.spo2_scale,
            ).where(resident.c.id.in_(part))
        )
        for row in rows:
            found[row.id] = Profile(
                resident=row.id,
                diagnoses=frozenset(_DIAGNOSES.decode(row.diagnoses)),
                spo2_scale=row.spo2_scale,
            )
    return found


def save_states(
    connection: Connection,
    before: Mapping[str, ResidentState],
    after: Mapping[str, ResidentState],
) -> None:
    """Write the streams that have changed."""
    rows = [
        {
            "resident": who,
            "rule": name,
            "deadline_us": deadline(stream),
            "body": msgspec.msgpack.encode(stream),
        }
        for who, state in after.items()
        for name, stream in state.streams.items()
        if stream is not before[who].streams.get(name)
    ]
    if rows:
        connection.execute(_upsert_state(connection), rows)


def due_residents(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Residents with a deadline that has come, those that wait longest first."""
    rows = connection.execute(
        select(rule_state.c.resident)
        .where(rule_state.c.deadline_us <= to_us(now))
        .order_by(rule_state.c.deadline_us)
        .limit(limit)
    )
    return list(dict.fromkeys(row.resident for row in rows))


def find_alert(connection: Connection, id_: bytes) -> Alert | None:
    """One alert, or None."""
    body = connection.execute(select(alert.c.body).where(alert.c.id == id_)).scalar()
    return None if body is None else _ALERTS.decode(body)


def store_event(
    connection: Connection, event: Event, *, at: datetime, by: str = ""
) -> AlertChange:
    """Write the alert as it is now and one entry of its feed."""
    values = _alert_row(event.alert)
    if event.change == "raised":
        connection.execute(_INSERT_ALERT, values)
    else:
        connection.execute(_UPDATE_ALERT, values | {"which": values["id"]})
    key = connection.execute(
        _INSERT_CHANGE,
        {
            "alert": values["id"],
            "change": event.change,
            "at_us": to_us(at),
            "by": by,
            "body": values["body"],
        },
    ).inserted_primary_key
    if key is None:  # pragma: no cover - both dialects return it
        raise TypeError("the dialect does not return the key of an inserted row")
    return AlertChange(seq=key[0], change=event.change, at=at, alert=event.alert)


def read_changes(connection: Connection, after: int, limit: int) -> list[AlertChange]:
    """Entries of the feed with ``seq > after``, in order."""
    rows = connection.execute(
        select(alert_change)
        .where(alert_change.c.seq > after)
        .order_by(alert_change.c.seq)
        .limit(limit)
    )
    return [_change(row) for row in rows]


def _change(row: Row[Any]) -> AlertChange:
    return AlertChange(
        seq=row.seq,
        change=row.change,
        at=from_us(row.at_us),
        alert=_ALERTS.decode(row.body),
    )


def decode_alerts(bodies: Iterable[bytes]) -> list[Alert]:
    """Alerts from the ``body`` column."""
    return [_ALERTS.decode(body) for body in bodies]


def _alert_row(value: Alert) -> dict[str, Any]:
    return {
        "id": value.id.bytes,
        "key": value.key,
        "resident": value.resident,
        "team": value.team,
        "assignee": value.assignee,
        "level": value.level.rank,
        "state": value.state.value,
        "version": value.version,
        "raised_us": to_us(value.raised_at),
        "updated_us": to_us(value.updated_at),
        "body": msgspec.json.encode(value),
    }


def _upsert_state(connection: Connection) -> Any:  # noqa: ANN401 - two dialects
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(rule_state)
    return statement.on_conflict_do_update(
        index_elements=["resident", "rule"],
        set_={
            "deadline_us": statement.excluded.deadline_us,
            "body": statement.excluded.body,
        },
    )


def _parts(names: Collection[str]) -> Iterator[Sequence[str]]:
    ordered = sorted(names)
    for start in range(0, len(ordered), MAX_IN_LIST):
        yield ordered[start : start + MAX_IN_LIST]
