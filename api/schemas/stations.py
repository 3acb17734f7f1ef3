"""Stations, devices, sessions, commands, dead letters, health and audit."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.schemas.base import Answer, Id, Next, Question
from gateway.model.session import IdentifiedBy


class DeviceStatusAnswer(Answer):
    """A device as its station sees it."""

    id: str
    name: str
    driver: str
    state: str = Field(examples=["connected"])
    reason: str
    battery: int | None
    last_reading_at: datetime | None


class StatusAnswer(Answer):
    """A station's newest status message."""

    online: bool
    at: datetime | None
    version: str
    depth: int = Field(description="Entries not yet acknowledged.")
    oldest_at: datetime | None
    dead_letters: int
    bytes_used: int
    bytes_quota: int
    refused_readings: int
    refused_waveforms: int
    conditions: list[str]
    devices: list[DeviceStatusAnswer]


class StationAnswer(Answer):
    """A station. ``status`` is null before its first message."""

    id: str = Field(examples=["kiosk-demo-1"])
    site: str = Field(examples=["demo-site"])
    name: str
    setting: str
    enrolled: bool = Field(description="Whether its signing key is known.")
    status_at: datetime | None
    oldest_age_s: float | None = Field(description="Age of the oldest unsent entry.")
    status: StatusAnswer | None


class StationPage(Answer):
    """Stations in order of id."""

    items: list[StationAnswer]
    next: Next


class SlotAnswer(Answer):
    """A device's user number; whose it is is not told here."""

    slot: int | None


class DeviceAnswer(Answer):
    """An enrolled device."""

    id: str
    model: str
    serial: str
    driver: str
    slots: list[SlotAnswer]


class StationDetail(Answer):
    """A station with its enrolled devices."""

    station: StationAnswer
    devices: list[DeviceAnswer]


class EnrolledAnswer(Answer):
    """A station that may connect, with its account at the embedded broker."""

    station: StationAnswer
    mqtt_user: str
    mqtt_password: str


class SessionQuestion(Question):
    """Who is being measured, and how they were identified."""

    resident: Id = Field(examples=["r-demo-007"])
    identified_by: IdentifiedBy = IdentifiedBy.OPERATOR


class SessionAnswer(Answer):
    """What the station was told; its own status is the truth."""

    session: str
    status: Literal["sent"] = "sent"


class SessionState(Answer):
    """The open session; all null when nobody is being measured."""

    session: str | None
    resident: str | None
    opened_at: datetime | None


class CommandQuestion(Question):
    """A command that the device's driver declares for operators."""

    name: str = Field(
        pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
        max_length=63,
        examples=["start-blood-pressure"],
    )


class CommandAnswer(Answer):
    """What the station was told to do, until when."""

    id: str
    name: str
    expires_at: datetime
    status: Literal["sent"] = "sent"


class DeadLetterAnswer(Answer):
    """A message that was not understood; its bytes are not shown."""

    id: int
    topic: str
    station: str
    reason: str = Field(examples=["signature"])
    detail: str
    size: int
    first_at: datetime
    last_at: datetime
    count: int
    replayed_at: datetime | None


class DeadLetterPage(Answer):
    """Newest first."""

    items: list[DeadLetterAnswer]
    next: Next


class ReplayAnswer(Answer):
    """Whether the message was understood this time."""

    understood: bool


class LoadedAnswer(Answer):
    """How many entries were given, and how many changed something."""

    entries: int
    changed: int


class CheckAnswer(Answer):
    """One part's state."""

    name: str = Field(examples=["database"])
    ok: bool
    detail: str


class HealthAnswer(Answer):
    """Whether this process can do its work."""

    ok: bool
    checks: list[CheckAnswer]


class AuditAnswer(Answer):
    """One act of the audit trail."""

    seq: int
    at: datetime
    actor: str
    action: str
    target: str
    resident: str
    outcome: str
    detail: str


class AuditPage(Answer):
    """Oldest first."""

    items: list[AuditAnswer]
    next: Next


class ChainAnswer(Answer):
    """Whether the audit chain holds; ``first_bad`` is where it breaks."""

    intact: bool
    first_bad: int | None
