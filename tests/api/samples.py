"""Invented readings, recordings and alerts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import Connection, insert, update

from gateway.codes import reading
from gateway.database.tables import (
    alert,
    alert_change,
)
from gateway.database.tables.base import to_us
from gateway.model.alert import (
    Alert,
    AlertState,
    Confirmation,
    Evidence,
    Level,
    Outcome,
)
from gateway.model.observation import (
    OBSERVATION_NAMESPACE,
    Component,
    Observation,
    Quantity,
    Setting,
    TimeQuality,
)
from gateway.model.waveform import WaveformChunk, chunk_id, pack_samples

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def blood_pressure(
    number: int,
    *,
    subject: str | None = "r-1",
    station: str = "kiosk-1",
    at: datetime | None = None,
) -> Observation:
    """One blood pressure, ``number`` minutes before now unless ``at`` is given."""
    taken = at or NOW - timedelta(minutes=number)
    values = {"systolic": 120 + number, "diastolic": 80, "pulse_rate_cuff": 70}
    return Observation(
        id=uuid5(OBSERVATION_NAMESPACE, f"bp-{number}-{subject}-{station}-{taken}"),
        kind="blood_pressure_panel",
        code=reading("blood_pressure_panel").mdc,
        components=tuple(
            Component(
                name=name,
                code=reading(name).mdc,
                quantity=Quantity(unit=reading(name).unit or "", value=Decimal(value)),
            )
            for name, value in values.items()
        ),
        device="dev-1",
        station=station,
        received_at=taken,
        taken_at=taken,
        time_quality=TimeQuality.RECEIVED,
        setting=Setting.KIOSK,
        raw=b"\x16" + number.to_bytes(2, "little"),
        driver="test/1",
        subject=subject,
    )


def ecg(
    index: int,
    *,
    stream: str = "ecg-1",
    subject: str | None = "r-1",
    counts: list[int] | None = None,
    rate: float = 100,
    gap: int = 0,
) -> WaveformChunk:
    """Ten seconds of one lead at 100 Hz, from sample ``index`` on."""
    values = counts or [index % 7 + i % 50 for i in range(1000)]
    return WaveformChunk(
        id=chunk_id(stream, "ecg_lead_ii", index),
        stream=stream,
        kind="ecg_lead_ii",
        code=reading("ecg_lead_ii").mdc,
        device="dev-1",
        station="kiosk-1",
        received_at=NOW,
        t0=NOW - timedelta(minutes=5) + timedelta(seconds=index / rate),
        index=index,
        rate=rate,
        scale=0.0025,
        baseline=10,
        unit="mV",
        count=len(values),
        samples=pack_samples(values),
        setting=Setting.KIOSK,
        driver="test/1",
        gap_before=gap,
        subject=subject,
    )


_numbers = iter(range(1, 1_000_000))


def make_alert(  # noqa: PLR0913 - a builder
    *,
    resident: str = "r-1",
    team: str = "east",
    level: Level = Level.HIGH,
    state: AlertState = AlertState.RAISED,
    assignee: str = "dr.east",
    kind: str = "physiological",
    station: str = "",
    at: datetime = NOW,
    outcome: Outcome | None = None,
    note: str = "",
) -> Alert:
    """An alert of its own rule, so that keys never collide."""
    number = next(_numbers)
    return Alert(
        id=uuid5(OBSERVATION_NAMESPACE, f"alert-{number}"),
        key=f"{resident}|rule-{number}",
        rule="bp.crisis",
        rule_version="1",
        resident=resident,
        level=level,
        state=state,
        confirmation=Confirmation.UNCONFIRMED,
        version=1,
        raised_at=at,
        updated_at=at,
        evidence=(
            Evidence(
                observation=UUID(int=number), taken_at=at, values={"systolic": "186"}
            ),
        ),
        team=team,
        assignee=assignee,
        kind=kind,
        station=station,
        outcome=outcome,
        note=note,
    )


def write_alert(connection: Connection, fresh: Alert, change: str) -> None:
    """The alert as it is now, and the change that made it so."""
    body = msgspec.json.encode(fresh)
    values = {
        "key": fresh.key,
        "resident": fresh.resident,
        "team": fresh.team,
        "assignee": fresh.assignee,
        "level": fresh.level.rank,
        "state": fresh.state.value,
        "version": fresh.version,
        "raised_us": to_us(fresh.raised_at),
        "updated_us": to_us(fresh.updated_at),
        "body": body,
    }
    held = connection.execute(
        update(alert).where(alert.c.id == fresh.id.bytes).values(**values)
    )
    if not held.rowcount:
        connection.execute(insert(alert).values(id=fresh.id.bytes, **values))
    connection.execute(
        insert(alert_change).values(
            alert=fresh.id.bytes,
            change=change,
            at_us=to_us(fresh.updated_at),
            by="",
            body=body,
        )
    )
