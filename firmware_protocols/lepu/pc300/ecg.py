"""One-lead ECG samples, gain and finding of the PC-100/200/300.

::

    32/01  seq, 25 x (hi lo), HR, st    a sixth of a second; len 37, 59 bytes in all
                          hi bit 7: 12-bit sample, its low nibble = bits 8-11;
                          hi bit 6: beat; lo = bits 0-7; st bit 7 lead off
    33/01  code x HR      the board's own finding at the end of the 30 s record
    34/01  hi lo [amp]    counts per millivolt of 12-bit samples

Samples come at 150 Hz; 8 bit: zero line 128 at 28.5 counts/mV; 12 bit: zero line 2048
at the gain of 34/01. ``seq`` is 0 while the board prepares.

Source: viatomEcho/LepuBle and two independent hosts. There is no captured frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from struct import Struct
from typing import ClassVar, Final

from firmware_protocols.errors import FieldError
from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.record import data_of

ECG_HZ: Final = 150
"""Samples in a second."""
SAMPLES_PER_FRAME: Final = 25
RECORD_SECONDS: Final = 30
"""Length of a whole record: 4500 samples, 180 frames."""

BASELINE_8_BIT: Final = 128
BASELINE_12_BIT: Final = 2048
COUNTS_PER_MV_8_BIT: Final = Decimal("28.5")
COUNTS_PER_MV_12_BIT: Final = 394
"""What the vendor's host takes until the board sends its own gain in 34/01."""

_WAVE_SIZE: Final = 1 + 2 * SAMPLES_PER_FRAME + 2
_SAMPLES = Struct(f">{SAMPLES_PER_FRAME}H")
_IS_12_BIT: Final = 0x8000
_BEAT: Final = 0x4000
_SAMPLE: Final = 0x0FFF
_LEAD_OFF: Final = 0x80
_BITS_8: Final = 8
_BITS_12: Final = 12

ECG_POOR_SIGNAL: Final = 0xFF
_ECG_POOR_SIGNAL_OLD: Final = 16

