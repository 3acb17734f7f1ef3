"""From a driver's reading or samples to what is journaled. Pure; no I/O."""

from gateway.codes import reading as code_of
from gateway.codes import readings
from gateway.model.observation import Observation, Setting, observation_id
from gateway.model.waveform import WaveformChunk, chunk_id, pack_samples
from gateway.ports.devices import Reading
from gateway.ports.driving import EventSource
from gateway.station.plausibility import judge
from gateway.station.session_rules import Owner
from gateway.station.timekeeping import Timing
from gateway.station.waveforms import Segment


def fault(reading: Reading) -> str:
    """Why a reading cannot be stored as one; empty when it can."""
    if reading.kind not in readings():
        return "unknown-kind"
    if not reading.components:
        return "no-components"
    return ""


def observation(
    reading: Reading,
    *,
    source: EventSource,
    station: str,
    setting: Setting,
    timing: Timing,
    owner: Owner,
) -> Observation:
    """The observation of a reading without ``fault``."""
    code = code_of(reading.kind).mdc
    judgement = judge(
        reading.components,
        flags=(*reading.flags, *timing.flags, *owner.flags),
        invalid=reading.invalid,
        questionable=reading.questionable,
    )
    device_time = reading.device_time.isoformat() if reading.device_time else None
    return Observation(
        id=observation_id(
            device=source.device,
            code=code,
            raw=reading.identity or reading.raw,
            device_time=device_time,
            sequence=reading.sequence,
            received_at=reading.received_at,
        ),
        kind=reading.kind,
        code=code,
        components=reading.components,
        device=source.device,
        station=station,
        received_at=reading.received_at,
        taken_at=timing.taken_at,
        time_quality=timing.quality,
        setting=setting,
        raw=reading.raw,
        driver=source.driver,
        quality=judgement.quality,
        device_time=device_time,
        clock_offset=timing.offset,
        sequence=reading.sequence,
        user_slot=reading.user_slot,
        session=owner.session,
        subject=owner.subject,
        context=dict(reading.context),
        flags=judgement.flags,
        stored=reading.stored,
    )


def waveform(
    segment: Segment, *, station: str, setting: Setting, owner: Owner
) -> WaveformChunk:
    """The chunk of a segment."""
    samples = segment.last
    return WaveformChunk(
        id=chunk_id(segment.stream, samples.kind, segment.index),
        stream=segment.stream,
        kind=samples.kind,
        code=code_of(samples.kind).mdc,
        device=segment.device,
        station=station,
        received_at=segment.received_at,
        t0=segment.t0,
        index=segment.index,
        rate=samples.rate,
        scale=samples.scale,
        baseline=samples.baseline,
        unit=samples.unit,
        count=len(segment.counts),
        samples=pack_samples(segment.counts),
        setting=setting,
        driver=segment.driver,
        gap_before=segment.gap_before,
        lead=samples.lead,
        session=owner.session,
        subject=owner.subject,
        final=segment.final,
    )
