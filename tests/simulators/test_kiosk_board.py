"""The simulated board, read with the framer and by hand-written frames."""

import asyncio
import os
import termios
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from firmware_protocols.lepu.aa55 import Aa55Framer, Frame, Noise
from firmware_protocols.lepu.pc300 import DeviceRecord, decode_device
from firmware_protocols.lepu.pc300 import commands as host
from firmware_protocols.lepu.pc300.ecg import EcgGain, EcgResult, EcgWave
from firmware_protocols.lepu.pc300.ecg_module import EcgStarted, EcgState, EcgStopped
from firmware_protocols.lepu.pc300.glucose import (
    GlucometerType,
    GlucometerTypeReport,
    Glucose,
    GlucoseFlag,
    GlucoseUnit,
)
from firmware_protocols.lepu.pc300.nibp import (
    CuffPressure,
    NibpEnded,
    NibpError,
    NibpFault,
    NibpMode,
    NibpModeReport,
    NibpResult,
    NibpStarted,
)
from firmware_protocols.lepu.pc300.oximetry import Pleth, Spo2, Spo2State
from firmware_protocols.lepu.pc300.settings import (
    EcgSampleBits,
    SetCustomerId,
    SetGlucometerType,
    SetGlucoseUnit,
    SetNibpMode,
    SetTemperatureMode,
    SetTime,
    Spo2Upload,
)
from firmware_protocols.lepu.pc300.system import (
    Acknowledgement,
    CustomerId,
    PowerOff,
    ProductName,
    TimeRequest,
    VersionBattery,
)
from firmware_protocols.lepu.pc300.temperature import (
    Temperature,
    TemperatureMode,
    TemperatureModeReport,
    TemperatureState,
    TemperatureUnit,
)
from firmware_protocols.lepu.record import Record
from simulators.kiosk_board import KioskBoard
from simulators.kiosk_measurements import Heart
from simulators.line_faults import FaultRates, LineFaults
from simulators.pty_port import PtyPort, serve_on_pty


def records(pieces: list[bytes]) -> list[DeviceRecord]:
    framer = Aa55Framer()
    events = framer.receive(b"".join(pieces), 0.0) + framer.close()
    assert not [event for event in events if isinstance(event, Noise)]
    return [decode_device(event) for event in events if isinstance(event, Frame)]


def say(board: KioskBoard, command: Record, now: float = 0.0) -> list[DeviceRecord]:
    board.receive(command.to_frame().raw, now)
    return records(board.poll(now))


def until(board: KioskBoard, end: float) -> list[tuple[float, DeviceRecord]]:
    """Everything the board says by ``end``, each with the time it was due."""
    said: list[tuple[float, DeviceRecord]] = []
    while (deadline := board.next_deadline()) is not None and deadline <= end:
        said += [(deadline, record) for record in records(board.poll(deadline))]
    return said


def test_hand_shake_in_bytes_of_a_real_host() -> None:
    board = KioskBoard(serial="0012345")
    board.receive(bytes.fromhex("aa55ff0201ca"), 0.0)
    assert board.poll(0.0) == [
        bytes.fromhex("aa55ff130150432d333030534e543a303031323334354f")
    ]


@pytest.mark.parametrize("text", ["aa55310202c6", "aa5530020202", "aa555003020179"])
def test_known_bad_host_frames_have_no_effect(text: str) -> None:
    board = KioskBoard()
    board.receive(bytes.fromhex(text), 0.0)
    assert board.poll(10.0) == []
    assert board.refused == 1
    assert not board.commands


def test_commands_of_other_models_have_no_effect() -> None:
    board = KioskBoard()
    assert say(board, host.PC100_GLUCOSE_START) == []
    assert board.refused == 1


def test_identity_version_and_settings() -> None:
    board = KioskBoard()
    assert say(board, host.HANDSHAKE) == [
        ProductName(name="PC-300SNT", serial="0000001")
    ]
    for query in (
        host.QUERY_VERSION_V1,
        host.QUERY_VERSION_BATTERY_V2,
        host.QUERY_VERSION_BATTERY,
    ):
        (version,) = say(board, query)
        assert isinstance(version, VersionBattery)
        answer = version.to_frame()
        assert (answer.token, answer.type) == (query.token, query.type)
        assert version.battery_level == 3
    say(board, SetCustomerId(customer_id=77))
    assert say(board, host.QUERY_CUSTOMER_ID) == [CustomerId(customer_id=77)]
    child = NibpModeReport(mode=NibpMode.CHILD)
    assert say(board, SetNibpMode(mode=NibpMode.CHILD)) == [child]
    assert say(board, host.QUERY_NIBP_MODE) == [child]
    assert say(board, SetGlucometerType(meter=GlucometerType.BENECHECK)) == [
        Acknowledgement(token=0xE3, type=2)
    ]
    assert say(board, host.QUERY_GLUCOMETER_TYPE) == [
        GlucometerTypeReport(meter=GlucometerType.BENECHECK)
    ]
    assert say(board, host.QUERY_NIBP_RESULT) == []


