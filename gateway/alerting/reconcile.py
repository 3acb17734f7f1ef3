"""From what the machines say to what becomes of an alert.

A rule's machines state a target: open or not, how urgent, whether the condition holds.
The alert that is open (at most one per resident and rule) is brought there by at most
one change; it never becomes less urgent, and high stays open until a person closes it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from msgspec.structs import replace

from gateway.alerting.machine import Machine
from gateway.alerting.repertoire import ActiveRule
from gateway.alerting.samples import Sample
from gateway.alerting.tracks import Judge, Stream
from gateway.database.tables.base import from_us
from gateway.model.alert import (
    Alert,
    AlertState,
    Confirmation,
    Evidence,
    Level,
    Outcome,
)

# Namespace of alert ids; fixed for ever, so that replaying the log gives the same.
ALERT_NAMESPACE: Final = UUID("0b1f5a0e-8c7d-5d2b-9a35-3f9d5be0a6c4")
# Evidence shown with an alert: the first reading and the newest; all are in the series.
MAX_EVIDENCE: Final = 20

WITHDRAWN: Final = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of an alert: its name and the alert after it."""

    change: str
    alert: Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the machines of a rule ask for.

    Attributes:
        superseded: the newer live reading that shows a late condition to be over.
    """

    level: Level
    confirmation: Confirmation
    present: bool
    historical: bool
    evidence: tuple[Sample, ...]
    superseded: Sample | None = None


def target_of(rule: ActiveRule, stream: Stream, judge: Judge) -> Target | None:
    """The target of a rule, from both tracks of its stream; None: nothing open."""
    live, late = stream.live.head.get(rule.id), stream.late.head.get(rule.id)
    if live is not None and live.level is not None:
        level, confirmation = live.level, live.confirmation
        if (
            late is not None
            and late.level is not None
            and late.level.rank < level.rank
            and not _is_back_fill(late)
        ):
            # What the backlog tells of the hours before counts as much.
            level, confirmation = late.level, late.confirmation
        return Target(
            level=level,
            confirmation=confirmation,
            present=live.present,
            historical=False,
            evidence=live.evidence,
        )
    if late is None or late.level is None:
        return None
    newer = _superseding(rule, stream, late, judge)
    return Target(
        level=late.level,
        confirmation=late.confirmation,
        present=late.present and newer is None,
        historical=_is_back_fill(late),
        evidence=late.evidence,
        superseded=newer,
    )


def alert_key(resident: str, rule: str) -> str:
    """The key under which at most one alert is open."""
    return f"{resident}|{rule}"


def raise_alert(
    rule: ActiveRule,
    target: Target,
    *,
    resident: str,
    past: tuple[UUID, ...],
    now: datetime,
) -> Event:
    """A new alert; its id is made of the key and its first evidence."""
    key = alert_key(resident, rule.id)
    samples = list(target.evidence)
    id_ = _alert_id(key, samples[0])
    while id_ in past and len(samples) > 1:
        samples.pop(0)  # stood at the head of an alert that is closed
        id_ = _alert_id(key, samples[0])
    if id_ in past:
        id_ = uuid5(ALERT_NAMESPACE, f"{key}|{samples[0].observation}|{len(past)}")
    newest = samples[-1]
    alert = Alert(
        id=id_,
        key=key,
        rule=rule.id,
        rule_version=rule.version,
        resident=resident,
        level=target.level,
        state=AlertState.RAISED,
        confirmation=target.confirmation,
        version=1,
        raised_at=now,
        updated_at=now,
        evidence=tuple(evidence_of(sample) for sample in samples),
        evidence_total=len(samples),
        condition_present=target.present,
        historical=target.historical,
        kind=rule.kind,
        station=newest.station,
        device=newest.device,
    )
    return Event(change="raised", alert=alert)


def change_alert(
    alert: Alert, target: Target, *, sample: Sample | None, quiet: bool, now: datetime
) -> Event | None:
    """The change that brings an open alert to its target, or None.

    ``quiet``: the alert is hidden; more evidence alone is not worth a change.
    """
    changes: list[str] = []
    after = alert
    if target.level.rank < alert.level.rank:
        changes.append("promoted")
        after = replace(after, level=target.level)
    if target.present is not alert.condition_present:
        changes.append("condition-back" if target.present else "condition-gone")
        after = replace(after, condition_present=target.present)
        if target.present and alert.state is AlertState.ACCEPTED:
            # Accepting holds until the condition clears; this is a new occurrence.
            after = replace(
                after, state=AlertState.RAISED, accepted_by="", accepted_at=None
            )
    settled = alert.confirmation in (Confirmation.CONFIRMED, target.confirmation)
    if not settled:
        if target.confirmation is Confirmation.CONFIRMED:
            changes.append("confirmed")
        elif target.confirmation is Confirmation.NO_REPEAT:
            changes.append("no-repeat")
        after = replace(after, confirmation=target.confirmation)
    if sample is not None and _counts(sample, target, alert):
        if not quiet:
            changes.append("evidence")
        after = _with_evidence(after, sample)
    if not changes:
        return None
    return Event(change=changes[0], alert=_next(after, now))


def clear_alert(alert: Alert, now: datetime) -> Event | None:
    """The change when nothing is open any more: closed, or high with condition gone."""
    if alert.level is Level.HIGH:
        if not alert.condition_present:
            return None
        gone = replace(alert, condition_present=False)
        return Event(change="condition-gone", alert=_next(gone, now))
    closed = replace(
        alert,
        state=AlertState.CLOSED,
        condition_present=False,
        outcome=Outcome.CLEARED,
        closed_at=now,
    )
    return Event(change="closed", alert=_next(closed, now))


def withdraw_evidence(alert: Alert, observation: UUID, now: datetime) -> Event | None:
    """The change that marks a reading as not this person's."""
    marked = tuple(
        replace(item, quality=WITHDRAWN) if item.observation == observation else item
        for item in alert.evidence
    )
    if marked == alert.evidence:
        return None
    return Event(change=WITHDRAWN, alert=_next(replace(alert, evidence=marked), now))


