"""What a download of stored records gives its caller.

Source of the error codes: Bluetooth SIG Glucose Service 1.0.1, section 1.6; Core
Specification Supplement, part B (common profile and service error codes).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from firmware_protocols.errors import ProtocolError
from firmware_protocols.gatt.record_access import ResponseValue

RecordT = TypeVar("RecordT")
ContextT = TypeVar("ContextT")


class Outcome(Enum):
    """How a download ended."""

    COMPLETED = "completed"
    EMPTY = "empty"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    ABORTED = "aborted"
    TOO_MANY_RECORDS = "too_many_records"
    NOT_AUTHENTICATED = "not_authenticated"
    NOTIFICATIONS_OFF = "notifications_off"
    BUSY = "busy"
    ATT_ERROR = "att_error"
    DISCONNECTED = "disconnected"


ATT_OUTCOMES = {
    0x05: Outcome.NOT_AUTHENTICATED,  # insufficient authentication
    0x08: Outcome.NOT_AUTHENTICATED,  # insufficient authorisation
    0x0C: Outcome.NOT_AUTHENTICATED,  # encryption key too short
    0x0F: Outcome.NOT_AUTHENTICATED,  # insufficient encryption
    0x80: Outcome.BUSY,  # procedure already in progress, GLS 1.0
    0xFE: Outcome.BUSY,  # procedure already in progress, common
    0x81: Outcome.NOTIFICATIONS_OFF,  # CCCD improperly configured, GLS 1.0
    0xFD: Outcome.NOTIFICATIONS_OFF,  # CCCD improperly configured, common
}
"""How a download ends when its request cannot be written; others: ``ATT_ERROR``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Write these octets to 2A52, with response."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(Generic[RecordT, ContextT]):
    """A record, as complete as it gets.

    Attributes:
        context: None where none was announced, or it did not come in time.
        context_missing: It was announced and did not come.
    """

    record: RecordT
    context: ContextT | None
    context_missing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LateContext(Generic[ContextT]):
    """A context whose record is not waiting: it came late, or twice, or for nothing."""

    context: ContextT


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexpected:
    """An indication that cannot be read, or answers nothing we asked.

    Attributes:
        error: Why it cannot be read, or None.
    """

    data: bytes
    error: ProtocolError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end; nothing follows.

    Attributes:
        outcome: ``COMPLETED`` and ``EMPTY`` are success.
        records: How many records came out.
        response: The meter's answer, where there was one.
        att_error: The error code of the write, where it failed.
    """

    outcome: Outcome
    records: int
    response: ResponseValue | None = None
    att_error: int | None = None


Event: TypeAlias = (
    Write | Received[RecordT, ContextT] | LateContext[ContextT] | Unexpected | Finished
)
