"""Oximetry frames of the PC-100/200/300.

::

    50/02               PC-100/200: probe off; with data the echo of an upload switch
    51/02  b            state: bit 3 probe off, bit 5 upload enabled, bit 6 check probe
    52/01  s..          pleth, one or two samples: bits 0-6 amplitude, bit 7 beat
    53/01  SpO2 PRlo PRhi PI st   PI in tenths of a percent; st bit 1 probe off,
                        bit 2 searching for a pulse; zero means no reading

Source: viatomEcho/LepuBle and five independent hosts; captured frames of 51/02, 52/01
and 53/01.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final

from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pleth import pleth_bytes, pleth_samples
from firmware_protocols.lepu.record import TENTHS, data_of

PLETH_HZ: Final = 50
"""Pleth samples in a second."""

_STATE_PROBE_OFF: Final = 0x08
_STATE_UPLOAD: Final = 0x20
_STATE_CHECK_PROBE: Final = 0x40

_PROBE_OFF: Final = 0x02
_SEARCHING: Final = 0x04


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOff:
    """50/02: no finger in the probe (PC-100 and PC-200)."""

    kind: ClassVar[str] = "probe_off"

    @classmethod
    def from_frame(cls, _frame: Frame) -> "ProbeOff":
        """Nothing is in it."""
        return cls()

    def to_frame(self) -> Frame:
        """50/02."""
        return Frame.build(token=0x50, type=0x02)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spo2State:
    """51/02: the state of the oximeter."""

    kind: ClassVar[str] = "spo2_state"

    probe_off: bool
    upload_enabled: bool
    check_probe: bool

    @classmethod
    def from_frame(cls, frame: Frame) -> "Spo2State":
        """Read the flags.

        Raises:
            TruncatedError: No data.
        """
        byte = data_of(frame, cls.kind, 1)[0]
        return cls(
            probe_off=bool(byte & _STATE_PROBE_OFF),
            upload_enabled=bool(byte & _STATE_UPLOAD),
            check_probe=bool(byte & _STATE_CHECK_PROBE),
        )

    def to_frame(self) -> Frame:
        """51/02."""
        byte = (
            self.probe_off * _STATE_PROBE_OFF
            | self.upload_enabled * _STATE_UPLOAD
            | self.check_probe * _STATE_CHECK_PROBE
        )
        return Frame.build(token=0x51, type=0x02, data=bytes((byte,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pleth:
    """52/01: the pulse wave, ``PLETH_HZ`` samples a second.

    Attributes:
        samples: Amplitudes, 0 to 127, oldest first.
        beats: Whether a beat begins at the sample, one for each.
    """

    kind: ClassVar[str] = "pleth"

    samples: tuple[int, ...]
    beats: tuple[bool, ...]

    @classmethod
    def from_frame(cls, frame: Frame) -> "Pleth":
        """Read the samples.

        Raises:
            TruncatedError: No data.
        """
        data = data_of(frame, cls.kind, 1)
        samples, beats = pleth_samples(data)
        return cls(samples=samples, beats=beats)

    def to_frame(self) -> Frame:
        """52/01."""
        data = pleth_bytes(self.samples, self.beats)
        return Frame.build(token=0x52, type=0x01, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spo2:
    """53/01: oxygen saturation and pulse, about once a second.

    Attributes:
        spo2_pct: None while there is no reading.
        pulse_bpm: None while there is no reading; 1 to 511.
        pi_pct: Perfusion index, 0.1 to 25.5; None while there is no reading.
        probe_off: No finger in the probe.
        searching: Looking for a pulse.
    """

    kind: ClassVar[str] = "spo2"

    spo2_pct: int | None
    pulse_bpm: int | None
    pi_pct: Decimal | None
    probe_off: bool = False
    searching: bool = False

    @classmethod
    def from_frame(cls, frame: Frame) -> "Spo2":
        """Read values and flags.

        Raises:
            TruncatedError: Fewer than five data bytes.
        """
        data = data_of(frame, cls.kind, 5)
        return cls(
            spo2_pct=data[0] or None,
            pulse_bpm=data[1] | data[2] << 8 or None,
            pi_pct=TENTHS[data[3]] if data[3] else None,
            probe_off=bool(data[4] & _PROBE_OFF),
            searching=bool(data[4] & _SEARCHING),
        )

    def to_frame(self) -> Frame:
        """53/01."""
        data = (
            bytes((self.spo2_pct or 0,))
            + (self.pulse_bpm or 0).to_bytes(2, "little")
            + bytes((int((self.pi_pct or 0) * 10),))
            + bytes((self.probe_off * _PROBE_OFF | self.searching * _SEARCHING,))
        )
        return Frame.build(token=0x53, type=0x01, data=data)