def hide(event: Event, rules: frozenset[str]) -> Event:
    """The event with more rules named that its alert hides."""
    hides = tuple(sorted({*event.alert.hides, *rules}))
    return Event(change=event.change, alert=replace(event.alert, hides=hides))


def hiding(alert: Alert, rules: frozenset[str], now: datetime) -> Event:
    """The change of an alert that hides more than before."""
    return hide(Event(change="evidence", alert=_next(alert, now)), rules)


def evidence_of(sample: Sample) -> Evidence:
    """A reading as the alert keeps it."""
    return Evidence(
        observation=sample.observation,
        taken_at=from_us(sample.at),
        values=sample.values,
        quality="questionable" if sample.questionable else "ok",
    )


def _alert_id(key: str, sample: Sample) -> UUID:
    return uuid5(ALERT_NAMESPACE, f"{key}|{sample.observation}")


def _next(alert: Alert, now: datetime) -> Alert:
    return replace(alert, version=alert.version + 1, updated_at=now)


def _is_back_fill(machine: Machine) -> bool:
    return all(sample.historical for sample in machine.evidence)


def _superseding(
    rule: ActiveRule, stream: Stream, late: Machine, judge: Judge
) -> Sample | None:
    """The newest live reading, if it is newer and good and does not meet the rule."""
    for sample in reversed(stream.live.samples):
        met = judge(rule, sample)
        if met is None or sample.questionable:
            continue
        return sample if not met and sample.at > late.evidence[-1].at else None
    return None


def _counts(sample: Sample, target: Target, alert: Alert) -> bool:
    return any(s.observation == sample.observation for s in target.evidence) and all(
        item.observation != sample.observation for item in alert.evidence
    )


def _with_evidence(alert: Alert, sample: Sample) -> Alert:
    items = (*alert.evidence, evidence_of(sample))
    if len(items) > MAX_EVIDENCE:
        items = (items[0], *items[-(MAX_EVIDENCE - 1) :])
    return replace(alert, evidence=items, evidence_total=alert.evidence_total + 1)
