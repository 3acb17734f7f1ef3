"""The ECG module of the PC-300: started, stopped, version and state.

::

    30/01, 30/02          measurement started, stopped
    31/01  sw [sw] hw     module version
    31/02  b              bit 7 measuring, bit 6 connected

Source: viatomEcho/LepuBle and one independent host.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pc300.versions import version_bytes, version_text
from firmware_protocols.lepu.record import data_of

_MEASURING: Final = 0x80
_CONNECTED: Final = 0x40


@dataclass(frozen=True, slots=True, kw_only=True)
class EcgStarted:
    """30/01: the board begins to measure."""

    kind: ClassVar[str] = "ecg_started"

    @classmethod
    def from_frame(cls, _frame: Frame) -> "EcgStarted":
        """Nothing is in it."""
        return cls()

    def to_frame(self) -> Frame:
        """30/01."""
        return Frame.build(token=0x30, type=0x01)


@dataclass(frozen=True, slots=True, kw_only=True)
class EcgStopped:
    """30/02: the board has stopped."""

    kind: ClassVar[str] = "ecg_stopped"

    @classmethod
    def from_frame(cls, _frame: Frame) -> "EcgStopped":
        """Nothing is in it."""
        return cls()

    def to_frame(self) -> Frame:
        """30/02."""
        return Frame.build(token=0x30, type=0x02)


@dataclass(frozen=True, slots=True, kw_only=True)
class EcgVersion:
    """31/01: the ECG module's software and hardware, such as "1.2" and "1.0"."""

    kind: ClassVar[str] = "ecg_version"

    sw: str
    hw: str

    @classmethod
    def from_frame(cls, frame: Frame) -> "EcgVersion":
        """Read two or three bytes; the last is the hardware's.

        Raises:
            TruncatedError: Fewer than two data bytes.
        """
        data = data_of(frame, cls.kind, 2)
        return cls(sw=version_text(data[:-1]), hw=version_text(data[-1:]))

    def to_frame(self) -> Frame:
        """31/01."""
        data = version_bytes(self.sw) + version_bytes(self.hw)
        return Frame.build(token=0x31, type=0x01, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class EcgState:
    """31/02: whether the ECG module is there and at work."""

    kind: ClassVar[str] = "ecg_state"

    measuring: bool
    connected: bool

    @classmethod
    def from_frame(cls, frame: Frame) -> "EcgState":
        """Read the flags.

        Raises:
            TruncatedError: No data.
        """
        byte = data_of(frame, cls.kind, 1)[0]
        return cls(measuring=bool(byte & _MEASURING), connected=bool(byte & _CONNECTED))

    def to_frame(self) -> Frame:
        """31/02."""
        byte = self.measuring * _MEASURING | self.connected * _CONNECTED
        return Frame.build(token=0x31, type=0x02, data=bytes((byte,)))