def test_settings_are_taken_and_echoed() -> None:
    board = KioskBoard()
    forehead = SetTemperatureMode(
        mode=TemperatureMode.CHILD_FOREHEAD, unit=TemperatureUnit.CELSIUS
    )
    assert say(board, forehead) == [Acknowledgement(token=0x72, type=0x02)]
    assert say(board, host.QUERY_TEMPERATURE_MODE) == [
        TemperatureModeReport(
            mode=TemperatureMode.CHILD_FOREHEAD, unit=TemperatureUnit.CELSIUS
        )
    ]
    unit = SetGlucoseUnit(unit=GlucoseUnit.MG_DL)
    assert say(board, unit) == [Acknowledgement(token=0xE0, type=0x03)]
    board.receive(bytes.fromhex("aa5540030303"), 0.0)
    board.receive(Frame.build(token=0x40, type=0x03, data=b"\x07").raw, 1.0)
    assert board.poll(2.0) == []
    assert board.setup.nibp_mode is NibpMode.ADULT


def test_the_host_takes_the_temperature() -> None:
    board = KioskBoard()
    say(board, host.TEMPERATURE_START)
    said = [r for _, r in until(board, 10) if isinstance(r, Temperature)]
    assert said[-1].celsius == board.vitals.celsius


def test_the_host_sets_the_time_when_it_is_asked() -> None:
    board = KioskBoard()
    board.ask_for_time()
    assert records(board.poll(0.0)) == [TimeRequest()]
    time = datetime(2026, 8, 22, 9, 30, 15)  # noqa: DTZ001 - the wire has no zone
    assert say(board, SetTime(time=time)) == []
    assert board.setup.clock == time


def test_oximetry_only_flows_after_the_upload_is_enabled() -> None:
    board = KioskBoard()
    board.measure_spo2(0.0, spo2=97, pulse=67, seconds=60)
    assert until(board, 5.0) == []
    (state,) = say(board, Spo2Upload(enable=True), 5.0)
    assert state == Spo2State(probe_off=False, upload_enabled=True, check_probe=False)
    said = until(board, 15.001)
    values = [(at, record) for at, record in said if isinstance(record, Spo2)]
    assert [round(at, 3) for at, _ in values] == [float(s) for s in range(6, 16)]
    assert values[-1][1] == Spo2(spo2_pct=97, pulse_bpm=67, pi_pct=Decimal("3.5"))
    pleth = [record for _, record in said if isinstance(record, Pleth)]
    assert len(pleth) == 250
    assert all(len(record.samples) == 2 for record in pleth)
    say(board, Spo2Upload(enable=False), 15.5)
    assert until(board, 30.0) == []


def test_a_finger_is_searched_for_and_taken_out() -> None:
    board = KioskBoard()
    say(board, Spo2Upload(enable=True))
    board.poll(9.99)
    board.measure_spo2(10.0, spo2=95, pulse=80, seconds=6)
    values = [
        record
        for at, record in until(board, 18.001)
        if isinstance(record, Spo2) and at >= 10
    ]
    found = [value.spo2_pct for value in values]
    assert found == [None] * 3 + [95] * 3 + [None] * 3
    assert [value.searching for value in values] == [True] * 3 + [False] * 6
    assert [value.probe_off for value in values] == [False] * 6 + [True] * 3


def test_a_cuff_measurement_goes_up_down_and_gives_its_result() -> None:
    board = KioskBoard()
    board.measure_bp(0.0, systolic=141, diastolic=96, mean=0, pulse=66, irregular=True)
    said = [record for _, record in until(board, 120)]
    result = NibpResult(
        systolic_mmhg=141,
        map_mmhg=None,
        diastolic_mmhg=96,
        pulse_bpm=66,
        irregular=True,
    )
    assert said[0] == NibpStarted()
    assert said[-2:] == [result, NibpEnded()]
    pressures = [record for record in said if isinstance(record, CuffPressure)]
    assert len(pressures) == len(said) - 3
    values = [record.mmhg for record in pressures]
    top = values.index(max(values))
    assert max(values) == 171
    assert values[: top + 1] == sorted(values[: top + 1])
    assert values[top:] == sorted(values[top:], reverse=True)
    assert values[-1] < 96
    beats = [record.mmhg for record in pressures if record.beat]
    assert len(beats) > 5
    assert all(mmhg <= 141 for mmhg in beats)
    assert say(board, host.QUERY_NIBP_RESULT) == [result]


