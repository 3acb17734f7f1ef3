"""The schema of a rule pack: a versioned file of rules with a named approver.

A field that the schema does not know is an error, so that a misspelt limit cannot be
silently without effect. Every rule that loads is either run or listed as not active
with its reason (``gateway.alerting.repertoire``).
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.model.alert import Level

# Rules of one pack: a hundred times the default; more is a generated mistake.
MAX_RULES: Final = 5_800
# Terms of one condition; the largest of the default pack has five.
MAX_TERMS: Final = 32

RULE_ID: Final = r"^[a-z0-9_]+(\.[a-z0-9_]+)+$"

Operator = Literal[">=", ">", "<=", "<", "=="]
Scalar = bool | Decimal | str | None
RuleLevel = Literal["high", "medium", "low", "info"]
UnconfirmedLevel = Literal["high", "medium", "low", "info", "none"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Title(_Strict):
    """What a person reads."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Term(_Strict):
    """One comparison. ``value`` as a field means the reading's own number."""

    field: str = Field(min_length=1)
    op: Operator
    value: Scalar
    unit: str | None = None

    @field_validator("value", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        # Otherwise a limit of 1 could be taken for a truth.
        return Decimal(value) if type(value) is int else value

    @model_validator(mode="after")
    def _orderable(self) -> "Term":
        if self.op != "==" and not isinstance(self.value, Decimal):
            raise ValueError(f"op: {self.op} needs a number as its value")
        return self


class Condition(_Strict):
    """True when any (or, with ``all``, every) term is."""

    any: tuple[Term, ...] = Field(default=(), max_length=MAX_TERMS)
    all: tuple[Term, ...] = Field(default=(), max_length=MAX_TERMS)

    @model_validator(mode="after")
    def _one_of(self) -> "Condition":
        if bool(self.any) == bool(self.all):
            raise ValueError("give either any or all, with at least one term")
        return self

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms, however they are joined."""
        return self.any or self.all


class _Persistence(_Strict):
    require_quality: Literal["ok"] = "ok"
    if_questionable: Literal["one_level_lower"] = "one_level_lower"


class Single(_Persistence):
    """One reading is enough. ``min_duration_s`` is of a strip."""

    mode: Literal["single"]
    min_duration_s: int | None = Field(default=None, gt=0)


class Repeat(_Persistence):
    """A second reading between ``min_gap_s`` and ``within_s`` later confirms."""

    mode: Literal["repeat"]
    n: int = Field(ge=2)
    within_s: int = Field(gt=0)
    min_gap_s: int = Field(ge=0)
    aggregate: Literal["mean_last_2", "all", "min"]
    unconfirmed_level: UnconfirmedLevel

    @model_validator(mode="after")
    def _gap_within(self) -> "Repeat":
        if self.min_gap_s >= self.within_s:
            raise ValueError("min_gap_s: must be shorter than within_s")
        return self


class MOfN(_Persistence):
    """``m`` of the last ``n`` readings within ``within_days``."""

    mode: Literal["m_of_n"]
    m: int = Field(ge=1)
    n: int = Field(ge=1, le=16)
    within_days: int = Field(gt=0)

    @model_validator(mode="after")
    def _m_in_n(self) -> "MOfN":
        if self.m > self.n:
            raise ValueError("m: must not exceed n")
        return self


class Hold(_Persistence):
    """True for ``for_s`` in at least ``min_fraction`` of the samples."""

    mode: Literal["hold"]
    for_s: int = Field(gt=0)
    min_fraction: Decimal = Field(gt=0, le=1)
    min_samples: int = Field(ge=1)


class Window(_Persistence):
    """A statistic over ``days``."""

    mode: Literal["window"]
    days: int = Field(gt=0)
    aggregate: str
    min_readings: int | None = Field(default=None, ge=1)
    min_active_fraction: Decimal | None = Field(default=None, gt=0, le=1)


class DistinctDays(_Persistence):
    """On ``n`` different days of ``within_days``."""

    mode: Literal["distinct_days"]
    n: int = Field(ge=2)
    within_days: int = Field(gt=0)


class Consecutive(_Persistence):
    """``n`` in a row of what ``per`` counts."""

    mode: Literal["consecutive"]
    n: int = Field(ge=2)
    per: str


class Composite(_Persistence):
    """A score over several readings at most ``max_skew_s`` apart."""

    mode: Literal["composite"]
    max_skew_s: int = Field(gt=0)
    min_parameters: int = Field(ge=1)
    missing: str


class Either(_Strict):
    """One way for spot readings, another for continuous ones."""

    mode: Literal["either"]
    spot: Annotated[Single | Repeat, Field(discriminator="mode")]
    continuous: Annotated[Hold | MOfN, Field(discriminator="mode")]


Persistence = Annotated[
    Single
    | Repeat
    | MOfN
    | Hold
    | Window
    | DistinctDays
    | Consecutive
    | Composite
    | Either,
    Field(discriminator="mode"),
]


class Between(_Strict):
    """Inclusive limits of the reading's own number."""

    low: Decimal
    high: Decimal


class Clear(_Strict):
    """When the condition is over: limits, held by ``readings`` or for ``for_s``."""

    below: dict[str, Decimal] = {}
    above: dict[str, Decimal] = {}
    between: Between | None = None
    readings: int = Field(default=1, ge=1, le=16)
    for_s: int | None = Field(default=None, gt=0)


class AppliesTo(_Strict):
    """Whom and what a rule is for; every given field must hold."""

    setting: Literal["kiosk", "home", "visit"] | None = None
    diagnosed: str | None = None
    not_diagnosed: str | None = None
    spo2_scale: int | None = None
    profile: str | None = None


class Unless(_Strict):
    """Whom a rule spares."""

    spo2_scale: int | None = None
    profile: tuple[str, ...] = ()
    baseline_median_30d_below: dict[str, Decimal] = {}


class Requires(_Strict):
    """Circumstances of the measurement."""

    activity: Literal["rest", "awake"] | None = None


class Promote(_Strict):
    """A further rise in level; ``when`` is text for the medical lead."""

    to: RuleLevel
    when: str


class Rule(_Strict):
    """One rule. Its id, without the pack's version, is the family of its alerts."""

    id: str = Field(pattern=RULE_ID, max_length=64)
    title: Title
    reading: str
    also_readings: tuple[str, ...] = ()
    condition: Condition
    level: RuleLevel
    kind: Literal["physiological", "technical"] = "physiological"
    persistence: Persistence
    source: str = Field(min_length=1)
    evidence: Literal[
        "guideline", "derived", "own", "secondary", "standard", "manufacturer"
    ]
    clear: Clear | None = None
    applies_to: AppliesTo | None = None
    unless: Unless | None = None
    requires: Requires | None = None
    inhibits: tuple[str, ...] = ()
    default_enabled: bool = True
    promote: Promote | None = None
    parameters: dict[str, dict[str, Decimal]] = {}
    site_switch: dict[str, str] = {}
    min_baseline_readings: int | None = Field(default=None, ge=1)
    retest_s: int | None = Field(default=None, gt=0)
    first_recipient: Literal["resident"] | None = None
    doctor_after_s: int | None = Field(default=None, gt=0)
    escalation: str | None = None
    delivery: str | None = None
    routing: str | None = None
    on_raise: str | None = None
    action: str | None = None
    effect: str | None = None
    note: str | None = None

    @property
    def readings(self) -> tuple[str, ...]:
        """Names of all readings the rule judges."""
        return (self.reading, *self.also_readings)

    @property
    def severity(self) -> Level:
        """``level`` as the model's type."""
        return Level(self.level)


class Pack(_Strict):
    """A versioned set of rules.

    ``approved_by`` names who answers for it medically; a pack without one must not
    run in production mode (``packs.require_approval``).
    """

    schema_version: Literal[1] = Field(alias="schema")
    id: str = Field(pattern=r"^[a-z0-9-]+$", max_length=32)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: Title
    approved_by: str
    approved_on: date | None = None
    note: str = ""
    rules: tuple[Rule, ...] = Field(min_length=1, max_length=MAX_RULES)

    @property
    def label(self) -> str:
        """Id and version, as stored with every alert."""
        return f"{self.id}/{self.version}"
