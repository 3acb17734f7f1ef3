"""Records of a Lepu board to events, frame by frame."""

from datetime import timedelta
from decimal import Decimal

import pytest

from drivers.lepu_events import BoardEvents
from drivers.lepu_readings import FAULT_FLAGS
from drivers.lepu_streams import EcgStream, PlethStream
from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pc300 import Variant
from firmware_protocols.lepu.pc300.ecg import SAMPLES_PER_FRAME, EcgWave
from firmware_protocols.lepu.pc300.glucose import (
    Cholesterol,
    Glucose,
    GlucoseFlag,
    GlucoseUnit,
    Pc100Glucose,
    UricAcid,
)
from firmware_protocols.lepu.pc300.nibp import NibpFault, NibpResult
from firmware_protocols.lepu.pc300.oximetry import ProbeOff, Spo2
from firmware_protocols.lepu.pc300.system import PowerOff
from firmware_protocols.lepu.pc300.temperature import (
    Temperature,
    TemperatureMode,
    TemperatureModeReport,
    TemperatureState,
    TemperatureUnit,
)
from firmware_protocols.lepu.record import Record
from gateway.clock import ManualClock
from gateway.model.observation import Absent
from gateway.ports.devices import (
    Condition,
    DriverEvent,
    Live,
    Reading,
    Undecodable,
)
from tests.drivers.peers import START, Context, of


class Board:
    def __init__(self, variant: Variant = Variant.PC_300, **quirks: object) -> None:
        self.clock = ManualClock(START)
        self.events = BoardEvents(Context(self.clock, **quirks), variant)

    def say(self, *records: Record | Frame) -> list[DriverEvent]:
        found: list[DriverEvent] = []
        for record in records:
            frame = record if isinstance(record, Frame) else record.to_frame()
            found += self.events.decode(frame, self.clock.now())[1]
        return found


def wave(seq: int, *, bits: int = 12) -> EcgWave:
    return EcgWave(
        seq=seq,
        bits=bits,
        samples=(1,) * SAMPLES_PER_FRAME,
        beats=(False,) * SAMPLES_PER_FRAME,
        hr_bpm=None,
        lead_off=False,
    )


def test_what_has_no_meaning_or_no_code_is_kept() -> None:
    frames = [
        Frame.build(token=0x99, type=0x01, data=b"\x01"),
        Frame.build(token=0x43, type=0x01, data=b"\x00"),
        UricAcid(status=0, number=52).to_frame(),
        Cholesterol(status=0, number=180).to_frame(),
    ]
    found = of(Board().say(*frames), Undecodable)
    assert [event.raw for event in found] == [frame.raw for frame in frames]
    assert all(event.reason for event in found)


def test_every_fault_of_the_cuff_has_a_flag() -> None:
    assert set(FAULT_FLAGS) == set(NibpFault)


def test_result_frame_with_and_without_a_mean() -> None:
    # lepu-pc300-055 of tests/vectors: 118/76, mean 93, pulse 68.
    frame = Frame.from_bytes(bytes.fromhex("AA5543070100765D4C443C"))
    record = NibpResult(
        systolic_mmhg=141, map_mmhg=None, diastolic_mmhg=96, pulse_bpm=None
    )
    full, bare = of(Board().say(frame, record), Reading)
    assert [p.quantity.value for p in full.components] == [118, 76, 93, 68]
    assert [p.quantity.value for p in bare.components] == [141, 96, None]
    assert not bare.invalid


def test_zero_pressures_are_a_failure() -> None:
    record = NibpResult(
        systolic_mmhg=0, map_mmhg=None, diastolic_mmhg=0, pulse_bpm=None
    )
    (reading,) = of(Board().say(record), Reading)
    assert reading.invalid


@pytest.mark.parametrize(
    ("mode", "kind", "flags"),
    [
        (TemperatureMode.EAR, "body_temperature_tympanic", ()),
        (TemperatureMode.ADULT_FOREHEAD, "body_temperature", ()),
        (TemperatureMode.OBJECT, "body_temperature", ("object-temperature",)),
    ],
)
def test_where_the_thermometer_points(
    mode: TemperatureMode, kind: str, flags: tuple[str, ...]
) -> None:
    report = TemperatureModeReport(mode=mode, unit=TemperatureUnit.CELSIUS)
    (reading,) = of(
        Board().say(report, Temperature.of_celsius(Decimal("36.50"))), Reading
    )
    assert (reading.kind, reading.flags, reading.invalid) == (kind, flags, bool(flags))


