"""Alerts, their feed, and what people do about them."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, Next, Note, Question
from gateway.model.alert import AlertState, Confirmation, Level, Outcome


class PersonAnswer(Answer):
    """Whom an alert is about."""

    id: str = Field(examples=["r-demo-007"])
    name: str = Field(examples=["示例居民"])
    name_latin: str = Field(examples=["Sample Resident"])


class EvidenceAnswer(Answer):
    """A reading behind an alert, as the rule saw it."""

    observation: UUID
    taken_at: datetime
    values: dict[str, str] = Field(examples=[{"systolic": "186", "diastolic": "112"}])
    quality: str


class AlertAnswer(Answer):
    """An alert. ``version`` goes back with every action on it."""

    id: UUID
    rule: str = Field(examples=["bp.crisis"])
    rule_version: str
    resident: PersonAnswer | None
    level: Level
    state: AlertState
    confirmation: Confirmation
    version: int
    raised_at: datetime
    updated_at: datetime
    evidence: list[EvidenceAnswer]
    condition_present: bool
    historical: bool
    kind: str = Field(examples=["physiological"])
    station: str
    device: str
    team: str
    assignee: str
    accepted_by: str
    accepted_at: datetime | None
    closed_by: str
    closed_at: datetime | None
    outcome: Outcome | None
    note: str


class AlertPage(Answer):
    """Open alerts by urgency; closed ones newest first."""

    items: list[AlertAnswer]
    next: Next


class AcceptQuestion(Question):
    """The version one has seen; ``If-Match`` says the same."""

    version: int | None = Field(default=None, ge=1)


class CloseQuestion(AcceptQuestion):
    """What was done about it."""

    outcome: Outcome = Field(examples=["phoned"])
    note: Note = Field(default="", examples=["will measure again tomorrow"])


class ChangeAnswer(Answer):
    """One entry of the feed."""

    seq: int
    change: str = Field(examples=["raised"])
    alert: AlertAnswer


class ChangeFrame(Answer):
    """Data of a ``change`` event: one or more changes, in order."""

    seq: int
    changes: list[ChangeAnswer]


class SnapshotFrame(Answer):
    """Data of a ``snapshot`` event: everything open. ``cut``: there is more."""

    epoch: str
    seq: int
    now: datetime
    alerts: list[AlertAnswer]
    cut: bool


class BeatFrame(Answer):
    """Data of a ``beat`` event: the stream is alive, and the server's time."""

    seq: int
    now: datetime
