"""The pure alert engine: ``evaluate(state, input, …) -> (state, events)``.

No I/O, no clock, no randomness: the same inputs in the same order give the same alerts
with the same ids. What the rules mean is in ``machine``, how readings are ordered in
``tracks``, what becomes of an alert in ``reconcile``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from gateway.alerting.conditions import Profile
from gateway.alerting.machine import judge as judge_rule
from gateway.alerting.reconcile import (
    WITHDRAWN,
    Event,
    Target,
    change_alert,
    clear_alert,
    hide,
    hiding,
    raise_alert,
    target_of,
    withdraw_evidence,
)
from gateway.alerting.repertoire import ActiveRule, Repertoire
from gateway.alerting.samples import Sample, sample_of
from gateway.alerting.tracks import (
    Judge,
    Raised,
    Stream,
    closed_alert,
    dealt_with,
    has_seen,
    idle,
    idle_late,
    insert,
    remember,
    settle_all,
    withdraw,
)
from gateway.database.tables.base import to_us
from gateway.model.alert import Alert, AlertState, Level
from gateway.model.observation import Observation


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: deadlines that have come are dealt with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """A reading turned out to be another person's."""

    observation: UUID


Input = Observation | Tick | Withdrawal


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentState:
    """All the engine knows of one resident.

    Attributes:
        streams: durable, by name of the stream.
        alerts: open alerts by rule, as people and the engine left them.
    """

    streams: Mapping[str, Stream] = field(default_factory=dict)
    alerts: Mapping[str, Alert] = field(default_factory=dict)


def evaluate(
    state: ResidentState,
    event: Input,
    *,
    rules: Repertoire,
    profile: Profile,
    now: datetime,
) -> tuple[ResidentState, tuple[Event, ...]]:
    """Judge one input.

    A reading is judged once (by its id). Deadlines up to ``now`` come first, so that
    the result does not depend on when a tick runs between two readings.
    """
    work = _Work(state, rules=rules, profile=profile, now=now)
    work.notice_closed()
    work.tick()
    if isinstance(event, Observation):
        sample = sample_of(event, now=now)
        if sample is not None:
            work.take(sample)
    elif isinstance(event, Withdrawal):
        work.withdraw(event.observation)
    return work.finish()


