"""What of a rule pack runs: each rule compiled, or listed as not active and why.

The repertoire grows by persistence modes and by fields; what is missing here is never
silently ignored: ``Repertoire.inactive`` names the rule and what it needs, and
``ActiveRule.reservations`` what an active rule does not look at yet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Final

from gateway.alerting.conditions import (
    OWN_NUMBER,
    OWN_SPECIAL,
    STATUS_PREFIX,
    Comparison,
    Limits,
    Profile,
)
from gateway.alerting.rules import Clear, Either, MOfN, Pack, Repeat, Rule, Single
from gateway.codes import readings
from gateway.model.alert import Level

_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND

# The readings that arrive inside another one: judged in the panel's stream, so that
# all rules of a blood pressure share one order of readings.
_PANEL: Final[Mapping[str, str]] = {
    "systolic": "blood_pressure_panel",
    "diastolic": "blood_pressure_panel",
    "mean_arterial_pressure": "blood_pressure_panel",
}


@dataclass(frozen=True, slots=True)
class SpotSingle:
    """One reading is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotRepeat:
    """A second reading confirms. Times in microseconds; ``unconfirmed`` None: wait."""

    within: int
    gap: int
    aggregate: str
    unconfirmed: Level | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCount:
    """``m`` of the last ``n`` readings within ``within`` microseconds."""

    m: int
    n: int
    within: int


Mode = SpotSingle | SpotRepeat | SpotCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Inactive:
    """A rule that does not run, and what it needs: ``needs hold``."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRule:
    """A compiled rule.

    Attributes:
        stream: name of the ordered run of readings it is judged in.
        inhibitors: rules that hide this one while they are active.
        reservations: parts of the rule that are not looked at yet, all of which only
            spare or raise further: without them it alerts as often or more often.
    """

    id: str
    version: str
    level: Level
    kind: str
    stream: str
    readings: frozenset[str]
    terms: tuple[Comparison, ...]
    every: bool
    mode: Mode
    clear: Limits | None
    setting: str | None
    diagnosed: str | None
    not_diagnosed: str | None
    spo2_scale: int | None
    unless_spo2_scale: int | None
    activities: frozenset[str] | None
    inhibitors: frozenset[str]
    reservations: tuple[str, ...]

    def concerns(self, profile: Profile) -> bool:
        """Whether the rule is for this resident."""
        return (
            (self.diagnosed is None or self.diagnosed in profile.diagnoses)
            and (
                self.not_diagnosed is None
                or self.not_diagnosed not in profile.diagnoses
            )
            and self.spo2_scale in (None, profile.spo2_scale)
            and self.unless_spo2_scale != profile.spo2_scale
        )


class Repertoire:
    """A pack, compiled: rules by the names of what they read."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.inactive: tuple[Inactive, ...]
        active, inactive = _compile(pack)
        self.inactive = tuple(inactive)
        # Most urgent first, inhibitors before what they hide: in this order one pass
        # sees every inhibitor as this reading leaves it.
        self.rules: tuple[ActiveRule, ...] = tuple(_ordered(active))

    @cached_property
    def by_id(self) -> Mapping[str, ActiveRule]:
        """Active rules by id."""
        return {rule.id: rule for rule in self.rules}

    @cached_property
    def streams(self) -> Mapping[str, tuple[ActiveRule, ...]]:
        """Active rules by stream."""
        found: dict[str, list[ActiveRule]] = {}
        for rule in self.rules:
            found.setdefault(rule.stream, []).append(rule)
        return {name: tuple(rules) for name, rules in found.items()}

    @cached_property
    def streams_by_reading(self) -> Mapping[str, tuple[str, ...]]:
        """Streams by the name of a reading or component that concerns them."""
        found: dict[str, set[str]] = {}
        for rule in self.rules:
            for name in rule.readings:
                found.setdefault(name, set()).add(rule.stream)
        return {name: tuple(sorted(streams)) for name, streams in found.items()}

    @cached_property
    def reorder_us(self) -> Mapping[str, int]:
        """By stream: how far back a late reading is put in its place."""
        return {
            name: max(
                (r.mode.within for r in rules if isinstance(r.mode, SpotRepeat)),
                default=0,
            )
            for name, rules in self.streams.items()
        }

    def streams_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """Streams that take a reading with these names (its kind and components)."""
        found: set[str] = set()
        for name in names:
            found.update(self.streams_by_reading.get(name, ()))
        return tuple(sorted(found))


def _compile(pack: Pack) -> tuple[list[ActiveRule], list[Inactive]]:
    active: list[ActiveRule] = []
    inactive: list[Inactive] = []
    for rule in pack.rules:
        mode = _mode(rule)
        missing = mode if isinstance(mode, str) else _missing(rule)
        if missing is not None or isinstance(mode, str):
            inactive.append(Inactive(rule=rule.id, reason=f"not active: {missing}"))
        else:
            active.append(_active(pack, rule, mode))
    return active, inactive


