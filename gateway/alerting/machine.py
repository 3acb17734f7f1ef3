"""One rule's judgement of one resident, as a state machine over readings in order.

    idle ──met──▶ pending (unconfirmed level "none") ──repeat agrees──▶ open, confirmed
      │              └──repeat disagrees──▶ idle
      └──met──▶ open, unconfirmed ──repeat agrees──▶ open, confirmed (full level)
                     │    └──repeat disagrees──▶ idle
                     └──no repeat in time──▶ open, no-repeat (stays)
    open ──clear condition──▶ idle; at level high: open, condition gone (latched)

``step`` is a pure fold: the same readings in the same order give the same machine.
What the machine says becomes alerts in ``gateway.alerting.reconcile``.
"""

from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.alerting.conditions import (
    Profile,
    crosses,
    holds,
    is_cleared,
    is_met,
    mean,
    number_of,
)
from gateway.alerting.repertoire import (
    ActiveRule,
    SpotCount,
    SpotRepeat,
    SpotSingle,
)
from gateway.alerting.samples import Sample
from gateway.model.alert import Confirmation, Level

# Readings a machine remembers as the reason for an alert it may still raise.
MAX_PENDING_EVIDENCE: Final = 8


class Machine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one rule stands. The default value is idle and is not stored.

    Attributes:
        level: reached in this episode; None while nothing is open. Never falls.
        present: the condition holds now, as far as readings say.
        first: the reading that waits for its repeat.
        deadline: when to say that no repeat came; None when said or not waiting.
        clears: readings in a row beyond the clear limits, the first at
            ``clearing_since``.
        recent: newest last, of an m-of-n rule: the time of a reading, and whether met.
        evidence: readings that counted, the one taken last at the end.
    """

    level: Level | None = None
    confirmation: Confirmation = Confirmation.NOT_NEEDED
    present: bool = False
    first: Sample | None = None
    deadline: int | None = None
    clears: int = 0
    clearing_since: int = 0
    recent: tuple[tuple[int, bool], ...] = ()
    evidence: tuple[Sample, ...] = ()


IDLE: Final = Machine()


def judge(rule: ActiveRule, sample: Sample, profile: Profile) -> bool | None:
    """Whether the reading meets the rule; None when it is not for the rule to judge."""
    if rule.setting is not None and sample.setting != rule.setting:
        return None
    if not _fits_activity(rule, sample):
        return None
    if sample.kind not in rule.readings and rule.readings.isdisjoint(sample.values):
        return None
    if not rule.concerns(profile):
        return None
    return holds(
        [is_met(term, sample, rule.readings) for term in rule.terms], every=rule.every
    )


def step(rule: ActiveRule, machine: Machine, sample: Sample, met: bool) -> Machine:  # noqa: FBT001 - the verdict of ``judge``
    """The machine after the next reading in order of time."""
    mode = rule.mode
    if isinstance(mode, SpotCount):
        return _count(rule, mode, machine, sample, met=met)
    if sample.questionable:
        return _questionable(rule, machine, sample) if met else machine
    if isinstance(mode, SpotSingle):
        if met:
            return _opened(machine, sample, rule.level, Confirmation.NOT_NEEDED)
        return _clearing(rule, machine, sample)
    return _repeat(rule, mode, machine, sample, met=met)


def settle(machine: Machine, now: int) -> Machine:
    """The machine after its deadline, if that has come: no repeat was taken."""
    if machine.deadline is None or machine.deadline > now:
        return machine
    if machine.level is None:
        return replace(machine, deadline=None)
    return replace(machine, deadline=None, confirmation=Confirmation.NO_REPEAT)


def lowered(level: Level) -> Level:
    """One level lower; info stays."""
    return tuple(Level)[min(level.rank + 1, Level.INFO.rank)]


def _fits_activity(rule: ActiveRule, sample: Sample) -> bool:
    # A stream of a worn device does not say what its wearer does; until hold is built
    # it is judged rather than passed over.
    return (
        rule.activities is None
        or sample.activity in rule.activities
        or (sample.continuous and not sample.activity)
    )


def _questionable(rule: ActiveRule, machine: Machine, sample: Sample) -> Machine:
    """A doubtful reading opens one level lower; it neither confirms nor clears."""
    mode = rule.mode
    full = mode.unconfirmed if isinstance(mode, SpotRepeat) else rule.level
    if full is None:
        return machine  # what an unconfirmed reading does not open, a doubtful cannot
    confirmation = machine.confirmation
    if machine.level is None and isinstance(mode, SpotRepeat):
        confirmation = Confirmation.UNCONFIRMED
    opened = _opened(machine, sample, lowered(full), confirmation)
    if machine.level is None and isinstance(mode, SpotRepeat):
        return replace(opened, deadline=max(sample.arrived, sample.at) + mode.within)
    return opened


def _repeat(
    rule: ActiveRule, mode: SpotRepeat, machine: Machine, sample: Sample, *, met: bool
) -> Machine:
    if machine.confirmation is Confirmation.CONFIRMED:
        if met:
            return _opened(machine, sample, rule.level, Confirmation.CONFIRMED)
        return _clearing(rule, machine, sample)
    first = machine.first
    waited = None if first is None else sample.at - first.at
    if first is None or waited is None or waited > mode.within:
        after = None  # nothing waits for this reading
    elif waited < mode.gap:
        # Too early to confirm or to clear; still evidence when it agrees.
        after = _counted(machine, sample) if met else machine
    elif _agrees(rule, mode, first, sample, met=met):
        confirmed = _opened(machine, sample, rule.level, Confirmation.CONFIRMED)
        after = replace(confirmed, first=None, deadline=None)
    else:
        # The repeat disagrees, unless it is a reason of its own to worry.
        after = None if met else _gone(machine)
    if after is not None:
        return after
    if met:
        return _first(mode, machine, sample)
    return _clearing(rule, machine, sample)


def _first(mode: SpotRepeat, machine: Machine, sample: Sample) -> Machine:
    """A reading that now waits for its repeat."""
    deadline = max(sample.arrived, sample.at) + mode.within
    if mode.unconfirmed is None:
        return replace(machine, first=sample, deadline=deadline, evidence=(sample,))
    opened = _opened(machine, sample, mode.unconfirmed, Confirmation.UNCONFIRMED)
    return replace(opened, first=sample, deadline=deadline)


def _opened(
    machine: Machine, sample: Sample, level: Level, confirmation: Confirmation
) -> Machine:
    if sample.historical and level.rank < Level.LOW.rank:
        level = Level.LOW
    if machine.level is not None and machine.level.rank < level.rank:
        level = machine.level
    return replace(
        machine,
        level=level,
        confirmation=confirmation,
        present=True,
        clears=0,
        evidence=_with(machine.evidence, sample),
    )


def _counted(machine: Machine, sample: Sample) -> Machine:
    """Evidence that changes nothing else, such as a repeat taken too early."""
    return replace(
        machine,
        clears=0,
        evidence=_with(machine.evidence, sample),
    )


def _with(evidence: tuple[Sample, ...], sample: Sample) -> tuple[Sample, ...]:
    # By time: after a new run of late readings, older evidence may follow newer.
    joined = sorted((*evidence, sample), key=lambda behind: behind.at)
    return tuple(joined[-MAX_PENDING_EVIDENCE:])


def _clearing(rule: ActiveRule, machine: Machine, sample: Sample) -> Machine:
    """A good reading that does not meet the condition; it may end it."""
    if machine.level is None:
        return IDLE  # what waited for a repeat has waited too long
    if not machine.present:
        return machine  # a latched high whose condition is already gone
    limits = rule.clear
    if limits is not None and not is_cleared(limits, sample, rule.readings):
        return replace(machine, clears=0) if machine.clears else machine
    clears = machine.clears + 1
    since = sample.at if clears == 1 else machine.clearing_since
    if limits is not None:
        held = sample.at - since
        if clears < limits.readings or held < (limits.for_us or 0):
            return replace(machine, clears=clears, clearing_since=since)
    return _gone(machine)


def _gone(machine: Machine) -> Machine:
    """The condition is over: high latches, the rest is idle again."""
    if machine.level is Level.HIGH:
        return replace(machine, present=False, clears=0, first=None, deadline=None)
    return IDLE


def _count(
    rule: ActiveRule, mode: SpotCount, machine: Machine, sample: Sample, *, met: bool
) -> Machine:
    if sample.questionable:
        return machine  # of several, one that is doubtful says nothing
    recent = [
        item
        for item in (*machine.recent, (sample.at, met))[-mode.n :]
        if sample.at - item[0] <= mode.within
    ]
    while recent and not recent[0][1]:
        recent.pop(0)  # what precedes the oldest hit can no longer matter
    kept = replace(machine, recent=tuple(recent))
    enough = sum(hit for _, hit in recent) >= mode.m
    if met and (enough or machine.level is not None):
        return _opened(kept, sample, rule.level, Confirmation.NOT_NEEDED)
    if met:
        return _counted(kept, sample)
    if enough:
        return kept
    if machine.level is not None:
        kept = _clearing(rule, kept, sample)
    return replace(IDLE, recent=tuple(recent)) if kept.level is None else kept


def _agrees(
    rule: ActiveRule, mode: SpotRepeat, first: Sample, sample: Sample, *, met: bool
) -> bool:
    """Whether the repeat confirms the first reading, by the rule's aggregate."""
    if mode.aggregate == "all":
        return met
    verdicts: list[bool | None] = []
    for term in rule.terms:
        if not isinstance(term.limit, Decimal):
            verdicts.append(is_met(term, sample, rule.readings))
            continue
        one = number_of(first, term.field, rule.readings)
        two = number_of(sample, term.field, rule.readings)
        if mode.aggregate == "min" and one is not None and two is not None:
            joined: Decimal | None = min(one, two)
        else:
            joined = mean(one, two)
        verdicts.append(
            None if joined is None else crosses(term.op, joined, term.limit)
        )
    return holds(verdicts, every=rule.every) is True
