"""Readings in the order they were taken, whatever order they arrive in.

A stream has two tracks. The live track holds the newest readings; one that arrives late
but within the reorder window is put in its place and the rules are folded again from
the state before the oldest reading held. What is older (fresh readings overtake a
backlog) or back-fill runs on the late track, which has its own order.
"""

from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.alerting.machine import IDLE, Machine, settle, step
from gateway.alerting.repertoire import ActiveRule
from gateway.alerting.samples import Sample

# Readings a track can still put into order: a kiosk turn has at most a handful, and a
# stream of one every 5 s comes in order from one station.
MAX_SAMPLES: Final = 16
# Ids a stream remembers; the log is unique by id, this is the second line.
MAX_SEEN: Final = 48
# Alerts a rule remembers having raised, so that no id is used twice.
MAX_PAST_ALERTS: Final = 8

Judge = Callable[[ActiveRule, Sample], bool | None]

_ID_BYTES: Final = 16


class Track(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Readings still in reach, and the machines before and after them.

    Attributes:
        floor: time of the newest reading that is no longer held.
        base: machines before ``samples``; idle ones are left out.
        head: machines after ``samples``; idle ones are left out.
    """

    samples: tuple[Sample, ...] = ()
    floor: int = 0
    base: dict[str, Machine] = {}
    head: dict[str, Machine] = {}


class Raised(Struct, frozen=True, array_like=True):
    """The open alert of a rule as the engine left it.

    ``until`` is the time of the newest reading behind it or behind what it hides.
    """

    id: UUID
    until: int


class Stream(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The durable state of one resident's readings of one kind.

    Attributes:
        seen: the last ``MAX_SEEN`` observation ids, 16 bytes each.
        raised: by rule, the alert that is open.
        closed: by rule, the time up to which a person has dealt with readings.
        past: by rule, ids of the last alerts.
    """

    live: Track = Track()
    late: Track = Track()
    seen: bytes = b""
    raised: dict[str, Raised] = {}
    closed: dict[str, int] = {}
    past: dict[str, tuple[UUID, ...]] = {}


def has_seen(stream: Stream, observation: UUID) -> bool:
    """Whether the reading was judged before, as far as the stream remembers."""
    # A match across a boundary of two ids would be chance of 1 in 2^128.
    return observation.bytes in stream.seen


def insert(
    stream: Stream,
    sample: Sample,
    *,
    rules: Iterable[ActiveRule],
    judge: Judge,
    window: int,
) -> Stream:
    """The stream with one more reading, in its place."""
    rules = tuple(rules)
    seen = (stream.seen + sample.observation.bytes)[-MAX_SEEN * _ID_BYTES :]
    if not sample.historical:
        live = _insert(stream.live, sample, rules, judge, window)
        if live is not None:
            return replace(stream, live=live, seen=seen)
    late = _insert(stream.late, sample, rules, judge, window)
    if late is None:
        # Older than what is late already, such as a second station's backlog: a new
        # run begins, which keeps only what is open.
        kept = {
            name: replace(machine, first=None, deadline=None, clears=0, recent=())
            for name, machine in stream.late.head.items()
            if machine.level is not None
        }
        start = Track(base=kept, head=kept)
        late = _insert(start, sample, rules, judge, window)
    return replace(stream, late=late or stream.late, seen=seen)


def withdraw(
    stream: Stream, observation: UUID, *, rules: Iterable[ActiveRule], judge: Judge
) -> Stream:
    """The stream as if a reading had not been, as far as it is still held."""
    rules = tuple(rules)
    ids = [
        stream.seen[start : start + _ID_BYTES]
        for start in range(0, len(stream.seen), _ID_BYTES)
    ]
    if observation.bytes not in ids:
        return stream
    # It may come back: a re-assignment can be undone.
    seen = b"".join(id_ for id_ in ids if id_ != observation.bytes)
    tracks = []
    for track in (stream.live, stream.late):
        samples = tuple(s for s in track.samples if s.observation != observation)
        if len(samples) != len(track.samples):
            head = _fold(track.base, samples, rules, judge)
            track = replace(track, samples=samples, head=head)  # noqa: PLW2901 - the track goes on
        tracks.append(track)
    return replace(stream, live=tracks[0], late=tracks[1], seen=seen)


def settle_all(stream: Stream, now: int) -> Stream:
    """The stream after the deadlines that have come."""
    due = deadline(stream)
    if due is None or due > now:
        return stream
    return replace(
        stream,
        live=replace(stream.live, head=_settled(stream.live.head, now)),
        late=replace(stream.late, head=_settled(stream.late.head, now)),
    )


def deadline(stream: Stream) -> int | None:
    """When the next tick is due, or None."""
    return min(
        (
            machine.deadline
            for track in (stream.live, stream.late)
            for machine in track.head.values()
            if machine.deadline is not None
        ),
        default=None,
    )


def dealt_with(stream: Stream, rule: str, *, until: int) -> Stream:
    """The stream after a person dealt with the rule's readings taken up to ``until``.

    Those readings do not count again for the rule.
    """
    return replace(
        closed_alert(idle(stream, rule), rule), closed={**stream.closed, rule: until}
    )


def closed_alert(stream: Stream, rule: str) -> Stream:
    """The stream without an open alert of the rule."""
    if rule not in stream.raised:
        return stream
    return replace(stream, raised={k: v for k, v in stream.raised.items() if k != rule})


def idle(stream: Stream, rule: str) -> Stream:
    """The stream with a rule idle on both tracks."""
    return replace(
        stream,
        live=_without(stream.live, rule),
        late=_without(stream.late, rule),
    )


def idle_late(stream: Stream, rule: str) -> Stream:
    """The stream with a rule idle on its late track."""
    return replace(stream, late=_without(stream.late, rule))


def remember(stream: Stream, rule: str, raised: Raised) -> Stream:
    """The stream with the rule's open alert noted."""
    past = stream.past.get(rule, ())
    if raised.id not in past:
        past = (*past, raised.id)[-MAX_PAST_ALERTS:]
    return replace(
        stream,
        raised={**stream.raised, rule: raised},
        past={**stream.past, rule: past},
    )


def _without(track: Track, rule: str) -> Track:
    if rule not in track.head and rule not in track.base:
        return track
    return replace(
        track,
        base={k: v for k, v in track.base.items() if k != rule},
        head={k: v for k, v in track.head.items() if k != rule},
    )


def _settled(head: dict[str, Machine], now: int) -> dict[str, Machine]:
    return {rule: settle(machine, now) for rule, machine in head.items()}


def _key(sample: Sample) -> tuple[int, int]:
    return sample.at, sample.observation.int


def _insert(
    track: Track,
    sample: Sample,
    rules: tuple[ActiveRule, ...],
    judge: Judge,
    window: int,
) -> Track | None:
    """The track with the reading; None when it is older than the track reaches."""
    if track.samples and sample.at < track.samples[-1].at - window:
        return None
    if sample.at < track.floor:
        return None
    if not track.samples or _key(sample) > _key(track.samples[-1]):
        samples = (*track.samples, sample)
        head = _fold(track.head, (sample,), rules, judge)
    else:
        samples = tuple(sorted((*track.samples, sample), key=_key))
        head = _fold(track.base, samples, rules, judge)
    return _pruned(track, samples, head, rules, judge, window)


def _pruned(
    before: Track,
    samples: tuple[Sample, ...],
    head: dict[str, Machine],
    rules: tuple[ActiveRule, ...],
    judge: Judge,
    window: int,
) -> Track:
    oldest = samples[-1].at - window
    drop = max(
        len(samples) - MAX_SAMPLES, sum(sample.at < oldest for sample in samples)
    )
    if drop <= 0:
        return Track(samples=samples, floor=before.floor, base=before.base, head=head)
    if samples[:drop] == before.samples:
        base = before.head  # already folded, the usual case of readings days apart
    else:
        base = _fold(before.base, samples[:drop], rules, judge)
    return Track(
        samples=samples[drop:], floor=samples[drop - 1].at, base=base, head=head
    )


def _is_before(sample: Sample, machine: Machine) -> bool:
    return bool(machine.evidence) and sample.at < machine.evidence[-1].at


def _fold(
    machines: dict[str, Machine],
    samples: tuple[Sample, ...],
    rules: tuple[ActiveRule, ...],
    judge: Judge,
) -> dict[str, Machine]:
    folded = dict(machines)
    for sample in samples:
        for rule in rules:
            met = judge(rule, sample)
            if met is None:
                continue
            machine = folded.get(rule.id)
            if machine is None:
                if not met:
                    continue
                machine = IDLE
            elif not met and _is_before(sample, machine):
                continue  # a run of late readings began anew: older ends nothing newer
            after = step(rule, machine, sample, met)
            if after == IDLE:
                folded.pop(rule.id, None)
            else:
                folded[rule.id] = after
    return folded
