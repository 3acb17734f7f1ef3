"""Who is being measured at a shared station, and technical events beside it."""

import enum
from uuid import UUID

from msgspec import Struct

from gateway.model.instant import Instant


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


class MeasurementSession(
    Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False
):
    """One person's turn at a station, from identification to end."""

    id: str
    station: str
    resident: str
    identified_by: IdentifiedBy
    opened_at: Instant
    opened_by: str = ""
    closed_at: Instant | None = None
    end: SessionEnd | None = None


class TechnicalEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
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
    at: Instant
    active: bool
    device: str = ""
    detail: str = ""


class Attribution(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
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
    at: Instant
    reason: str
    stream: str = ""
    previous: str = ""
    approved_by: str = ""
