"""The kiosk driver against the byte-true board, both in simulated time."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from drivers.lepu_kiosk import (
    NOT_ANSWERING,
    START_BLOOD_PRESSURE,
    START_ECG,
    LepuKioskDriver,
)
from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pc300.commands import INFLATING, NIBP_START
from firmware_protocols.lepu.pc300.glucose import GlucoseFlag
from firmware_protocols.lepu.pc300.nibp import NibpFault
from firmware_protocols.lepu.pc300.settings import SetTime
from gateway.clock import ManualClock
from gateway.errors import LinkClosedError
from gateway.model.observation import Absent
from gateway.model.waveform import LeadState
from gateway.ports.devices import (
    Battery,
    Condition,
    DriverEvent,
    Identified,
    Live,
    OperatorCommand,
    Peer,
    Reading,
    Received,
    Samples,
    Undecodable,
)
from simulators.kiosk_board import KioskBoard
from simulators.kiosk_measurements import Heart
from tests.drivers.peers import (
    START,
    Context,
    byte_run,
    collect,
    local,
    of,
)

STEP = 0.02


class BoardOnALine:
    """A board behind a byte link; simulated time passes while the driver listens."""

    def __init__(self, clock: ManualClock, board: KioskBoard) -> None:
        self.clock = clock
        self.board = board
        self.powered = True
        self.until = 60.0
        self.sent: list[bytes] = []
        self.acts: list[tuple[float, Callable[[], None]]] = []
        self._pieces: list[bytes] = []

    @property
    def peer(self) -> Peer:
        return Peer(address="/dev/invented")

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        self.acts.append((seconds, act))
        self.acts.sort(key=lambda item: item[0])

    async def write(self, data: bytes) -> None:
        self.sent.append(data)
        if self.powered:
            self.board.receive(data, self.clock.monotonic())

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        end = self.clock.monotonic() + timeout
        while True:
            now = self.clock.monotonic()
            while self.acts and self.acts[0][0] <= now:
                self.acts.pop(0)[1]()
            pieces = self.board.poll(now)
            if self.powered:
                self._pieces += pieces
            if self._pieces:
                return Received(data=self._pieces.pop(0), at=self.clock.now())
            if now >= self.until:
                raise LinkClosedError("unplugged")
            if now >= end:
                return None
            self.clock.advance(STEP)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def line(clock: ManualClock) -> BoardOnALine:
    return BoardOnALine(clock, KioskBoard(name="PC-300SNT", serial="0000042"))


async def run(
    line: BoardOnALine, *, until: float = 60.0, ctx: Context | None = None
) -> list[DriverEvent]:
    line.until = until
    context = ctx or Context(line.clock)
    # ``BoardOnALine`` is a ByteLink as ``BytePeer`` is.
    return await collect(byte_run(LepuKioskDriver(), line, context))


def now(line: BoardOnALine) -> float:
    return line.clock.monotonic()


async def test_start_up(line: BoardOnALine) -> None:
    events = await run(line, until=20.5)
    assert events[0] == Identified(model="PC-300SNT", serial="0000042")
    assert of(events, Battery)
    (set_time,) = [c for c in line.board.commands if isinstance(c, SetTime)]
    assert abs((set_time.time - local()).total_seconds()) < 2
    assert line.board.refused == 0
    # Hand-shakes at 0, 5, 10, 15 and 20 s keep it awake.
    shakes = [data for data in line.sent if data == bytes.fromhex("AA55FF0201CA")]
    assert len(shakes) == 5


async def test_nothing_inflates_the_cuff_but_the_operator(line: BoardOnALine) -> None:
    await run(line, until=600)
    sent = [getattr(command, "name", None) for command in line.board.commands]
    assert not INFLATING.intersection(sent)
    assert len(sent) > 100


async def test_operator_starts_a_blood_pressure(line: BoardOnALine) -> None:
    ctx = Context(line.clock)
    command = OperatorCommand(name=START_BLOOD_PRESSURE, by="operator-1")
    line.at(5, lambda: ctx.commands.append(command))
    events = await run(line, until=120, ctx=ctx)
    assert line.sent.count(NIBP_START.to_frame().raw) == 1
    (reading,) = of(events, Reading)
    assert reading.kind == "blood_pressure_panel"
    assert {p.name: p.quantity.value for p in reading.components} == {
        "systolic": 124,
        "diastolic": 79,
        "mean_arterial_pressure": 94,
        "pulse_rate_cuff": 71,
    }
    pressures = [v for v in of(events, Live) if v.name == "cuff-pressure"]
    assert len(pressures) > 20
    assert events.index(pressures[0]) < events.index(reading)


async def test_failed_blood_pressure_is_a_reading_and_a_condition(
    line: BoardOnALine,
) -> None:
    line.at(3, lambda: line.board.fail_bp(now(line), fault=NibpFault.CUFF_LOOSE))
    line.at(
        30,
        lambda: line.board.measure_bp(
            now(line), systolic=131, diastolic=84, mean=0, pulse=66
        ),
    )
    events = await run(line, until=120)
    failed, good = of(events, Reading)
    assert failed.invalid
    assert failed.flags == ("cuff-too-loose", "measurement-failed")
    assert not good.invalid
    assert good.components[2].quantity.absent is Absent.UNKNOWN
    told = [c for c in of(events, Condition) if c.code == "blood-pressure-failed"]
    assert [(c.active, c.detail) for c in told] == [
        (True, "cuff-too-loose"),
        (False, ""),
    ]


async def test_oximetry_with_a_finger_in_and_out(line: BoardOnALine) -> None:
    line.at(
        3,
        lambda: line.board.measure_spo2(
            now(line), spo2=96, pulse=64, pi=Decimal("3.5"), seconds=30
        ),
    )
    events = await run(line, until=60)
    found = of(events, Reading)
    assert {r.kind for r in found} == {"spo2"}
    assert sum(int(r.context["samples"]) for r in found) == pytest.approx(27, abs=1)
    assert 5 <= len(found) <= 8
    told = [(c.code, c.active) for c in of(events, Condition)]
    assert told == [("probe-off", True), ("probe-off", False), ("probe-off", True)]
    pleth = of(events, Samples)
    assert sum(len(s.counts) for s in pleth) == pytest.approx(1500, abs=60)
    assert all(s.gap_before == 0 for s in pleth)
    assert [s.index for s in pleth[:3]] == [0, 2, 4]


async def test_electrocardiogram_without_a_gap(line: BoardOnALine) -> None:
    ctx = Context(line.clock)
    line.at(2, lambda: ctx.commands.append(OperatorCommand(name=START_ECG, by="op")))
    events = await run(line, until=60, ctx=ctx)
    chunks = of(events, Samples)
    assert sum(len(s.counts) for s in chunks) == 4500
    assert {s.recording for s in chunks} == {"ecg-1"}
    assert sum(s.gap_before for s in chunks) == 0
    assert [s.final for s in chunks].count(True) == 1
    assert chunks[-1].final
    assert chunks[-1].index == 4500
    assert chunks[0].unit == "mV"
    assert chunks[0].scale == pytest.approx(1 / 394)
    assert chunks[0].baseline == 2048
    (reading,) = of(events, Reading)
    assert reading.kind == "heart_rate_ecg"
    assert reading.components[0].quantity.value == 72
    assert reading.context["analysis_code"] == "0"


async def test_lost_ecg_frames_are_counted_exactly(line: BoardOnALine) -> None:
    lost = 0

    class Lossy:
        def __init__(self) -> None:
            self.count = 0

        def poll(self, now: float) -> list[bytes]:
            nonlocal lost
            kept = []
            for piece in KioskBoard.poll(line.board, now):
                frame = Frame(piece)
                self.count += frame.token == 0x32
                if frame.token == 0x32 and 20 < self.count <= 24:
                    lost += 1
                else:
                    kept.append(piece)
            return kept

    line.board.poll = Lossy().poll  # type: ignore[method-assign] # a lossy line
    line.at(2, lambda: line.board.record_ecg(now(line), seconds=10))
    events = await run(line, until=30)
    chunks = of(events, Samples)
    assert lost == 4
    assert [s.gap_before for s in chunks if s.gap_before] == [100]
    assert sum(len(s.counts) for s in chunks) == 1500 - 100
    assert chunks[-1].index == 1500


async def test_electrodes_off(line: BoardOnALine) -> None:
    heart = Heart(hr_bpm=72, lead_off=True)
    line.at(2, lambda: line.board.record_ecg(now(line), seconds=5, heart=heart))
    events = await run(line, until=20)
    assert {s.lead for s in of(events, Samples)} == {LeadState.OFF}
    assert ("lead-off", True) in [(c.code, c.active) for c in of(events, Condition)]
    (reading,) = of(events, Reading)
    assert reading.invalid
    assert "signal-poor" in reading.flags


async def test_temperature_and_glucose(line: BoardOnALine) -> None:
    board = line.board
    line.at(2, lambda: board.measure_temperature(now(line), celsius=Decimal("38.25")))
    line.at(20, lambda: board.measure_glucose(mmol_l=Decimal("7.8")))
    line.at(21, lambda: board.measure_glucose(flag=GlucoseFlag.HIGH))
    line.at(22, lambda: board.measure_glucose(flag=GlucoseFlag.LOW))
    events = await run(line, until=30)
    parts = [r.components[0].quantity for r in of(events, Reading)]
    assert [part.absent or part.value for part in parts] == [
        Decimal("38.25"),
        Decimal("7.8"),
        Absent.ABOVE_RANGE,
        Absent.BELOW_RANGE,
    ]
    assert not any(r.invalid for r in of(events, Reading))


async def test_time_is_set_again_when_the_board_asks(line: BoardOnALine) -> None:
    line.at(8, line.board.ask_for_time)
    await run(line, until=12)
    times = [c for c in line.board.commands if isinstance(c, SetTime)]
    assert len(times) == 2


async def test_board_that_is_off_and_comes_back_is_set_up_again(
    line: BoardOnALine,
) -> None:
    def power(*, on: bool) -> None:
        line.powered = on
        if on:
            line.board = KioskBoard(name="PC-300SNT", serial="0000042")

    line.at(10, lambda: power(on=False))
    line.at(40, lambda: power(on=True))
    events = await run(line, until=60)
    told = [c.active for c in of(events, Condition) if c.code == NOT_ANSWERING]
    assert told == [True, False]
    assert any(isinstance(c, SetTime) for c in line.board.commands)


async def test_another_board_on_the_same_cable_ends_the_session(
    line: BoardOnALine,
) -> None:
    def swap() -> None:
        line.board = KioskBoard(name="PC-300SNT", serial="0000043")

    line.at(7, swap)
    events = await run(line, until=60)
    assert line.clock.monotonic() < 12
    assert len(of(events, Identified)) == 1


async def test_frames_before_the_name_are_held_and_noise_is_kept(
    line: BoardOnALine,
) -> None:
    line.board.measure_glucose(mmol_l=Decimal("5.5"))
    line.board.inject(b"\x13\x37")
    events = await run(line, until=5)
    assert isinstance(
        next(e for e in events if not isinstance(e, Undecodable)), Identified
    )
    assert len(of(events, Reading)) == 1
    assert [u.raw for u in of(events, Undecodable)] == [b"\x13\x37"]


async def test_board_without_a_name_is_read_all_the_same(line: BoardOnALine) -> None:
    def deaf(data: bytes, now: float) -> None:
        del data, now

    line.board.receive = deaf  # type: ignore[method-assign] # a board that hears nothing
    line.at(1, lambda: line.board.measure_glucose(mmol_l=Decimal("5.5")))
    events = await run(line, until=10)
    assert events[0] == Identified()
    assert len(of(events, Reading)) == 1
