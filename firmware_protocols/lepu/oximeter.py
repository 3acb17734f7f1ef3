"""Lepu fingertip oximeters: PC-60FW, PC-60NW, KS-60FW, OxySmart, AP-20, SP-20.

Over Bluetooth LE in ``AA 55`` frames: PC-60FW and KS-60FW on the Nordic UART service
(write 6e400002, notify 6e400003), AP-20 on FFB0/FFB2, SP-20 on FFF0. Values usually
flow on subscription alone.

::

    device -> host
    0F/01  SpO2 PRlo PRhi PI st batt   PI in tenths of a percent; st bit 1 probe off,
                    bit 2 searching; batt bits 6-7 level 0-3; zero means no reading
    0F/02  5 samples                   bits 0-6 amplitude, bit 7 beat; 10 frames/s
    0F/21  mode step p1 p2             what the device is doing
    F0/03  level                       battery 0-3

    host -> device
    F0/81 information   F0/82 serial number   F0/A1 MAC address
    0F/84 0|1 values off, on     0F/85 0|1 waveform off, on

Source: viatomEcho/LepuBle and eight independent hosts, captured frames of all four
device frames. The low six bits of ``batt`` are not documented and not kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final, TypeAlias

from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pleth import pleth_bytes, pleth_samples
from firmware_protocols.lepu.record import (
    TENTHS,
    Direction,
    Unknown,
    code_of,
    data_of,
    named,
)

PLETH_HZ: Final = 50
"""Pleth samples in a second."""
SAMPLES_PER_FRAME: Final = 5

MAX_BATTERY_LEVEL: Final = 3

_PROBE_OFF: Final = 0x02
_SEARCHING: Final = 0x04
_BATTERY_SHIFT: Final = 6
_SWITCH: Final[Mapping[int, bool]] = {0: False, 1: True}


class WorkMode(StrEnum):
    """How the device measures."""

    SPOT = "spot"
    CONTINUOUS = "continuous"
    MENU = "menu"


class WorkStep(StrEnum):
    """How far a measurement is."""

    IDLE = "idle"
    PREPARE = "prepare"
    MEASURING = "measuring"
    RESULT = "result"
    ANALYSIS = "analysis"
    DONE = "done"


_MODES: Final[Mapping[int, WorkMode]] = dict(enumerate(WorkMode, start=1))
_STEPS: Final[Mapping[int, WorkStep]] = dict(enumerate(WorkStep))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spo2:
    """0F/01: saturation and pulse, once a second; None while there is no reading."""

    kind: ClassVar[str] = "spo2"

    spo2_pct: int | None
    pulse_bpm: int | None
    pi_pct: Decimal | None
    probe_off: bool
    searching: bool
    battery_level: int

    @classmethod
    def from_frame(cls, frame: Frame) -> "Spo2":
        """Read values, flags and battery.

        Raises:
            TruncatedError: Fewer than six data bytes.
        """
        data = data_of(frame, cls.kind, 6)
        return cls(
            spo2_pct=data[0] or None,
            pulse_bpm=data[1] | data[2] << 8 or None,
            pi_pct=TENTHS[data[3]] if data[3] else None,
            probe_off=bool(data[4] & _PROBE_OFF),
            searching=bool(data[4] & _SEARCHING),
            battery_level=data[5] >> _BATTERY_SHIFT,
        )

    def to_frame(self) -> Frame:
        """0F/01."""
        values = bytes((self.spo2_pct or 0,))
        values += (self.pulse_bpm or 0).to_bytes(2, "little")
        status = self.probe_off * _PROBE_OFF | self.searching * _SEARCHING
        battery = self.battery_level << _BATTERY_SHIFT
        tail = bytes((int((self.pi_pct or 0) * 10), status, battery))
        return Frame.build(token=0x0F, type=0x01, data=values + tail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pleth:
    """0F/02: a tenth of a second of pulse wave, amplitudes 0 to 127, oldest first."""

    kind: ClassVar[str] = "pleth"

    samples: tuple[int, ...]
    beats: tuple[bool, ...]

    @classmethod
    def from_frame(cls, frame: Frame) -> "Pleth":
        """Read the samples.

        Raises:
            TruncatedError: No data.
        """
        samples, beats = pleth_samples(data_of(frame, cls.kind, 1))
        return cls(samples=samples, beats=beats)

    def to_frame(self) -> Frame:
        """0F/02."""
        data = pleth_bytes(self.samples, self.beats)
        return Frame.build(token=0x0F, type=0x02, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkStatus:
    """0F/21: what the device is doing.

    Attributes:
        mode: How it measures.
        step: How far it is.
        p1: In step RESULT the saturation in percent.
        p2: In step RESULT the pulse in beats a minute.
    """

    kind: ClassVar[str] = "work_status"

    mode: WorkMode
    step: WorkStep
    p1: int = 0
    p2: int = 0

    @classmethod
    def from_frame(cls, frame: Frame) -> "WorkStatus":
        """Read mode, step and parameters.

        Raises:
            TruncatedError: Fewer than four data bytes.
            FieldError: A mode or step that no source names.
        """
        data = data_of(frame, cls.kind, 4)
        return cls(
            mode=named(frame, "work_status.mode", data[0], _MODES),
            step=named(frame, "work_status.step", data[1], _STEPS),
            p1=data[2],
            p2=data[3],
        )

    def to_frame(self) -> Frame:
        """0F/21."""
        mode, step = code_of(self.mode, _MODES), code_of(self.step, _STEPS)
        data = bytes((mode, step, self.p1, self.p2))
        return Frame.build(token=0x0F, type=0x21, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """F0/03: battery level, 0 to ``MAX_BATTERY_LEVEL``."""

    kind: ClassVar[str] = "battery"

    level: int

    @classmethod
    def from_frame(cls, frame: Frame) -> "Battery":
        """Read the level.

        Raises:
            TruncatedError: No data.
        """
        return cls(level=data_of(frame, cls.kind, 1)[0])

    def to_frame(self) -> Frame:
        """F0/03."""
        return Frame.build(token=0xF0, type=0x03, data=bytes((self.level,)))


class CommandName(StrEnum):
    """Every command by its name; none of them changes what is stored or measured."""

    QUERY_DEVICE_INFO = "query_device_info"
    QUERY_SERIAL_NUMBER = "query_serial_number"
    QUERY_MAC = "query_mac"
    ENABLE_PARAM_UPLOAD = "enable_param_upload"
    ENABLE_WAVE_UPLOAD = "enable_wave_upload"


_COMMANDS: Final[Mapping[tuple[int, int], CommandName]] = {
    (0xF0, 0x81): CommandName.QUERY_DEVICE_INFO,
    (0xF0, 0x82): CommandName.QUERY_SERIAL_NUMBER,
    (0xF0, 0xA1): CommandName.QUERY_MAC,
    (0x0F, 0x84): CommandName.ENABLE_PARAM_UPLOAD,
    (0x0F, 0x85): CommandName.ENABLE_WAVE_UPLOAD,
}
_SWITCHES: Final = frozenset(
    {CommandName.ENABLE_PARAM_UPLOAD, CommandName.ENABLE_WAVE_UPLOAD}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command; ``enable`` is for the two upload switches and None otherwise."""

    kind: ClassVar[str] = "command"

    name: CommandName
    enable: bool | None = None

    @classmethod
    def from_frame(cls, frame: Frame) -> "Command":
        """Read a command.

        Raises:
            TruncatedError: A switch without data.
            FieldError: A switch that is neither 0 nor 1.
        """
        name = _COMMANDS[frame.token, frame.type]
        if name not in _SWITCHES:
            return cls(name=name)
        byte = data_of(frame, name, 1)[0]
        return cls(name=name, enable=named(frame, f"{name}.enable", byte, _SWITCH))

    def to_frame(self) -> Frame:
        """The command's frame."""
        data = b"" if self.enable is None else bytes((self.enable,))
        for (token, kind), name in _COMMANDS.items():
            if name is self.name:
                return Frame.build(token=token, type=kind, data=data)
        msg = f"{self.name!r} has no frame"
        raise ValueError(msg)


