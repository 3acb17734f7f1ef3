"""Runs of samples gathered into chunks of ten seconds. Pure; times are arguments.

Time is honest: the first sample's instant is the reception of a run less its length; it
is advanced by the sample count alone, so that jitter of the link does not show. When
the device's rate drifts away from reception by more than ``MAX_DRIFT`` the origin is
moved and the drift reported. Gaps are counted and never filled.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid5

from gateway.model.observation import OBSERVATION_NAMESPACE
from gateway.model.waveform import MAX_SAMPLES_PER_CHUNK
from gateway.ports.devices import Samples

# Ten seconds a chunk: what an ECG strip shows, and what a power cut may cost.
CHUNK_SECONDS: Final = 10.0
# Leads times devices of one station; beyond it the stream silent for longest is ended.
MAX_STREAMS: Final = 64
# A stream silent for this long is committed as far as it came.
STALL: Final = timedelta(seconds=15)
# Crystals are good to 100 ppm: half a second is more than an hour of drift.
MAX_DRIFT: Final = timedelta(seconds=0.5)
# 8 kHz is beyond any device here; what is faster is a decoding fault.
MAX_RATE: Final = 8_000.0
_COUNT_LIMIT: Final = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Samples ready to be made a ``WaveformChunk``.

    Attributes:
        stream: id of the recording.
        started_at: when the recording began; decides whose it is.
        ended_at: instant after the last sample.
        received_at: reception of the last sample.
        last: the run that ended it; carries rate, scale and unit.
    """

    stream: str
    device: str
    driver: str
    started_at: datetime
    t0: datetime
    ended_at: datetime
    received_at: datetime
    index: int
    counts: tuple[int, ...]
    gap_before: int
    last: Samples
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The origin of a stream was moved: its rate is not what it says."""

    device: str
    kind: str
    seconds: float
    over: float


@dataclass(slots=True)
class _Stream:
    stream: str
    device: str
    driver: str
    origin: datetime  # estimated instant of sample 0
    started_at: datetime
    next_index: int
    received_at: datetime
    last: Samples
    counts: list[int] = field(default_factory=list)
    index: int = 0
    gap_before: int = 0
    earliest: timedelta | None = None


def fault(samples: Samples) -> str:
    """Why a run cannot be used; empty when it can."""
    if not math.isfinite(samples.rate) or not 0 < samples.rate <= MAX_RATE:
        return "sample-rate"
    if not math.isfinite(samples.scale) or samples.scale == 0:
        return "sample-scale"
    if samples.index < 0 or samples.gap_before < 0:
        return "sample-index"
    if any(not -_COUNT_LIMIT < count < _COUNT_LIMIT for count in samples.counts):
        return "sample-value"
    return ""


class Assembler:
    """All streams of the station."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, int, str, str], _Stream] = {}
        # Samples sent twice by a device, kept once.
        self.overlapped = 0

    def add(
        self, device: str, driver: str, link: int, samples: Samples
    ) -> list[Segment | Drift]:
        """Take a run without ``fault``; what is complete by it."""
        key = (device, link, samples.recording, samples.kind)
        out: list[Segment | Drift] = []
        stream = self._streams.get(key)
        if stream is not None and _began_anew(stream, samples):
            out += self._end(key)
        stream = self._streams.pop(key, None)
        if stream is None:
            if len(self._streams) >= MAX_STREAMS:
                out += self._end(min(self._streams, key=self._silence))
            stream = _begin(device, driver, samples)
        self._streams[key] = stream  # last in order: heard most recently
        counts = samples.counts
        gap = samples.gap_before
        missing = samples.index - stream.next_index
        if missing < 0:
            self.overlapped += min(-missing, len(counts))
            counts = counts[-missing:]
        gap = max(gap, missing)
        before = stream.last
        if gap or _differs(before, samples):
            out += _cut(stream)
            stream.gap_before += max(0, gap)
        if before.rate != samples.rate:
            stream.origin = _origin(samples)
        stream.last = samples
        stream.received_at = samples.received_at
        stream.next_index += max(0, missing)
        out += _fill(stream, counts, samples)
        if samples.final:
            out += self._end(key)
        return out

    def link_ended(self, device: str, link: int | None = None) -> list[Segment | Drift]:
        """End every stream of a device, or of one connection of it."""
        keys = [k for k in self._streams if k[0] == device and link in (None, k[1])]
        return [item for key in keys for item in self._end(key)]

    def flush(self, device: str) -> list[Segment | Drift]:
        """Complete what is gathered of a device, its streams going on."""
        streams = [s for key, s in self._streams.items() if key[0] == device]
        return [item for stream in streams for item in _cut(stream)]

    def stalled(self, now: datetime) -> list[Segment | Drift]:
        """End the streams that have been silent for ``STALL``."""
        keys = [k for k, s in self._streams.items() if now - s.received_at > STALL]
        return [item for key in keys for item in self._end(key, final=False)]

    def _silence(self, key: tuple[str, int, str, str]) -> datetime:
        return self._streams[key].received_at

    def _end(
        self, key: tuple[str, int, str, str], *, final: bool = True
    ) -> list[Segment | Drift]:
        return _cut(self._streams.pop(key), final=final)


