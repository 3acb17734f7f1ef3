"""Who is being measured at a shared station, and technical events beside it."""

import enum
from datetime import datetime
from uuid import UUID

from msgspec import Struct


class IdentifiedBy(enum.StrEnum):
    """How the person at a station was identified."""

    ID_CARD = "id-card"
    HEALTH_CARD = "health-card"
    PHONE = "phone"
    OPERATOR = "operator"
    DEVICE_SLOT = "device-slot"


class SessionEnd(enum.StrEnum):
    """Why a session ended. An aborted session's readings are unclaimed."""

    FINISHED = "finished"
    NEXT_PERSON = "next-person"
    IDLE = "idle"
    ABORTED = "aborted"


class MeasurementSession(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person's turn at a station, from identification to end."""

    id: str
    station: str
    resident: str
    identified_by: IdentifiedBy
    opened_at: datetime
    opened_by: str = ""
    closed_at: datetime | None = None
    end: SessionEnd | None = None


class TechnicalEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A technical condition at a station, raised or cleared.

    Attributes:
        code: stable token, such as ``probe-off``, ``clock-wrong``, ``journal-quota``.
        device: the device concerned, empty for the station itself.
        detail: what an operator needs, without personal data.
        active: True when it begins, False when it is over.
    """

    id: UUID
    station: str
    code: str
    at: datetime
    active: bool
    device: str = ""
    detail: str = ""


class Attribution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An observation or a waveform stream claimed for, or moved to, a resident.

    Attributes:
        observation: the observation's id; the nil UUID when ``stream`` is set.
        stream: a waveform stream's id.
        previous: the resident it was under before; empty when unclaimed.
        approved_by: the second person that a re-assignment needs.
    """

    id: UUID
    observation: UUID
    resident: str
    by: str
    at: datetime
    reason: str
    stream: str = ""
    previous: str = ""
    approved_by: str = ""