DeviceRecord: TypeAlias = Spo2 | Pleth | WorkStatus | Battery | Unknown
HostCommand: TypeAlias = Command | Unknown

_DEVICE: Final[Mapping[tuple[int, int], Callable[[Frame], DeviceRecord]]] = {
    (0x0F, 0x01): Spo2.from_frame,
    (0x0F, 0x02): Pleth.from_frame,
    (0x0F, 0x21): WorkStatus.from_frame,
    (0xF0, 0x03): Battery.from_frame,
}


def decode_device(frame: Frame) -> DeviceRecord:
    """What the device says with ``frame``.

    Raises:
        ProtocolError: The data is too short or holds what the protocol forbids.
    """
    return _DEVICE.get((frame.token, frame.type), Unknown.from_frame)(frame)


def decode_host(frame: Frame) -> HostCommand:
    """What the host says with ``frame``.

    Raises:
        ProtocolError: The data is too short or holds what the protocol forbids.
    """
    if (frame.token, frame.type) in _COMMANDS:
        return Command.from_frame(frame)
    return Unknown.from_frame(frame)


def decode(frame: Frame, direction: Direction) -> DeviceRecord | HostCommand:
    """What ``frame`` says when it was sent in ``direction``.

    Raises:
        ProtocolError: The data is too short or holds what the protocol forbids.
    """
    if direction is Direction.HOST_TO_DEVICE:
        return decode_host(frame)
    return decode_device(frame)