def test_the_host_starts_and_stops_the_cuff() -> None:
    board = KioskBoard()
    assert say(board, host.NIBP_START) == [NibpStarted()]
    assert say(board, host.NIBP_START, 1.0)[0] != NibpStarted()
    assert say(board, host.NIBP_STOP, 2.0)[-1] == NibpEnded()
    assert until(board, 120) == []
    assert say(board, host.NIBP_START, 130.0) == [NibpStarted()]
    assert [record for _, record in until(board, 260) if isinstance(record, NibpResult)]


def test_a_loose_cuff_gives_an_error() -> None:
    board = KioskBoard()
    board.fail_bp(0.0)
    said = [record for _, record in until(board, 60)]
    assert isinstance(said[-2], NibpError)
    assert said[-2].fault is NibpFault.CUFF_LOOSE
    assert said[-1] == NibpEnded()
    assert max(r.mmhg for r in said if isinstance(r, CuffPressure)) < 30


def test_temperature_rises_to_its_result() -> None:
    board = KioskBoard()
    board.measure_temperature(0.0, celsius=Decimal("36.60"))
    said = [r for _, r in until(board, 10) if isinstance(r, Temperature)]
    assert [record.state for record in said] == [TemperatureState.MEASURING] * 3 + [
        TemperatureState.DONE
    ]
    assert said[-1].celsius == Decimal("36.60")


def test_glucose_is_pushed_at_once() -> None:
    board = KioskBoard()
    board.measure_glucose(mmol_l=Decimal("12.6"))
    assert board.poll(0.0) == [bytes.fromhex("aa55730501000126c5")]
    board.measure_glucose(flag=GlucoseFlag.HIGH)
    (high,) = records(board.poll(0.0))
    assert isinstance(high, Glucose)
    assert high.flag is GlucoseFlag.HIGH
    with pytest.raises(ValueError, match="number"):
        board.measure_glucose()


@pytest.mark.parametrize("bits", [8, 12])
def test_an_ecg_of_thirty_seconds(bits: int) -> None:
    board = KioskBoard()
    assert say(board, EcgSampleBits(bits=bits)) == [
        Acknowledgement(token=0x30, type=0x05)
    ]
    said = say(board, host.ECG_START)
    assert said == [EcgStarted(), EcgGain(counts_per_mv=394)]
    timed = until(board, 60)
    waves = [(at, record) for at, record in timed if isinstance(record, EcgWave)]
    preparing = [record for _, record in waves if record.seq == 0]
    recorded = [(at, record) for at, record in waves if record.seq]
    assert len(preparing) == 6
    assert [record.seq for _, record in recorded] == list(range(1, 181))
    assert {record.bits for _, record in recorded} == {bits}
    times = [at for at, _ in recorded]
    assert times[-1] - times[0] == pytest.approx(179 / 6)
    assert 34 <= sum(sum(record.beats) for _, record in recorded) <= 38
    assert [record for _, record in timed[-2:]] == [
        EcgResult(code=0, hr_bpm=72),
        EcgStopped(),
    ]


def test_an_ecg_is_stopped_and_its_state_told() -> None:
    board = KioskBoard()
    say(board, host.ECG_START)
    assert EcgState(measuring=True, connected=True) in say(
        board, host.QUERY_ECG_STATE, 1.0
    )
    assert say(board, host.ECG_STOP, 2.0)[-1] == EcgStopped()
    assert say(board, host.QUERY_ECG_STATE, 3.0) == [
        EcgState(measuring=False, connected=True)
    ]


def test_lead_off_is_a_flat_line_and_a_poor_signal() -> None:
    board = KioskBoard()
    board.record_ecg(0.0, seconds=2, heart=Heart(hr_bpm=70, lead_off=True))
    said = [record for _, record in until(board, 10)]
    waves = [record for record in said if isinstance(record, EcgWave)]
    assert all(record.lead_off and record.hr_bpm is None for record in waves)
    assert {sample for record in waves for sample in record.samples} == {2048}
    assert isinstance(said[-2], EcgResult)
    assert said[-2].poor_signal


