"""Invented readings, people and a resident under the engine's eyes."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

from sqlalchemy import Connection, insert

from gateway.alerting.conditions import Profile
from gateway.alerting.engine import (
    Input,
    ResidentState,
    Tick,
    Withdrawal,
    evaluate,
)
from gateway.alerting.reconcile import Event
from gateway.alerting.repertoire import Repertoire
from gateway.codes import reading
from gateway.database.tables import (
    account,
    care_team,
    contract,
    log,
    resident,
    team_member,
)
from gateway.database.tables.base import to_us
from gateway.model.alert import Alert
from gateway.model.observation import (
    OBSERVATION_NAMESPACE,
    Absent,
    Component,
    Observation,
    Quality,
    Quantity,
    Setting,
    TimeQuality,
)
from gateway.model.session import Attribution
from gateway.ports.log import LogEntry
from gateway.wire.batch import encode_body

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
RESIDENT = "r-invented-1"
TEAM = "team-invented"
DOCTOR = "doctor-invented"

Value = Decimal | int | float | str | Absent


def observation(  # noqa: PLR0913 - a reading has that many facts
    kind: str,
    values: Mapping[str, Value],
    *,
    at: float = 0,
    subject: str | None = RESIDENT,
    quality: Quality = Quality.OK,
    setting: Setting = Setting.KIOSK,
    flags: tuple[str, ...] = (),
    context: dict[str, str] | None = None,
    stored: bool = False,
    time_quality: TimeQuality = TimeQuality.SYNCHRONISED,
    salt: str = "",
) -> Observation:
    """A reading taken ``at`` seconds after ``START``."""
    taken = START + timedelta(seconds=at)
    components = []
    for name, value in values.items():
        code = reading(name)
        unit = code.unit or "1"
        quantity = (
            Quantity(unit=unit, absent=value)
            if isinstance(value, Absent)
            else Quantity(unit=unit, value=Decimal(str(value)))
        )
        components.append(Component(name=name, code=code.mdc, quantity=quantity))
    seed = f"{subject}|{kind}|{at}|{sorted(values.items())}|{salt}"
    return Observation(
        id=uuid5(OBSERVATION_NAMESPACE, seed),
        kind=kind,
        code=reading(kind).mdc,
        components=tuple(components),
        device="dev-invented",
        station="station-a",
        received_at=taken,
        taken_at=taken,
        time_quality=time_quality,
        setting=setting,
        raw=seed.encode(),
        driver="test/1",
        subject=subject,
        quality=quality,
        flags=flags,
        context=context or {},
        stored=stored,
    )


def pressure(
    systolic: Value, diastolic: Value = 75, *, at: float = 0, **more: object
) -> Observation:
    values = {"systolic": systolic, "diastolic": diastolic}
    return observation("blood_pressure_panel", values, at=at, **more)  # type: ignore[arg-type]  # passed on as given


def single(kind: str, value: Value, *, at: float = 0, **more: object) -> Observation:
    return observation(kind, {kind: value}, at=at, **more)  # type: ignore[arg-type]  # passed on as given


class Bed:
    """One resident under the engine, with time counted in seconds from ``START``."""

    def __init__(
        self,
        rules: Repertoire,
        *,
        diagnoses: frozenset[str] = frozenset(),
        spo2_scale: int = 1,
    ) -> None:
        self.rules = rules
        self.profile = Profile(
            resident=RESIDENT, diagnoses=diagnoses, spo2_scale=spo2_scale
        )
        self.state = ResidentState()
        self.events: list[Event] = []

    def give(self, event: Input, *, arrives: float | None = None) -> list[Event]:
        """Evaluate one input; a reading arrives when it is taken unless told."""
        if arrives is None:
            taken = event.taken_at if isinstance(event, Observation) else START
            now = taken
        else:
            now = START + timedelta(seconds=arrives)
        self.state, events = evaluate(
            self.state, event, rules=self.rules, profile=self.profile, now=now
        )
        self.events += events
        return list(events)

    def tick(self, at: float) -> list[Event]:
        return self.give(Tick(), arrives=at)

    def withdraw(self, observation: UUID, *, at: float) -> list[Event]:
        return self.give(Withdrawal(observation=observation), arrives=at)

    def open(self, rule: str) -> Alert | None:
        return self.state.alerts.get(rule)

    def person_closes(self, rule: str) -> None:
        alerts = {k: v for k, v in self.state.alerts.items() if k != rule}
        self.state = ResidentState(streams=self.state.streams, alerts=alerts)

    def person_changes(self, alert: Alert) -> None:
        alerts = {**self.state.alerts, alert.rule: alert}
        self.state = ResidentState(streams=self.state.streams, alerts=alerts)

    def changes(self, rule: str) -> list[str]:
        return [e.change for e in self.events if e.alert.rule == rule]


def seed_people(connection: Connection, *, doctor: bool = True) -> None:
    """One resident under contract with a team of one doctor and one deputy."""
    put_resident(connection, RESIDENT)
    connection.execute(
        insert(care_team).values(id=TEAM, name="Invented team", ladder="[]")
    )
    put_contract(connection, RESIDENT, TEAM)
    if doctor:
        put_member(connection, DOCTOR, "family-doctor")
        put_member(connection, "deputy-invented", "deputy")


def put_resident(
    connection: Connection, id_: str, *, diagnoses: str = "[]", spo2_scale: int = 1
) -> None:
    connection.execute(
        insert(resident).values(
            id=id_,
            name="Invented Person",
            name_latin="",
            birth_date=None,
            sex="",
            diagnoses=diagnoses,
            spo2_scale=spo2_scale,
            cards="[]",
        )
    )


def put_contract(
    connection: Connection,
    resident_id: str,
    team: str,
    *,
    starts: date = date(2026, 1, 1),
    ends: date | None = None,
) -> None:
    connection.execute(
        insert(contract).values(
            id=f"contract-{resident_id}-{team}-{starts}",
            resident=resident_id,
            team=team,
            package="basic",
            starts=starts,
            ends=ends,
        )
    )


def put_member(
    connection: Connection,
    id_: str,
    role: str,
    *,
    team: str = TEAM,
    disabled: bool = False,
) -> None:
    connection.execute(
        insert(account).values(
            id=id_,
            name="Invented Colleague",
            name_latin="",
            roles='["doctor"]',
            resident=None,
            stations="[]",
            password="",
            disabled_us=1 if disabled else None,
        )
    )
    connection.execute(insert(team_member).values(team=team, account=id_, role=role))


def attribution(
    of: Observation, *, resident_id: str, previous: str = ""
) -> Attribution:
    return Attribution(
        id=uuid5(OBSERVATION_NAMESPACE, f"claim-{of.id}-{resident_id}-{previous}"),
        observation=of.id,
        resident=resident_id,
        by="operator-invented",
        at=START,
        reason="test",
        previous=previous,
    )


def entry(
    seq: int, body: Observation | Attribution, *, received: float | None = None
) -> LogEntry:
    """A log entry, received when the reading was taken unless told."""
    if received is not None:
        at = START + timedelta(seconds=received)
    else:
        at = body.taken_at if isinstance(body, Observation) else START
    return LogEntry(
        seq=seq,
        id=body.id,
        type="reading" if isinstance(body, Observation) else "attribution",
        station="station-a",
        received_at=at,
        body=body,
    )


def store_in_log(connection: Connection, body: Observation) -> None:
    connection.execute(
        insert(log).values(
            id=body.id.bytes,
            type="reading",
            station="station-a",
            received_us=to_us(START),
            body=encode_body(body),
        )
    )
