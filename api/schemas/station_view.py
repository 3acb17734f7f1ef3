"""What the station's own API answers."""

import base64
from datetime import datetime
from typing import Final, Self

from pydantic import Field, model_validator

from api.schemas.base import Answer, Id, Question
from api.schemas.residents import ObservationAnswer
from api.schemas.stations import DeviceStatusAnswer
from api.station_desk import SetAside
from gateway.model.session import IdentifiedBy, SessionEnd


class JournalAnswer(Answer):
    """What is unsent, since when, and how full the disk is."""

    epoch: str
    depth: int
    oldest_at: datetime | None
    bytes_used: int
    bytes_quota: int
    refused_readings: int
    refused_waveforms: int


class LocalSession(Answer):
    """A person's turn at this station."""

    id: str
    resident: str
    identified_by: IdentifiedBy
    opened_at: datetime
    closed_at: datetime | None
    end: SessionEnd | None


class LiveValueAnswer(Answer):
    """A passing value, such as the cuff's pressure; not stored."""

    device: str
    name: str
    value: str
    unit: str
    at: datetime


class LocalReading(Answer):
    """A committed reading; ``resident`` null: unclaimed."""

    resident: str | None
    observation: ObservationAnswer


class SetAsideAnswer(Answer):
    """Bytes that no decoder accepts; ``raw`` in base64, at most 256 bytes of them."""

    id: int
    device: str
    reason: str
    raw: str
    last_at: datetime
    count: int

    @classmethod
    def of(cls, letter: SetAside) -> Self:
        """From the station's record."""
        return cls(
            id=letter.id,
            device=letter.device,
            reason=letter.reason,
            raw=base64.b64encode(letter.raw[:MAX_RAW_SHOWN]).decode(),
            last_at=letter.last_at,
            count=letter.count,
        )


# Enough of it to recognise the frame; the whole is in the journal.
MAX_RAW_SHOWN: Final = 256


class StationViewAnswer(Answer):
    """Everything the operator's screen shows."""

    station: str
    now: datetime
    connected: bool
    journal: JournalAnswer
    oldest_age_s: float | None
    session: LocalSession | None
    devices: list[DeviceStatusAnswer]
    conditions: list[str]
    live: list[LiveValueAnswer]
    recent: list[LocalReading] = Field(description="Newest first.")
    dead_letters: list[SetAsideAnswer]


class LocalSessionQuestion(Question):
    """A resident's pseudonym, or the salted hash of their card; not both."""

    resident: Id | None = Field(default=None, examples=["r-demo-007"])
    card: Id | None = Field(default=None, examples=["5f2b…"])
    identified_by: IdentifiedBy = IdentifiedBy.OPERATOR

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.resident is None) == (self.card is None):
            raise ValueError("name a resident or a card, not both")
        return self


class ClosedAnswer(Answer):
    """The session that was closed; null when none was open."""

    session: LocalSession | None


class TakenAnswer(Answer):
    """The device was given the command."""

    device: str
    name: str
