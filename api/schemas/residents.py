"""Residents, their values, recordings and the proof of a reading."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.account import AccountName, Password
from api.schemas.base import Answer, Id, Next, Question, Reason
from gateway.model.observation import Setting, TimeQuality


class ContractAnswer(Answer):
    """A contract in force."""

    id: str
    team: str
    package: str
    starts: date
    ends: date | None


class ResidentAnswer(Answer):
    """A resident. ``diagnoses`` is null for an administrator."""

    id: str = Field(examples=["r-demo-007"])
    name: str = Field(examples=["示例居民"])
    name_latin: str = Field(examples=["Sample Resident"])
    birth_date: date | None
    sex: str
    diagnoses: list[str] | None
    spo2_scale: int | None
    contracts: list[ContractAnswer]


class ResidentPage(Answer):
    """Residents in order of id."""

    items: list[ResidentAnswer]
    next: Next


class PointAnswer(Answer):
    """One value of one metric.

    ``value`` is a decimal as text, null for HI, LO and failures; then ``absent`` says
    which.
    """

    at: datetime
    value: Decimal | None = Field(examples=["128"])
    absent: str = Field(examples=[""])
    quality: str = Field(examples=["ok"])
    observation: UUID
    kind: str = Field(examples=["blood_pressure_panel"])
    flags: list[str]


class LatestAnswer(Answer):
    """The newest point of each metric."""

    resident: str
    units: dict[str, str] = Field(examples=[{"systolic": "mm[Hg]"}])
    points: dict[str, PointAnswer]


class PointPage(Answer):
    """Points of one metric, oldest first."""

    metric: str
    unit: str = Field(description="UCUM.")
    items: list[PointAnswer]
    next: Next


class WindowAnswer(Answer):
    """Statistics of ``[start, start + width)``; only numbers count."""

    start: datetime
    count: int
    minimum: Decimal
    maximum: Decimal
    mean: Decimal


class WindowList(Answer):
    """Windows of one metric, oldest first, empty ones left out."""

    metric: str
    unit: str
    width: int = Field(description="Seconds.")
    items: list[WindowAnswer]


class WholeReadingAnswer(Answer):
    """One observation with all its values: a blood pressure is one of these."""

    observation: UUID
    kind: str
    at: datetime
    quality: str
    flags: list[str]
    points: dict[str, PointAnswer]


class RecentList(Answer):
    """The newest whole readings, newest first."""

    items: list[WholeReadingAnswer]
    units: dict[str, str]


class RecordingAnswer(Answer):
    """One lead of one recording."""

    stream: str
    kind: str = Field(examples=["ecg_lead_ii"])
    start: datetime
    end: datetime
    chunks: int


class RecordingList(Answer):
    """Recordings, newest first."""

    items: list[RecordingAnswer]


class QuantityAnswer(Answer):
    """A number with its UCUM unit, or why there is none."""

    unit: str
    value: Decimal | None
    absent: str | None


class ComponentAnswer(Answer):
    """One measured thing."""

    name: str
    code: int
    quantity: QuantityAnswer


class ObservationAnswer(Answer):
    """A reading as the station sent it; ``raw`` are the device's bytes in base64."""

    id: UUID
    kind: str
    code: int = Field(description="32-bit MDC code.")
    components: list[ComponentAnswer]
    device: str
    station: str
    received_at: datetime
    taken_at: datetime
    time_quality: TimeQuality
    device_time: str | None
    clock_offset: float | None
    sequence: int | None
    user_slot: int | None
    setting: Setting
    session: str | None
    quality: str
    context: dict[str, str]
    flags: list[str]
    stored: bool
    driver: str
    raw: str = Field(description="Base64.", examples=["FoAATgBdAA=="])


class AttributionAnswer(Answer):
    """A claim or re-assignment. Who it was under before is not told."""

    resident: str
    by: str
    approved_by: str
    at: datetime
    reason: str


class ProofAnswer(Answer):
    """A reading with what proves it."""

    observation: ObservationAnswer
    log_seq: int
    hub_received_at: datetime
    resident: str = Field(description="Whose it is now; empty while unclaimed.")
    history: list[AttributionAnswer]


class UnclaimedAnswer(Answer):
    """A reading, or a recording's ``stream``, that belongs to nobody."""

    station: str
    kind: str
    taken_at: datetime
    observation: ObservationAnswer | None
    stream: str


class UnclaimedPage(Answer):
    """Newest first."""

    items: list[UnclaimedAnswer]
    next: Next


class ClaimQuestion(Question):
    """Whose it is."""

    resident: Id = Field(examples=["r-demo-007"])
    reason: Reason = Field(examples=["card read after the measurement"])


class Approver(Question):
    """The second person, who proves it with the own password."""

    account: AccountName
    password: Password = Field(repr=False)


class ReassignQuestion(Question):
    """Whose it is instead; ``resident`` empty: nobody's."""

    resident: str = Field(max_length=63, examples=["r-demo-008"])
    reason: Reason = Field(examples=["wrong card"])
    approver: Approver


class Attributed(Answer):
    """Done: the values move to the resident within moments."""

    id: UUID
    resident: str
    at: datetime
    status: Literal["committed"] = "committed"
