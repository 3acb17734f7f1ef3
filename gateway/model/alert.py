"""An alert: what was found, in whom, who answers for it, and what was done.

Shaped so that FHIR R6 ``DeviceAlert`` is a mapping away.
"""

import enum
from datetime import datetime
from uuid import UUID

from msgspec import Struct


class Level(enum.StrEnum):
    """Priority; order by ``rank``."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return ("high", "medium", "low", "info").index(self.value)


class AlertState(enum.StrEnum):
    """Where an alert stands with the people responsible."""

    RAISED = "raised"
    ACCEPTED = "accepted"
    CLOSED = "closed"


class Confirmation(enum.StrEnum):
    """What a repeat measurement said. No repeat keeps an alert open and says so."""

    NOT_NEEDED = "not-needed"
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    NO_REPEAT = "no-repeat"


class Outcome(enum.StrEnum):
    """What was done about it; closing a high alert needs one."""

    PHONED = "phoned"
    VISITED = "visited"
    REFERRED = "referred"
    ADVISED = "advised"
    MEASUREMENT_ERROR = "measurement-error"
    NOT_REACHED = "not-reached"
    CLEARED = "cleared"  # set by the engine, never by a person


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reading behind an alert, as the rule saw it.

    ``values`` maps component name to its decimal text, or to ``above-range`` and the
    like where there is no number. ``quality`` is that of the reading, or ``withdrawn``
    when the reading turned out to be another person's.
    """

    observation: UUID
    taken_at: datetime
    values: dict[str, str]
    quality: str = "ok"


class Alert(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One open or past condition of one resident under one rule.

    Attributes:
        key: resident and rule family; at most one open alert per key.
        version: rises by one with every change; an action names the one it saw.
        condition_present: False when the value is back to normal ("condition gone").
        historical: raised on back-filled readings, which page nobody.
        team: care team responsible.
        assignee: account responsible now.
        evidence: the first and the newest readings; ``evidence_total`` counts all.
        hides: milder rules that this alert hides while it is active.
        flags: technical remarks on the routing, such as ``no-doctor``.
    """

    id: UUID
    key: str
    rule: str
    rule_version: str
    resident: str
    level: Level
    state: AlertState
    confirmation: Confirmation
    version: int
    raised_at: datetime
    updated_at: datetime
    evidence: tuple[Evidence, ...]
    condition_present: bool = True
    historical: bool = False
    kind: str = "physiological"
    station: str = ""
    device: str = ""
    team: str = ""
    assignee: str = ""
    accepted_by: str = ""
    accepted_at: datetime | None = None
    closed_by: str = ""
    closed_at: datetime | None = None
    outcome: Outcome | None = None
    note: str = ""
    evidence_total: int = 0
    hides: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class AlertChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the alert feed: the alert as it is after a change.

    ``seq`` is the feed's own counter, unique and rising, used for replay. ``change`` is
    one of raised, promoted, evidence, confirmed, no-repeat, condition-gone,
    condition-back, withdrawn, accepted, closed.
    """

    seq: int
    change: str
    at: datetime
    alert: Alert
