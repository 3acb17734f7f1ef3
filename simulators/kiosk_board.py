"""A byte-true PC-300 spot-check board, the core of many health kiosks.

Sans-I/O: ``receive`` takes what the host wrote, ``poll`` gives what the board writes,
``next_deadline`` says when to poll again; poll also after anything was done to the
board. ``simulators.pty_port`` runs it on a real pseudo terminal. The methods
``measure_...`` and ``record_ecg`` are the hands of the person at the kiosk; a NIBP or
ECG start of the host does the same with ``vitals``.

The board sends oximetry only after the host has enabled its upload, as the real one
does. Host frames with a bad CRC, such as the known ``AA 55 31 02 02 C6``, are refused:
counted, and without any effect.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from firmware_protocols.errors import ProtocolError
from firmware_protocols.lepu.aa55 import Aa55Framer, Frame
from firmware_protocols.lepu.pc300 import HostCommand, Unknown, Variant, decode_host
from firmware_protocols.lepu.pc300.commands import Command, CommandName
from firmware_protocols.lepu.pc300.ecg import RECORD_SECONDS
from firmware_protocols.lepu.pc300.ecg_module import EcgState, EcgStopped
from firmware_protocols.lepu.pc300.glucose import (
    Glucose,
    GlucoseFlag,
)
from firmware_protocols.lepu.pc300.nibp import (
    NibpEnded,
    NibpFault,
    NibpResult,
)
from firmware_protocols.lepu.pc300.oximetry import PLETH_HZ, Pleth, Spo2, Spo2State
from firmware_protocols.lepu.pc300.settings import (
    Spo2Upload,
)
from firmware_protocols.lepu.pc300.system import (
    PowerOff,
    TimeRequest,
)
from firmware_protocols.lepu.record import Record
from simulators.agenda import Agenda
from simulators.kiosk_measurements import (
    BloodPressure,
    Heart,
    Timed,
    ecg_measurement,
    failing_nibp_measurement,
    nibp_measurement,
    temperature_measurement,
)
from simulators.kiosk_setup import KioskSetup
from simulators.line_faults import LineFaults
from simulators.waves import pleth_sample

COMMAND_LOG: Final = 256
"""Host commands remembered for tests; a session of a driver sends a few dozen."""

_PLETH_PER_FRAME: Final = 2
_PLETH_PERIOD: Final = _PLETH_PER_FRAME / PLETH_HZ
_SPO2_PERIOD: Final = 1.0
_SEARCH_SECONDS: Final = 3.0
"""How long a probe looks for the pulse after a finger went in."""

_NIBP: Final = "nibp"
_ECG: Final = "ecg"
_TEMPERATURE: Final = "temperature"
_SPO2: Final = "spo2"


@dataclass(slots=True, kw_only=True)
class Vitals:
    """What the board finds when the host starts a measurement."""

    blood_pressure: BloodPressure = field(
        default_factory=lambda: BloodPressure(
            systolic=124, diastolic=79, mean=94, pulse=71
        )
    )
    heart: Heart = field(default_factory=lambda: Heart(hr_bpm=72))
    celsius: Decimal = Decimal("36.60")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finger:
    spo2: int
    pulse: int
    pi: Decimal
    since: float
    until: float


class KioskBoard:
    """One board.

    Attributes:
        vitals: Findings of measurements that the host starts.
        line: Faults of the line; give rates to it, or make it silent.
        commands: Commands taken, newest last.
        refused: Host frames and noise that had no effect.
        setup: What the host has set, such as the clock, and what it is told.
    """

    def __init__(
        self,
        *,
        name: str = "PC-300SNT",
        serial: str = "0000001",
        seed: int = 0,
        line: LineFaults | None = None,
    ) -> None:
        self.vitals = Vitals()
        self.line = line or LineFaults(seed=seed)
        self.commands: deque[HostCommand] = deque(maxlen=COMMAND_LOG)
        self.refused = 0
        self.setup = KioskSetup(name=name, serial=serial)
        self._seed = seed
        self._framer = Aa55Framer()
        self._agenda = Agenda()
        self._outbox: list[bytes] = []
        self._finger: _Finger | None = None
        self._upload = False
        self._pleth_index = 0
        self._last_bp: NibpResult | None = None

    # The line

    def receive(self, data: bytes, now: float) -> None:
        """Take what the host wrote."""
        for event in self._framer.receive(data, now):
            if isinstance(event, Frame):
                self._take(event, now)
            else:
                self.refused += 1

    def poll(self, now: float) -> list[bytes]:
        """What the board writes by ``now``, in the pieces in which it does."""
        self.refused += len(self._framer.expire(now))
        self._agenda.run(now)
        pieces, self._outbox = self._outbox, []
        return pieces

    def next_deadline(self) -> float | None:
        """When ``poll`` has something to do, or None."""
        times = (self._agenda.next_deadline(), self._framer.next_deadline())
        return min((time for time in times if time is not None), default=None)

    def inject(self, data: bytes) -> None:
        """Put bytes on the line as they are."""
        self._outbox.append(data)

    # The person at the kiosk

    def measure_bp(
        self,
        now: float,
        *,
        systolic: int,
        diastolic: int,
        mean: int,
        pulse: int,
        irregular: bool = False,
    ) -> None:
        """Start a cuff measurement by the board's own button."""
        reading = BloodPressure(
            systolic=systolic,
            diastolic=diastolic,
            mean=mean,
            pulse=pulse,
            irregular=irregular,
        )
        self._start(_NIBP, nibp_measurement(reading), now)

    def fail_bp(self, now: float, *, fault: NibpFault = NibpFault.CUFF_LOOSE) -> None:
        """Start a cuff measurement that ends in an error."""
        self._start(_NIBP, failing_nibp_measurement(fault), now)

    def measure_spo2(
        self,
        now: float,
        *,
        spo2: int,
        pulse: int,
        pi: Decimal = Decimal("3.5"),
        seconds: float = 30.0,
    ) -> None:
        """Put a finger into the probe for ``seconds``."""
        self._finger = _Finger(
            spo2=spo2, pulse=pulse, pi=pi, since=now, until=now + seconds
        )
        if self._upload:
            self._agenda.cancel(_SPO2)
            self._tick_spo2(now)
            self._tick_pleth(now)

    def measure_temperature(self, now: float, *, celsius: Decimal) -> None:
        """Hold the thermometer to the forehead."""
        self._start(_TEMPERATURE, temperature_measurement(celsius), now)

    def measure_glucose(
        self, *, mmol_l: Decimal | None = None, flag: GlucoseFlag = GlucoseFlag.NORMAL
    ) -> None:
        """Put a strip with a drop of blood into the meter.

        Raises:
            ValueError: A number with LOW or HIGH, or NORMAL without one.
        """
        if (mmol_l is None) is (flag is GlucoseFlag.NORMAL):
            msg = "a glucose result is a number, or LOW or HIGH"
            raise ValueError(msg)
        self._say(
            Glucose.of_flag(flag) if mmol_l is None else Glucose.of_mmol_l(mmol_l)
        )

    def record_ecg(
        self,
        now: float,
        *,
        seconds: float = RECORD_SECONDS,
        prepare_seconds: float = 1.0,
        heart: Heart | None = None,
    ) -> None:
        """Touch the electrodes and start an ECG."""
        frames = ecg_measurement(
            heart or self.vitals.heart,
            seconds=seconds,
            prepare_seconds=prepare_seconds,
            bits=self.setup.ecg_bits,
            seed=self._seed,
        )
        self._start(_ECG, frames, now)

    def ask_for_time(self) -> None:
        """Ask the host for the time, as after the batteries were changed."""
        self._say(TimeRequest())

    def switch_off(self) -> None:
        """Tell the host, and stop everything."""
        for group in (_NIBP, _ECG, _TEMPERATURE, _SPO2):
            self._agenda.cancel(group)
        self._upload = False
        self._say(PowerOff())

    # Inside

    def _start(self, group: str, frames: Iterable[Timed], now: float) -> None:
        """Send a measurement; a running one of the same kind is replaced."""
        self._agenda.cancel(group)
        for delay, record in frames:
            self._agenda.add(now + delay, group, self._saying(record))

    def _saying(self, record: Record) -> Callable[[float], None]:
        def say(_at: float) -> None:
            if isinstance(record, NibpResult):
                self._last_bp = record
            self._say(record)

        return say

    def _say(self, record: Record) -> None:
        self._outbox += self.line.carry(record.to_frame().raw)

    def _tick_spo2(self, at: float) -> None:
        finger = self._finger
        if finger is None or at >= finger.until:
            self._finger = None
            self._say(Spo2(spo2_pct=None, pulse_bpm=None, pi_pct=None, probe_off=True))
        elif at < finger.since + _SEARCH_SECONDS:
            self._say(Spo2(spo2_pct=None, pulse_bpm=None, pi_pct=None, searching=True))
        else:
            self._say(
                Spo2(spo2_pct=finger.spo2, pulse_bpm=finger.pulse, pi_pct=finger.pi)
            )
        self._agenda.add(at + _SPO2_PERIOD, _SPO2, self._tick_spo2)

    def _tick_pleth(self, at: float) -> None:
        finger = self._finger
        if finger is None or at >= finger.until:
            return
        samples = [
            pleth_sample(
                self._pleth_index + i, pulse_bpm=finger.pulse, rate_hz=PLETH_HZ
            )
            for i in range(_PLETH_PER_FRAME)
        ]
        self._pleth_index += _PLETH_PER_FRAME
        amplitudes, beats = zip(*samples, strict=True)
        self._say(Pleth(samples=amplitudes, beats=beats))
        self._agenda.add(at + _PLETH_PERIOD, _SPO2, self._tick_pleth)

    def _take(self, frame: Frame, now: float) -> None:
        try:
            command = decode_host(frame)
        except ProtocolError:
            self.refused += 1
            return
        pc100_only = isinstance(command, Command) and Variant.PC_100 in command.models
        if isinstance(command, Unknown) or pc100_only:
            self.refused += 1
            return
        self.commands.append(command)
        if isinstance(command, Command):
            self._do(command.name, now)
        elif isinstance(command, Spo2Upload):
            self._enable_spo2(enable=command.enable, now=now)
        elif answer := self.setup.apply(command):
            self._say(answer)

    def _enable_spo2(self, *, enable: bool, now: float) -> None:
        self._upload = enable
        self._agenda.cancel(_SPO2)
        finger_in = self._finger is not None and now < self._finger.until
        self._say(
            Spo2State(probe_off=not finger_in, upload_enabled=enable, check_probe=False)
        )
        if enable:
            self._agenda.add(now + _SPO2_PERIOD, _SPO2, self._tick_spo2)
            self._agenda.add(now + _PLETH_PERIOD, _SPO2, self._tick_pleth)

    def _do(self, name: CommandName, now: float) -> None:
        if answer := self.setup.answer(name):
            self._say(answer)
            return
        match name:
            case CommandName.QUERY_NIBP_RESULT if self._last_bp is not None:
                self._say(self._last_bp)
            case CommandName.QUERY_ECG_STATE:
                self._say(EcgState(measuring=self._agenda.has(_ECG), connected=True))
            case CommandName.NIBP_START if not self._agenda.has(_NIBP):
                reading = self.vitals.blood_pressure
                self._start(_NIBP, nibp_measurement(reading), now)
            case CommandName.NIBP_STOP:
                self._stop(_NIBP, NibpEnded())
            case CommandName.TEMPERATURE_START:
                self.measure_temperature(now, celsius=self.vitals.celsius)
            case CommandName.ECG_START:
                self.record_ecg(now)
            case CommandName.ECG_STOP:
                self._stop(_ECG, EcgStopped())
            case _:
                # A start while it runs, or a question without an answer yet.
                self.refused += 1

    def _stop(self, group: str, record: Record) -> None:
        self._agenda.cancel(group)
        self._say(record)