def _mode(rule: Rule) -> Mode | str:
    persistence = rule.persistence
    if isinstance(persistence, Either):
        persistence = persistence.spot
    match persistence:
        case Single(min_duration_s=None):
            return SpotSingle()
        case Single():
            return "needs the duration of a strip"
        case Repeat(n=2):
            level = persistence.unconfirmed_level
            return SpotRepeat(
                within=persistence.within_s * _SECOND,
                gap=persistence.min_gap_s * _SECOND,
                aggregate=persistence.aggregate,
                unconfirmed=None if level == "none" else Level(level),
            )
        case Repeat():
            return f"needs repeat with n={persistence.n}"
        case MOfN():
            return SpotCount(
                m=persistence.m,
                n=persistence.n,
                within=persistence.within_days * _DAY,
            )
        case other:
            return f"needs {other.mode}"


def _missing(rule: Rule) -> str | None:
    if not rule.default_enabled:
        return "switched off in the pack"
    if rule.kind == "technical":
        return "needs technical alerts (routed to the operator)"
    known = readings()
    unknown = [
        term.field
        for term in rule.condition.terms
        if term.field not in (OWN_NUMBER, OWN_SPECIAL)
        and term.field not in known
        and not term.field.startswith(STATUS_PREFIX)
    ]
    if unknown:
        return f"needs {unknown[0]}, which is not in one reading"
    strange = [name for name in rule.readings if name not in known]
    if strange:
        return f"needs the reading {strange[0]}"
    applies, unless = rule.applies_to, rule.unless
    if (applies and applies.profile) or (unless and unless.profile):
        return "needs a resident's profile"
    return None


def _active(pack: Pack, rule: Rule, mode: Mode) -> ActiveRule:
    applies, unless, requires = rule.applies_to, rule.unless, rule.requires
    activity = requires.activity if requires else None
    return ActiveRule(
        id=rule.id,
        version=pack.label,
        level=rule.severity,
        kind=rule.kind,
        stream=_PANEL.get(rule.reading, rule.reading),
        readings=frozenset(rule.readings),
        terms=tuple(
            Comparison(field=term.field, op=term.op, limit=_limit(term.value))
            for term in rule.condition.terms
        ),
        every=bool(rule.condition.all),
        mode=mode,
        clear=None if rule.clear is None else _limits(rule.clear),
        setting=applies.setting if applies else None,
        diagnosed=applies.diagnosed if applies else None,
        not_diagnosed=applies.not_diagnosed if applies else None,
        spo2_scale=applies.spo2_scale if applies else None,
        unless_spo2_scale=unless.spo2_scale if unless else None,
        # Who is at rest is awake as far as a measurement can tell.
        activities=None if activity is None else frozenset({activity, "rest"}),
        inhibitors=_inhibitors(pack, rule.id),
        reservations=tuple(_reservations(rule)),
    )


def _inhibitors(pack: Pack, id_: str) -> frozenset[str]:
    # Through the hidden ones too: what hides an inhibitor hides what that one hides.
    found: set[str] = set()
    waiting = [id_]
    while waiting:
        hidden = waiting.pop()
        direct = {
            other.id
            for other in pack.rules
            if any(fnmatchcase(hidden, pattern) for pattern in other.inhibits)
        }
        waiting += direct - found
        found |= direct
    return frozenset(found - {id_})


def _limit(value: bool | Decimal | str | None) -> Decimal | str | bool:  # noqa: FBT001 - a rule's value
    return "" if value is None else value


def _limits(clear: Clear) -> Limits:
    return Limits(
        below=tuple(clear.below.items()),
        above=tuple(clear.above.items()),
        between=(clear.between.low, clear.between.high) if clear.between else None,
        readings=clear.readings,
        for_us=None if clear.for_s is None else clear.for_s * _SECOND,
    )


def _reservations(rule: Rule) -> Iterable[str]:
    if isinstance(rule.persistence, Either):
        yield "continuous readings are judged as spot readings (hold is not built)"
    if rule.unless and rule.unless.baseline_median_30d_below:
        yield "unless baseline_median_30d_below: nobody is spared by their own baseline"
    if rule.promote is not None:
        yield f"promote to {rule.promote.to}: needs the doctor's judgement"
    if rule.site_switch:
        yield "site_switch: needs site settings"
    if rule.parameters:
        yield "parameters: needs a resident's age"


def _ordered(rules: list[ActiveRule]) -> Iterable[ActiveRule]:
    waiting = sorted(rules, key=lambda rule: (rule.level.rank, rule.id))
    ids = {rule.id for rule in waiting}
    placed: set[str] = set()
    while waiting:
        # A circle of inhibition has no first; then the most urgent goes.
        ready = next((r for r in waiting if r.inhibitors & ids <= placed), waiting[0])
        waiting.remove(ready)
        placed.add(ready.id)
        yield ready