class _Work:
    """One evaluation in progress; nothing of it outlives ``evaluate``."""

    def __init__(
        self,
        state: ResidentState,
        *,
        rules: Repertoire,
        profile: Profile,
        now: datetime,
    ) -> None:
        self._before = state
        self._streams = dict(state.streams)
        self._alerts = dict(state.alerts)
        self._rules = rules
        self._profile = profile
        self._now = now
        self._now_us = to_us(now)
        self._events: list[Event] = []

    def finish(self) -> tuple[ResidentState, tuple[Event, ...]]:
        if self._streams == self._before.streams and not self._events:
            return self._before, ()
        state = replace(self._before, streams=self._streams, alerts=self._alerts)
        return state, tuple(self._events)

    def notice_closed(self) -> None:
        """What a person closed does not count again, nor what it was hiding."""
        for name, stream in list(self._streams.items()):
            for rule, raised in stream.raised.items():
                alert = self._alerts.get(rule)
                if alert is not None and alert.id == raised.id:
                    continue
                self._streams[name] = dealt_with(
                    self._streams[name], rule, until=raised.until
                )
                for kin in self._rules.rules:
                    if rule in kin.inhibitors:
                        self._deal_with_kin(kin, raised.until)

    def tick(self) -> None:
        changed = False
        for name, stream in self._streams.items():
            settled = settle_all(stream, self._now_us)
            changed = changed or settled is not stream
            self._streams[name] = settled
        if changed:
            self._reconcile(None)

    def take(self, sample: Sample) -> None:
        names = (sample.kind, *sample.values)
        judged = False
        for name in self._rules.streams_of(names):
            stream = self._streams.get(name, _EMPTY)
            if has_seen(stream, sample.observation):
                continue
            after = insert(
                stream,
                sample,
                rules=self._rules.streams[name],
                judge=self._judge(stream),
                window=self._rules.reorder_us[name],
            )
            # Folding again from before a deadline brings the deadline back.
            self._streams[name] = settle_all(after, self._now_us)
            judged = True
        if judged:
            self._reconcile(sample)

    def withdraw(self, observation: UUID) -> None:
        for rule, alert in list(self._alerts.items()):
            event = withdraw_evidence(alert, observation, self._now)
            if event is None:
                continue
            self._alerts[rule] = event.alert
            self._events.append(event)
        for name, stream in list(self._streams.items()):
            rules = self._rules.streams.get(name, ())
            after = withdraw(
                stream, observation, rules=rules, judge=self._judge(stream)
            )
            for rule in after.raised:
                mine = self._alerts.get(rule)
                if mine and all(e.quality == WITHDRAWN for e in mine.evidence):
                    after = idle(after, rule)
            self._streams[name] = settle_all(after, self._now_us)
        self._reconcile(None, withdrawn=True)

    def _judge(self, stream: Stream) -> Judge:
        closed, profile = stream.closed, self._profile

        def judge(rule: ActiveRule, sample: Sample) -> bool | None:
            if closed and sample.at <= closed.get(rule.id, -1):
                return None
            return judge_rule(rule, sample, profile)

        return judge

    def _deal_with_kin(self, rule: ActiveRule, until: int) -> None:
        """The milder kin, hidden or still waiting for a repeat, is dealt with too."""
        stream = self._streams.get(rule.stream)
        if stream is not None and rule.id not in self._alerts:
            self._streams[rule.stream] = dealt_with(stream, rule.id, until=until)

    def _reconcile(self, sample: Sample | None, *, withdrawn: bool = False) -> None:
        first = len(self._events)
        hidden: dict[str, dict[str, int]] = {}
        for rule in self._rules.rules:
            stream = self._streams.get(rule.stream)
            if stream is None or not _concerns(stream, rule.id):
                continue
            target = target_of(rule, stream, self._judge(stream))
            inhibitor = None if target is None else self._inhibitor(rule, target)
            if rule.id in self._alerts:
                quiet = inhibitor is not None
                self._update(rule, target, sample, quiet=quiet)
            elif target is not None and inhibitor is not None:
                newest = target.evidence[-1].at
                hidden.setdefault(inhibitor, {})[rule.id] = newest
            elif target is not None and (withdrawn or _is_behind(sample, target)):
                # What was hidden is raised by a reading of its own, not by the end of
                # what hid it: that would be an alert on old data.
                self._raise(rule, target)
        for inhibitor, names in hidden.items():
            self._note_hidden(inhibitor, names, first)

    def _inhibitor(self, rule: ActiveRule, target: Target) -> str | None:
        """The active, at least as urgent alert that hides this rule, or None."""
        for name in sorted(rule.inhibitors):
            alert = self._alerts.get(name)
            if (
                alert is not None
                and alert.condition_present
                and alert.level.rank <= target.level.rank
                and (target.historical or not alert.historical)
            ):
                return name
        return None

    def _update(
        self,
        rule: ActiveRule,
        target: Target | None,
        sample: Sample | None,
        *,
        quiet: bool,
    ) -> None:
        alert = self._alerts[rule.id]
        if target is None or self._is_over(alert, target):
            event = clear_alert(alert, self._now)
            if target is not None:
                self._set(rule, idle_late(self._streams[rule.stream], rule.id))
            self._record(rule, event, until=0)
            return
        if alert.historical and not target.historical:
            # A live condition is news: it must not inherit that somebody accepted
            # the historical one.
            self._record(rule, clear_alert(alert, self._now), until=0)
            self._raise(rule, target)
            return
        event = change_alert(alert, target, sample=sample, quiet=quiet, now=self._now)
        self._record(rule, event, until=target.evidence[-1].at)

    def _is_over(self, alert: Alert, target: Target) -> bool:
        """Whether a newer live reading ended what a late one had raised."""
        return (
            target.superseded is not None
            and alert.level is not Level.HIGH
            and target.superseded.arrived > to_us(alert.raised_at)
        )

    def _raise(self, rule: ActiveRule, target: Target) -> None:
        stream = self._streams[rule.stream]
        if target.superseded is not None and rule.level is not Level.HIGH:
            # Over before it was known: nothing would be left to do about it.
            self._set(rule, idle_late(stream, rule.id))
            return
        event = raise_alert(
            rule,
            target,
            resident=self._profile.resident,
            past=stream.past.get(rule.id, ()),
            now=self._now,
        )
        self._record(rule, event, until=target.evidence[-1].at)

    def _record(self, rule: ActiveRule, event: Event | None, *, until: int) -> None:
        if event is None:
            return
        stream = self._streams[rule.stream]
        self._events.append(event)
        if event.alert.state is AlertState.CLOSED:
            del self._alerts[rule.id]
            self._set(rule, closed_alert(stream, rule.id))
            return
        self._alerts[rule.id] = event.alert
        known = stream.raised.get(rule.id)
        if known is not None:
            until = max(until, known.until)
        raised = Raised(event.alert.id, until)
        self._set(rule, remember(stream, rule.id, raised))

    def _note_hidden(self, inhibitor: str, names: dict[str, int], first: int) -> None:
        """Record on the inhibitor's alert what it hides: recorded, not raised."""
        alert = self._alerts[inhibitor]
        rule = self._rules.by_id.get(inhibitor)
        new = frozenset(names) - set(alert.hides)
        if rule is None:
            return
        stream = self._streams[rule.stream]
        if new:
            index = next(
                (
                    i
                    for i in range(len(self._events) - 1, first - 1, -1)
                    if self._events[i].alert.id == alert.id
                ),
                None,
            )
            if index is None:
                event = hiding(alert, new, self._now)
                self._events.append(event)
            else:
                event = hide(self._events[index], new)
                self._events[index] = event
            alert = self._alerts[inhibitor] = event.alert
        known = stream.raised.get(inhibitor)
        until = max(0 if known is None else known.until, *names.values())
        raised = Raised(alert.id, until)
        if raised != known:
            self._set(rule, remember(stream, inhibitor, raised))

    def _set(self, rule: ActiveRule, stream: Stream) -> None:
        self._streams[rule.stream] = stream


_EMPTY = Stream()


def _is_behind(sample: Sample | None, target: Target) -> bool:
    return sample is not None and any(
        behind.observation == sample.observation for behind in target.evidence
    )


def _concerns(stream: Stream, rule: str) -> bool:
    return rule in stream.live.head or rule in stream.late.head or rule in stream.raised