def _begin(device: str, driver: str, samples: Samples) -> _Stream:
    origin = _origin(samples)
    started_at = origin + timedelta(seconds=samples.index / samples.rate)
    name = f"{device}|{driver}|{samples.recording}|{started_at.isoformat()}"
    return _Stream(
        stream=uuid5(OBSERVATION_NAMESPACE, name).hex,
        device=device,
        driver=driver,
        origin=origin,
        started_at=started_at,
        next_index=samples.index,
        received_at=samples.received_at,
        last=samples,
    )


def _began_anew(stream: _Stream, samples: Samples) -> bool:
    """Whether the device counts from the start again: more than a run sent twice."""
    back = stream.next_index - samples.index
    return back > CHUNK_SECONDS * samples.rate


def _fill(
    stream: _Stream, counts: tuple[int, ...], samples: Samples
) -> list[Segment | Drift]:
    """Add counts, cutting a segment whenever it is full."""
    out: list[Segment | Drift] = []
    limit = min(max(1, round(CHUNK_SECONDS * samples.rate)), MAX_SAMPLES_PER_CHUNK)
    while counts:
        if not stream.counts:
            stream.index = stream.next_index
        taken = counts[: limit - len(stream.counts)]
        counts = counts[len(taken) :]
        stream.counts += taken
        stream.next_index += len(taken)
        if not counts:
            _note_reception(stream, samples)
        if len(stream.counts) >= limit:
            out += _cut(stream, final=samples.final and not counts)
    return out


def _origin(samples: Samples) -> datetime:
    """The instant of the stream's sample 0, judged by this run alone."""
    end = samples.index + len(samples.counts)
    return samples.received_at - timedelta(seconds=end / samples.rate)


def _differs(before: Samples, now: Samples) -> bool:
    return (before.rate, before.scale, before.baseline, before.unit, before.lead) != (
        now.rate,
        now.scale,
        now.baseline,
        now.unit,
        now.lead,
    )


def _note_reception(stream: _Stream, samples: Samples) -> None:
    """Keep the least delayed reception: delays only ever add."""
    ideal = stream.origin + timedelta(seconds=stream.next_index / samples.rate)
    late = samples.received_at - ideal
    if stream.earliest is None or late < stream.earliest:
        stream.earliest = late


def _cut(stream: _Stream, *, final: bool = False) -> list[Segment | Drift]:
    if not stream.counts:
        return []
    rate = stream.last.rate
    out: list[Segment | Drift] = []
    drift = stream.earliest or timedelta()
    if abs(drift) > MAX_DRIFT:
        out.append(
            Drift(
                device=stream.device,
                kind=stream.last.kind,
                seconds=drift.total_seconds(),
                over=stream.next_index / rate,
            )
        )
        stream.origin += drift
    t0 = stream.origin + timedelta(seconds=stream.index / rate)
    out.append(
        Segment(
            stream=stream.stream,
            device=stream.device,
            driver=stream.driver,
            started_at=stream.started_at,
            t0=t0,
            ended_at=t0 + timedelta(seconds=len(stream.counts) / rate),
            received_at=stream.received_at,
            index=stream.index,
            counts=tuple(stream.counts),
            gap_before=stream.gap_before,
            last=stream.last,
            final=final,
        )
    )
    stream.counts = []
    stream.gap_before = 0
    stream.earliest = None
    return out