ECG_FINDINGS: Final[Mapping[int, str]] = {
    0: "normal",
    1: "slightly fast heart beat",
    2: "fast heart beat",
    3: "short run of fast heart beats",
    4: "slightly slow heart beat",
    5: "slow heart beat",
    6: "occasional short beat interval",
    7: "irregular beat interval",
    8: "fast heart beat with occasional short beat interval",
    9: "slow heart beat with occasional short beat interval",
    10: "slow heart beat with irregular beat interval",
    11: "baseline wander",
    12: "fast heart beat with baseline wander",
    13: "slow heart beat with baseline wander",
    14: "occasional short beat interval with baseline wander",
    15: "irregular beat interval with baseline wander",
    _ECG_POOR_SIGNAL_OLD: "poor signal",
    ECG_POOR_SIGNAL: "poor signal",
}
"""The board's findings: suspicions of a one-lead algorithm, no diagnoses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EcgWave:
    """32/01: a sixth of a second of ECG.

    Attributes:
        seq: 0 while the board prepares, then 1 to 255 and round again.
        bits: 8 or 12, the width of the samples.
        samples: 25 raw counts, ``ECG_HZ`` a second, oldest first.
        beats: Whether a beat was found at the sample, one for each.
        hr_bpm: Heart rate; None while there is none (0).
        lead_off: An electrode is not touched.
    """

    kind: ClassVar[str] = "ecg_wave"
    derived: ClassVar[tuple[str, ...]] = ("baseline",)

    seq: int
    bits: int
    samples: tuple[int, ...]
    beats: tuple[bool, ...]
    hr_bpm: int | None
    lead_off: bool

    @property
    def baseline(self) -> int:
        """The count which is 0 mV."""
        return BASELINE_12_BIT if self.bits == _BITS_12 else BASELINE_8_BIT

    @classmethod
    def from_frame(cls, frame: Frame) -> "EcgWave":
        """Read the samples.

        Raises:
            TruncatedError: Fewer than 53 data bytes.
            FieldError: Samples of both widths in one frame.
        """
        data = data_of(frame, cls.kind, _WAVE_SIZE)
        words = _SAMPLES.unpack_from(data, 1)
        wide = words[0] & _IS_12_BIT
        if min(words) & _IS_12_BIT != wide or max(words) & _IS_12_BIT != wide:
            raise FieldError("ecg_wave.samples", "8 and 12 bit mixed", frame.raw)
        return cls(
            seq=data[0],
            bits=_BITS_12 if wide else _BITS_8,
            samples=tuple([word & _SAMPLE for word in words]),
            beats=tuple([word & _BEAT != 0 for word in words]),
            hr_bpm=data[_WAVE_SIZE - 2] or None,
            lead_off=bool(data[_WAVE_SIZE - 1] & _LEAD_OFF),
        )

    def to_frame(self) -> Frame:
        """32/01."""
        if any(not 0 <= sample <= _SAMPLE for sample in self.samples):
            msg = "an ECG sample does not fit 12 bits"
            raise ValueError(msg)
        wide = _IS_12_BIT if self.bits == _BITS_12 else 0
        words = [
            wide | beat * _BEAT | sample
            for sample, beat in zip(self.samples, self.beats, strict=True)
        ]
        tail = bytes((self.hr_bpm or 0, self.lead_off * _LEAD_OFF))
        data = bytes((self.seq,)) + _SAMPLES.pack(*words) + tail
        return Frame.build(token=0x32, type=0x01, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class EcgResult:
    """33/01: the board's finding on its record.

    Attributes:
        code: See ``ECG_FINDINGS``.
        reserved: The second byte, which no source explains.
        hr_bpm: Mean heart rate; None when there is none (0).
    """

    kind: ClassVar[str] = "ecg_result"
    derived: ClassVar[tuple[str, ...]] = ("finding", "poor_signal")

    code: int
    hr_bpm: int | None
    reserved: int = 0

    @property
    def finding(self) -> str | None:
        """What the code means; None for a code that no source names."""
        return ECG_FINDINGS.get(self.code)

    @property
    def poor_signal(self) -> bool:
        """The board could not judge the record; it must be taken again."""
        return self.code in {ECG_POOR_SIGNAL, _ECG_POOR_SIGNAL_OLD}

    @classmethod
    def from_frame(cls, frame: Frame) -> "EcgResult":
        """Read code and heart rate.

        Raises:
            TruncatedError: Fewer than three data bytes.
        """
        data = data_of(frame, cls.kind, 3)
        return cls(code=data[0], reserved=data[1], hr_bpm=data[2] or None)

    def to_frame(self) -> Frame:
        """33/01."""
        data = bytes((self.code, self.reserved, self.hr_bpm or 0))
        return Frame.build(token=0x33, type=0x01, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class EcgGain:
    """34/01: the scale of 12-bit samples.

    Attributes:
        counts_per_mv: Such as 394.
        amplification: Display amplification; None when the frame ends before it.
    """

    kind: ClassVar[str] = "ecg_gain"

    counts_per_mv: int
    amplification: int | None = None

    @classmethod
    def from_frame(cls, frame: Frame) -> "EcgGain":
        """Read the gain.

        Raises:
            TruncatedError: Fewer than two data bytes.
            FieldError: A gain of 0, by which no sample can be scaled.
        """
        data = data_of(frame, cls.kind, 2)
        gain = int.from_bytes(data[:2], "big")
        if gain == 0:
            raise FieldError("ecg_gain.counts_per_mv", "is 0", frame.raw)
        return cls(counts_per_mv=gain, amplification=next(iter(data[2:]), None))

    def to_frame(self) -> Frame:
        """34/01."""
        data = self.counts_per_mv.to_bytes(2, "big")
        if self.amplification is not None:
            data += bytes((self.amplification,))
        return Frame.build(token=0x34, type=0x01, data=data)
