"""Waveforms of the Lepu boards as runs of samples with honest gaps.

ECG frames are numbered (1 to 255 and round again; 0 while the board prepares), so lost
frames are counted exactly. Pleth samples carry no number: a gap shows only as silence,
and its length is estimated from the times of reception.

Source: ``firmware_protocols.lepu.pc300.ecg`` and ``firmware_protocols.lepu.pleth``.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from firmware_protocols.lepu.pc300.ecg import (
    COUNTS_PER_MV_8_BIT,
    COUNTS_PER_MV_12_BIT,
    ECG_HZ,
    SAMPLES_PER_FRAME,
    EcgWave,
)
from gateway.model.waveform import LeadState
from gateway.ports.devices import Samples

SEQUENCES: Final = 255
"""Numbers of ECG frames in one round: 1 to 255, without 0."""

PLETH_GAP_S: Final = 0.5
"""Silence in a pleth stream that is a gap: frames come every 20 to 100 ms, and a busy
link delays them by up to 0.2 s."""

PLETH_PAUSE_S: Final = 10.0
"""Silence after which the next pleth sample begins another recording."""

_BITS_12: Final = 12


class EcgStream:
    """Unwraps the frame numbers of one board's ECG recordings."""

    __slots__ = ("_gain", "_index", "_kind", "_last", "_recording", "_sequence")

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._gain = Decimal(COUNTS_PER_MV_12_BIT)
        self._recording = 0
        self._sequence = 0  # of the last frame; 0 = none in this recording
        self._index = 0
        self._last: Samples | None = None

    def gain(self, counts_per_mv: int) -> None:
        """Take the board's gain of 12-bit samples."""
        self._gain = Decimal(counts_per_mv)

    def wave(self, record: EcgWave, at: datetime) -> Samples | None:
        """The samples of a frame; None while preparing, or when it came twice."""
        if record.seq in (0, self._sequence):
            return None
        missing = 0
        if self._sequence and self._last is not None:
            missing = (record.seq - self._sequence - 1) % SEQUENCES
        else:
            self._recording += 1
            self._index = 0
            missing = record.seq - 1  # a recording begins with frame 1
        self._sequence = record.seq
        gap = missing * SAMPLES_PER_FRAME
        wide = record.bits == _BITS_12
        samples = Samples(
            recording=f"ecg-{self._recording}",
            kind=self._kind,
            counts=record.samples,
            index=self._index + gap,
            rate=float(ECG_HZ),
            scale=float(1 / (self._gain if wide else COUNTS_PER_MV_8_BIT)),
            baseline=record.baseline,
            unit="mV",
            received_at=at,
            gap_before=gap,
            lead=LeadState.OFF if record.lead_off else LeadState.ON,
        )
        self._index += gap + len(record.samples)
        self._last = samples
        return samples

    def end(self, at: datetime) -> Samples | None:
        """Close the recording; None when there is none."""
        last, self._last = self._last, None
        self._sequence = 0
        if last is None:
            return None
        return Samples(
            recording=last.recording,
            kind=last.kind,
            counts=(),
            index=self._index,
            rate=last.rate,
            scale=last.scale,
            baseline=last.baseline,
            unit=last.unit,
            received_at=at,
            lead=last.lead,
            final=True,
        )


class PlethStream:
    """Numbers the samples of one board's pulse wave."""

    __slots__ = ("_at", "_index", "_rate", "_recording")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._recording = 0
        self._index = 0
        self._at: datetime | None = None

    def samples(self, counts: tuple[int, ...], at: datetime) -> Samples:
        """The samples of a frame received at ``at``."""
        silence = None if self._at is None else (at - self._at).total_seconds()
        gap = 0
        if silence is None or silence > PLETH_PAUSE_S:
            self._recording += 1
            self._index = 0
        elif silence > PLETH_GAP_S:
            gap = max(0, round(silence * self._rate) - len(counts))
        self._at = at
        run = Samples(
            recording=f"pleth-{self._recording}",
            kind="pleth_waveform",
            counts=counts,
            index=self._index + gap,
            rate=float(self._rate),
            scale=1.0,
            baseline=0,
            unit="1",
            received_at=at,
            gap_before=gap,
            lead=LeadState.ON,
        )
        self._index += gap + len(counts)
        return run
