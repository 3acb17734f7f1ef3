"""A byte-true PC-60FW fingertip oximeter behind a notify characteristic.

Sans-I/O: ``poll`` gives notifications, ``next_deadline`` says when. It sends values
once a second and ten waveform frames a second while it is switched on and subscribed
to, as the real one does without any command.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from firmware_protocols.errors import ProtocolError
from firmware_protocols.lepu.aa55 import Aa55Framer, Frame
from firmware_protocols.lepu.oximeter import (
    PLETH_HZ,
    SAMPLES_PER_FRAME,
    Battery,
    Command,
    CommandName,
    Pleth,
    Spo2,
    WorkMode,
    WorkStatus,
    WorkStep,
    decode_host,
)
from firmware_protocols.lepu.record import Record
from simulators.agenda import Agenda
from simulators.waves import pleth_sample

SERVICE_UUID: Final = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
WRITE_UUID: Final = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
NOTIFY_UUID: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

MAX_NOTIFICATION: Final = 20
"""Bytes in one notification at the smallest ATT MTU."""

_SPO2_PERIOD: Final = 1.0
_PLETH_PERIOD: Final = SAMPLES_PER_FRAME / PLETH_HZ
_SEARCH_SECONDS: Final = 3.0
_STREAM: Final = "stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finger:
    spo2: int
    pulse: int
    pi: Decimal
    since: float


class LepuOximeter:
    """One oximeter.

    Attributes:
        battery_level: 0 to 3.
        refused: Writes, or parts of them, that had no effect.
    """

    def __init__(self, *, name: str = "PC-60FW", battery_level: int = 3) -> None:
        self.name = name
        self.battery_level = battery_level
        self.refused = 0
        self._framer = Aa55Framer()
        self._agenda = Agenda()
        self._outbox: list[bytes] = []
        self._finger: _Finger | None = None
        self._values = True
        self._wave = True
        self._index = 0

    def subscribe(self, now: float) -> None:
        """The host switches notifications on."""
        self.unsubscribe()
        self._say(Battery(level=self.battery_level))
        self._say(WorkStatus(mode=WorkMode.CONTINUOUS, step=WorkStep.MEASURING))
        self._agenda.add(now + _SPO2_PERIOD, _STREAM, self._tick_spo2)
        self._agenda.add(now + _PLETH_PERIOD, _STREAM, self._tick_pleth)

    def unsubscribe(self) -> None:
        """The host switches notifications off, or the link is gone."""
        self._agenda.cancel(_STREAM)
        self._outbox.clear()

    def put_finger(
        self, now: float, *, spo2: int, pulse: int, pi: Decimal = Decimal("4.2")
    ) -> None:
        """Put a finger in; values come after the device has searched for a pulse."""
        self._finger = _Finger(spo2=spo2, pulse=pulse, pi=pi, since=now)

    def take_finger_out(self) -> None:
        """The probe is empty again."""
        self._finger = None

    def receive(self, data: bytes, now: float) -> None:
        """Take what the host wrote to the write characteristic."""
        for event in self._framer.receive(data, now):
            if isinstance(event, Frame):
                self._take(event)
            else:
                self.refused += 1

    def poll(self, now: float) -> list[bytes]:
        """The notifications that are due by ``now``, in order."""
        self.refused += len(self._framer.expire(now))
        self._agenda.run(now)
        notifications, self._outbox = self._outbox, []
        return notifications

    def next_deadline(self) -> float | None:
        """When ``poll`` has something to do, or None."""
        times = (self._agenda.next_deadline(), self._framer.next_deadline())
        return min((time for time in times if time is not None), default=None)

    def _take(self, frame: Frame) -> None:
        try:
            command = decode_host(frame)
        except ProtocolError:
            self.refused += 1
            return
        match command:
            case Command(name=CommandName.ENABLE_PARAM_UPLOAD, enable=bool() as on):
                self._values = on
            case Command(name=CommandName.ENABLE_WAVE_UPLOAD, enable=bool() as on):
                self._wave = on
            case _:
                # The answers to the queries are not public.
                self.refused += 1

    def _say(self, record: Record) -> None:
        raw = record.to_frame().raw
        self._outbox += [
            raw[at : at + MAX_NOTIFICATION]
            for at in range(0, len(raw), MAX_NOTIFICATION)
        ]

    def _tick_spo2(self, at: float) -> None:
        finger = self._finger
        found = finger is not None and at >= finger.since + _SEARCH_SECONDS
        if self._values:
            self._say(
                Spo2(
                    spo2_pct=finger.spo2 if finger and found else None,
                    pulse_bpm=finger.pulse if finger and found else None,
                    pi_pct=finger.pi if finger and found else None,
                    probe_off=finger is None,
                    searching=finger is not None and not found,
                    battery_level=self.battery_level,
                )
            )
        self._agenda.add(at + _SPO2_PERIOD, _STREAM, self._tick_spo2)

    def _tick_pleth(self, at: float) -> None:
        finger = self._finger
        if self._wave and finger is not None:
            samples = [
                pleth_sample(self._index + i, pulse_bpm=finger.pulse, rate_hz=PLETH_HZ)
                for i in range(SAMPLES_PER_FRAME)
            ]
            self._index += SAMPLES_PER_FRAME
            amplitudes, beats = zip(*samples, strict=True)
            self._say(Pleth(samples=amplitudes, beats=beats))
        self._agenda.add(at + _PLETH_PERIOD, _STREAM, self._tick_pleth)