def test_temperature_over_range_missing_and_timed_out() -> None:
    done, late = TemperatureState.DONE, TemperatureState.TIMEOUT
    found = Board().say(
        Temperature(state=done, centikelvin_above_30=0x0520),
        Temperature(state=done),
        Temperature(state=late),
    )
    hot, nothing = of(found, Reading)
    assert hot.components[0].quantity.absent is Absent.ABOVE_RANGE
    assert not hot.invalid
    assert nothing.invalid
    assert of(found, Condition) == [Condition(code="temperature-timeout")]


def test_glucose_in_the_other_unit_and_the_other_coding() -> None:
    def milligrams(number: int) -> Glucose:
        return Glucose(flag=GlucoseFlag.NORMAL, unit=GlucoseUnit.MG_DL, number=number)

    plain, tenths, zero = of(
        Board().say(milligrams(111), milligrams(1110), milligrams(0)), Reading
    )
    assert plain.components[0].quantity.value == Decimal("6.161")
    assert not plain.questionable
    assert tenths.components[0].quantity.value == Decimal("6.161")
    assert tenths.questionable
    assert tenths.flags == ("unit-ambiguous",)
    assert zero.invalid
    record = Pc100Glucose(flag=GlucoseFlag.NORMAL, unit=GlucoseUnit.MMOL_L, number=61)
    (reading,) = of(Board(Variant.PC_100).say(record), Reading)
    assert reading.components[0].quantity.value == Decimal("6.1")


def test_oximeter_while_it_searches_and_with_the_probe_off() -> None:
    def values(spo2: int | None, *, searching: bool = False) -> Spo2:
        return Spo2(spo2_pct=spo2, pulse_bpm=None, pi_pct=None, searching=searching)

    board = Board()
    found = board.say(
        values(None, searching=True), values(95, searching=True), ProbeOff()
    )
    (reading,) = of(found, Reading)
    assert reading.questionable
    assert reading.flags == ("signal-searching",)
    assert reading.components[1].quantity.absent is Absent.UNKNOWN
    assert [c.code for c in of(found, Condition)] == ["probe-off"]
    # The probe lies on the table: nothing is journaled, however long.
    off = Spo2(spo2_pct=None, pulse_bpm=None, pi_pct=None, probe_off=True)
    assert board.say(*[off] * 1000) == []
    assert [type(e) for e in board.say(values(96))] == [Condition, Live, Reading]


def test_switching_off_is_told_once() -> None:
    board = Board()
    assert board.say(PowerOff(), PowerOff()) == [Condition(code="device-switched-off")]
    assert board.events.switched_on() == [
        Condition(code="device-switched-off", active=False)
    ]


def test_ecg_numbers_wrap_repeat_and_restart() -> None:
    stream = EcgStream("ecg_lead_i")
    assert stream.wave(wave(0), START) is None
    first = stream.wave(wave(1), START)
    assert first is not None
    for seq in range(2, 256):
        assert stream.wave(wave(seq), START) is not None
    wrapped = stream.wave(wave(1), START)
    assert wrapped is not None
    assert (wrapped.index, wrapped.gap_before) == (255 * 25, 0)
    assert stream.wave(wave(1), START) is None
    last = stream.end(START)
    assert last is not None
    assert last.final
    assert stream.end(START) is None
    again = stream.wave(wave(3, bits=8), START)
    assert again is not None
    assert again.recording != first.recording
    # The first two frames of the new recording were lost.
    assert (again.index, again.gap_before) == (50, 50)
    assert again.baseline == 128
    assert again.scale == pytest.approx(1 / 28.5)


def test_lead_is_a_quirk() -> None:
    (samples,) = Board(ecg_lead="ii").say(wave(1))
    assert getattr(samples, "kind", "") == "ecg_lead_ii"


def test_pleth_gaps_are_estimated_from_silence() -> None:
    stream = PlethStream(50)
    at = START
    assert stream.samples((1, 2), at).gap_before == 0
    at += timedelta(seconds=0.2)  # a busy link
    assert stream.samples((3, 4), at).gap_before == 0
    at += timedelta(seconds=2)
    late = stream.samples((5, 6), at)
    assert (late.gap_before, late.index) == (98, 4 + 98)
    at += timedelta(seconds=11)
    other = stream.samples((7, 8), at)
    assert other.recording != late.recording
    assert (other.index, other.gap_before) == (0, 0)