def test_switching_off_ends_everything() -> None:
    board = KioskBoard()
    say(board, Spo2Upload(enable=True))
    say(board, host.NIBP_START, 0.1)
    board.switch_off()
    assert records(board.poll(0.2)) == [PowerOff()]
    assert board.next_deadline() is None


def test_a_bad_line_loses_frames_but_a_framer_loses_no_byte() -> None:
    rates = FaultRates(
        noise=0.1, header_noise=0.1, flipped_bit=0.1, dropped_byte=0.1, max_piece=7
    )
    board = KioskBoard(line=LineFaults(rates, seed=5))
    board.receive(Spo2Upload(enable=True).to_frame().raw, 0.0)
    board.measure_spo2(0.0, spo2=97, pulse=67)
    framer = Aa55Framer()
    sent = b""
    got = b""
    frames = 0
    while (deadline := board.next_deadline()) is not None and deadline <= 30:
        events = framer.expire(deadline)
        for piece in board.poll(deadline):
            sent += piece
            events += framer.receive(piece, deadline)
        got += b"".join(e.raw if isinstance(e, Frame) else e.data for e in events)
        frames += sum(isinstance(event, Frame) for event in events)
    assert got + framer.pending == sent
    # 1 state, 30 values and 750 waves were due; what was not spoiled is found, but for
    # a stray header whose wrong length may by chance fit a checksum.
    whole = 781 - board.line.spoiled
    assert board.line.spoiled > 100
    assert whole - 1 <= frames <= whole + 1


def test_silence_and_injected_bytes() -> None:
    board = KioskBoard()
    board.line.silent = True
    assert say(board, host.HANDSHAKE) == []
    board.line.silent = False
    board.inject(b"\xaa\x55\x52")
    assert board.poll(0.0) == [b"\xaa\x55\x52"]


class SerialHost:
    """The other end: a non-blocking raw terminal, as pyserial opens it."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.framer = Aa55Framer()

    def write(self, command: Record) -> None:
        os.write(self.fd, command.to_frame().raw)

    async def wait_for(self, kind: type[Record]) -> list[DeviceRecord]:
        """Everything read until a record of that kind came."""
        said: list[DeviceRecord] = []
        async with asyncio.timeout(30):
            while not any(isinstance(record, kind) for record in said):
                said += self.read()
                await asyncio.sleep(0.005)
        return said

    def read(self) -> list[DeviceRecord]:
        try:
            data = os.read(self.fd, 4096)
        except BlockingIOError:
            return []
        events = self.framer.receive(data, 0.0)
        return [decode_device(event) for event in events if isinstance(event, Frame)]


async def test_on_a_real_terminal() -> None:
    board = KioskBoard()
    async with serve_on_pty(board, speed=20) as port:
        serial = SerialHost(port.path)
        local_flags = termios.tcgetattr(serial.fd)[3]
        assert not local_flags & (termios.ECHO | termios.ICANON)
        try:
            serial.write(host.HANDSHAKE)
            await serial.wait_for(ProductName)
            serial.write(Spo2Upload(enable=True))
            port.act(board.measure_spo2, port.now(), spo2=97, pulse=67)
            await serial.wait_for(Pleth)
            serial.write(host.NIBP_START)
            said = await serial.wait_for(NibpEnded)
            assert any(isinstance(record, NibpResult) for record in said)
            assert port.lost_bytes == 0
        finally:
            os.close(serial.fd)


async def test_unplugging_is_an_error_on_the_hosts_side() -> None:
    async with serve_on_pty(KioskBoard(), speed=20) as port:
        fd = os.open(port.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            port.unplug()
            with pytest.raises(OSError, match="error"):
                os.write(fd, host.HANDSHAKE.to_frame().raw)
        finally:
            os.close(fd)
        assert not Path(port.path).exists()


async def test_bytes_that_nobody_reads_are_lost_as_on_a_wire() -> None:
    board = KioskBoard()
    async with serve_on_pty(board, speed=20) as port:
        port.act(board.inject, bytes(100_000))
        async with asyncio.timeout(30):
            while port.lost_bytes == 0:
                await asyncio.sleep(0.005)
        assert port.lost_bytes < 100_000


async def test_two_boards_have_terminals_of_their_own() -> None:
    def name(port: PtyPort) -> str:
        return port.path

    async with serve_on_pty(KioskBoard()) as one, serve_on_pty(KioskBoard()) as two:
        assert name(one) != name(two)
    with pytest.raises(ValueError, match="speed"):
        async with serve_on_pty(KioskBoard(), speed=0):
            pass
