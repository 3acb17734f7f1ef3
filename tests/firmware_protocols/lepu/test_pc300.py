"""Records of the PC-100/200/300 that the vector files do not reach."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocols.errors import FieldError, ProtocolError, TruncatedError
from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pc300 import (
    Direction,
    Unknown,
    Variant,
    decode,
    decode_device,
    decode_host,
    readings,
)
from firmware_protocols.lepu.pc300 import commands as host
from firmware_protocols.lepu.pc300.ecg import EcgGain, EcgResult, EcgWave
from firmware_protocols.lepu.pc300.ecg_module import EcgState, EcgVersion
from firmware_protocols.lepu.pc300.glucose import (
    Cholesterol,
    GlucometerType,
    Glucose,
    GlucoseFlag,
    GlucoseUnit,
    Pc100Glucose,
    UricAcid,
)
from firmware_protocols.lepu.pc300.modules import Module, ModuleState, ModuleStatus
from firmware_protocols.lepu.pc300.nibp import (
    CuffPressure,
    NibpError,
    NibpFault,
    NibpModule,
    NibpResult,
)
from firmware_protocols.lepu.pc300.oximetry import Pleth, ProbeOff
from firmware_protocols.lepu.pc300.settings import (
    EcgSampleBits,
    SetCustomerId,
    SetGlucometerType,
    SetGlucoseUnit,
    SetTime,
    Spo2Upload,
)
from firmware_protocols.lepu.pc300.system import (
    Acknowledgement,
    CustomerId,
    PowerOff,
    ProductName,
)
from firmware_protocols.lepu.pc300.temperature import (
    Temperature,
    TemperatureMode,
    TemperatureModeReport,
    TemperatureState,
    TemperatureUnit,
)
from firmware_protocols.lepu.record import Record
from firmware_protocols.plain import to_plain


def frame(token: int, kind: int, data: str = "") -> Frame:
    return Frame.build(token=token, type=kind, data=bytes.fromhex(data))


LITERALS: dict[str, Record] = {
    # From the vendor's host and other hosts, complete with their CRC.
    "aa55ff0201ca": host.HANDSHAKE,
    "aa55ff020228": host.QUERY_VERSION_V1,
    "aa55ff0204f5": host.QUERY_VERSION_BATTERY_V2,
    "aa55510201c8": host.QUERY_VERSION_BATTERY,
    "aa55ff021009": host.QUERY_CUSTOMER_ID,
    "aa5540020129": host.NIBP_START,
    "aa55400202cb": host.NIBP_STOP,
    "aa5540020416": host.NIBP_CALIBRATE,
    "aa554003031018": host.QUERY_NIBP_MODE,
    "aa5572020304": host.QUERY_TEMPERATURE_MODE,
    "aa55700301401a": host.TEMPERATURE_START,
    "aa55e4020141": host.QUERY_GLUCOMETER_TYPE,
    "aa55e50201ea": host.CLEAR_GLUCOSE_RECORDS,
    "aa55300201c6": host.ECG_START,
    "aa5530020224": host.ECG_STOP,
    "aa553102016d": host.QUERY_ECG_VERSION,
    "aa553102028f": host.QUERY_ECG_STATE,
    "aa555003020127": Spo2Upload(enable=True),
    "aa555003020079": Spo2Upload(enable=False),
}


@pytest.mark.parametrize("text", LITERALS)
def test_literals_of_real_hosts(text: str) -> None:
    raw = bytes.fromhex(text)
    assert decode_host(Frame.from_bytes(raw)) == LITERALS[text]
    assert LITERALS[text].to_frame().raw == raw


@pytest.mark.parametrize("text", ["aa55310202c6", "aa5530020202", "aa555003020179"])
def test_bad_frames_of_real_hosts_are_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        Frame.from_bytes(bytes.fromhex(text))


def test_every_fixed_command_has_its_own_name_and_bytes() -> None:
    assert len(host.FIXED_COMMANDS) == 30
    for raw, command in host.FIXED_COMMANDS.items():
        assert decode_host(Frame.from_bytes(raw)) is command
    pc100 = {command for command in host.FIXED_COMMANDS.values() if command.models}
    assert all(command.models == (Variant.PC_100,) for command in pc100)
    assert len(pc100) == 11


def test_what_may_never_be_sent_by_itself_is_named() -> None:
    assert host.NIBP_START.name in host.INFLATING
    assert host.NIBP_CALIBRATE.name in host.INFLATING
    assert host.CLEAR_GLUCOSE_RECORDS.name in host.ERASING
    assert host.HANDSHAKE.name not in host.INFLATING | host.ERASING


@pytest.mark.parametrize(
    ("sent", "command"),
    [
        (frame(0xFF, 0x20, "01020304"), SetCustomerId(customer_id=0x04030201)),
        (frame(0xE3, 0x02, "00"), SetGlucometerType(meter=GlucometerType.BENECHECK)),
        (frame(0xE0, 0x03, "01"), SetGlucoseUnit(unit=GlucoseUnit.MG_DL)),
        (frame(0x30, 0x05, "01"), EcgSampleBits(bits=8)),
        (
            frame(0xFF, 0x03, "1a0816091e0f"),
            SetTime(time=datetime(2026, 8, 22, 9, 30, 15)),  # noqa: DTZ001 - the wire has no zone
        ),
    ],
)
def test_settings_both_ways(sent: Frame, command: SetTime) -> None:
    assert decode(sent, Direction.HOST_TO_DEVICE) == command
    assert command.to_frame() == sent


@pytest.mark.parametrize(
    "sent",
    [
        frame(0xFF, 0x03, "1a0d01000000"),
        frame(0x40, 0x03, "03"),
        frame(0x50, 0x02, "02"),
        frame(0xE3, 0x09, "00"),
        frame(0x30, 0x05, "03"),
        frame(0x72, 0x02, "51"),
    ],
)
def test_settings_without_a_meaning_are_refused(sent: Frame) -> None:
    with pytest.raises(FieldError):
        decode_host(sent)


@pytest.mark.parametrize(
    ("got", "record"),
    [
        (
            # MAP and pulse 0 occur in real frames: this one's values are published.
            frame(0x43, 0x01, "008d006000"),
            NibpResult(
                systolic_mmhg=141, map_mmhg=None, diastolic_mmhg=96, pulse_bpm=None
            ),
        ),
        (frame(0x50, 0x02), ProbeOff()),
        (frame(0x52, 0x01, "b5"), Pleth(samples=(53,), beats=(True,))),
        (frame(0x31, 0x02, "c0"), EcgState(measuring=True, connected=True)),
        (frame(0x31, 0x01, "1210"), EcgVersion(sw="1.2", hw="1.0")),
        (frame(0x33, 0x01, "00004b"), EcgResult(code=0, hr_bpm=75)),
        (frame(0x34, 0x01, "018a"), EcgGain(counts_per_mv=394)),
        (frame(0x34, 0x01, "018a02"), EcgGain(counts_per_mv=394, amplification=2)),
        (frame(0xFF, 0x10, "0700"), CustomerId(customer_id=7, size=2)),
        (
            frame(0xFF, 0x01, "504331303020"[:10]),
            ProductName(name="PC100", serial=None),
        ),
        (frame(0xD0, 0x02), PowerOff(type=2)),
        (frame(0x30, 0x05), Acknowledgement(token=0x30, type=0x05)),
        (
            frame(0x54, 0x01, "ff1110"),
            ModuleStatus(
                module=Module.SPO2, state=ModuleState.FAULT, sw="1.1", hw="1.0"
            ),
        ),
        (
            frame(0x41, 0x01, "01"),
            ModuleStatus(module=Module.NIBP, state=ModuleState.BUSY),
        ),
        (frame(0x99, 0x07, "0102"), Unknown(token=0x99, type=7, data=b"\x01\x02")),
        (
            frame(0x72, 0x01, "30"),
            Temperature(state=TemperatureState.MEASURING, probe_off=True),
        ),
    ],
)
def test_device_records_both_ways(got: Frame, record: PowerOff) -> None:
    assert decode(got, Direction.DEVICE_TO_HOST) == record
    assert record.to_frame() == got


def test_error_codes_depend_on_the_variant_and_the_module() -> None:
    error = frame(0x43, 0x02, "03")
    pc300 = NibpError(module=NibpModule.JINGXINHAO, code=3, fault=NibpFault.NO_PULSE)
    pc100 = NibpError(
        module=NibpModule.JINGXINHAO, code=3, fault=NibpFault.OVERPRESSURE
    )
    krk = NibpError(module=NibpModule.KRK, code=3, fault=NibpFault.NO_PULSE)
    assert decode_device(error) == pc300
    assert decode_device(error, Variant.PC_200) == pc300
    assert decode_device(error, Variant.PC_100) == pc100
    assert decode_device(frame(0x43, 0x02, "83"), Variant.PC_100) == krk
    unknown = decode_device(frame(0x43, 0x02, "0d"))
    assert unknown == NibpError(module=NibpModule.JINGXINHAO, code=13, fault=None)


def test_the_pc100_codes_glucose_in_its_own_way() -> None:
    got = frame(0xE2, 0x01, "423700")
    record = decode_device(got, Variant.PC_100)
    assert isinstance(record, Pc100Glucose)
    assert record.mmol_l == Decimal("5.5")
    assert record.mg_dl is None
    assert record.to_frame() == got
    high = decode_device(frame(0xE2, 0x01, "610000"), Variant.PC_100)
    assert isinstance(high, Pc100Glucose)
    assert (high.flag, high.mg_dl) == (GlucoseFlag.HIGH, None)
    milligrams = decode_device(frame(0xE2, 0x01, "417e00"), Variant.PC_100)
    assert isinstance(milligrams, Pc100Glucose)
    assert (milligrams.mg_dl, milligrams.mmol_l) == (Decimal(126), None)


@pytest.mark.parametrize(
    ("data", "mg_dl", "divisor"),
    [
        ("01007e", Decimal(126), 1),
        ("010258", Decimal(600), 1),
        ("0104ec", Decimal(126), 10),
    ],
)
def test_milligrams_are_taken_as_they_are_unless_that_is_impossible(
    data: str, mg_dl: Decimal, divisor: int
) -> None:
    record = decode_device(frame(0x73, 0x01, data))
    assert isinstance(record, Glucose)
    assert (record.mg_dl, record.mg_dl_divisor) == (mg_dl, divisor)
    assert record.mmol_l is None


def test_high_is_a_flag_without_a_number() -> None:
    record = decode_device(frame(0x73, 0x01, "200333"))
    assert isinstance(record, Glucose)
    assert (record.flag, record.mmol_l) == (GlucoseFlag.HIGH, None)
    assert record.number == 0x0333


@pytest.mark.parametrize("data", ["00001a", "0000a1", "001000", "300000"])
def test_glucose_that_is_no_decimal_number_is_refused(data: str) -> None:
    with pytest.raises(FieldError):
        decode_device(frame(0x73, 0x01, data))


@given(st.decimals("0.1", "99.9", places=1))
def test_every_glucose_value_survives(value: Decimal) -> None:
    record = Glucose.of_mmol_l(value)
    again = decode_device(record.to_frame())
    assert isinstance(again, Glucose)
    assert again.mmol_l == value


@given(st.decimals("30.01", "43.11", places=2))
def test_every_temperature_survives(value: Decimal) -> None:
    again = decode_device(Temperature.of_celsius(value).to_frame())
    assert isinstance(again, Temperature)
    assert again.celsius == value
    assert not again.over_range


def test_uric_acid_and_cholesterol() -> None:
    uric = decode_device(frame(0xE2, 0x02, "000037"))
    cholesterol = decode_device(frame(0xE2, 0x03, "0000be"))
    assert isinstance(uric, UricAcid)
    assert uric.mg_dl == Decimal("5.5")
    assert isinstance(cholesterol, Cholesterol)
    assert cholesterol.mg_dl == 190
    assert uric.to_frame() == frame(0xE2, 0x02, "000037")


def test_poor_ecg_signal_has_two_codes() -> None:
    for code in ("ff", "10"):
        record = decode_device(frame(0x33, 0x01, f"{code}0000"))
        assert isinstance(record, EcgResult)
        assert record.poor_signal
        assert record.hr_bpm is None


def test_ecg_samples_of_two_widths_in_one_frame_are_refused() -> None:
    data = "01" + "8800" + "0080" * 24 + "4800"
    with pytest.raises(FieldError):
        decode_device(frame(0x32, 0x01, data))


def test_ecg_beats_and_lead_off_survive() -> None:
    wave = EcgWave(
        seq=9,
        bits=12,
        samples=tuple(range(2048, 2073)),
        beats=(False,) * 12 + (True,) + (False,) * 12,
        hr_bpm=72,
        lead_off=True,
    )
    assert decode_device(wave.to_frame()) == wave
    assert len(wave.to_frame().raw) == 59


def test_readings_name_the_record_and_what_follows_from_it() -> None:
    said = readings(Temperature.of_celsius(Decimal("36.60")))
    assert said["type"] == "temperature"
    assert said["celsius"] == Decimal("36.60")
    assert readings(Unknown(token=1, type=2, data=b""))["frame_type"] == 2


@pytest.mark.parametrize(
    ("token", "kind", "size"),
    [
        (0x32, 1, 53),
        (0x33, 1, 3),
        (0x34, 1, 2),
        (0x42, 1, 2),
        (0x43, 1, 5),
        (0x43, 2, 1),
        (0x51, 1, 1),
        (0x51, 2, 1),
        (0x52, 1, 1),
        (0x53, 1, 5),
        (0x72, 1, 1),
        (0x73, 1, 3),
        (0xE2, 2, 3),
        (0xFF, 4, 1),
    ],
)
def test_short_data_is_an_error_that_keeps_the_frame(
    token: int, kind: int, size: int
) -> None:
    short = Frame.build(token=token, type=kind, data=bytes(size - 1))
    with pytest.raises(TruncatedError) as caught:
        decode_device(short)
    assert caught.value.data == short.raw


@given(
    token=st.integers(0, 255),
    kind=st.integers(0, 5),
    data=st.binary(max_size=60),
    direction=st.sampled_from(Direction),
    variant=st.sampled_from(Variant),
)
def test_any_frame_is_a_record_or_a_protocol_error(
    token: int, kind: int, data: bytes, direction: Direction, variant: Variant
) -> None:
    got = Frame.build(token=token, type=kind, data=data)
    try:
        record = decode(got, direction, variant)
    except ProtocolError as error:
        kept = error.data
        assert kept == got.raw
        return
    assert decode(record.to_frame(), direction, variant) == record
    assert readings(record)["type"] == record.kind


UNENCODABLE: list[Record] = [
    CuffPressure(mmhg=4096, beat=False),
    EcgSampleBits(bits=10),
    EcgVersion(sw="1.2.3", hw="1.0"),
    EcgVersion(sw="1.16", hw="1.0"),
    Pleth(samples=(128,), beats=(False,)),
    Pleth(samples=(1, 2), beats=(False,)),
    SetTime(time=datetime(1999, 12, 31)),  # noqa: DTZ001 - the wire has no zone
    SetTime(time=datetime(2256, 1, 1)),  # noqa: DTZ001 - the wire has no zone
    EcgWave(
        seq=1,
        bits=12,
        samples=(4096,) * 25,
        beats=(False,) * 25,
        hr_bpm=None,
        lead_off=False,
    ),
    NibpResult(systolic_mmhg=120, map_mmhg=None, diastolic_mmhg=256, pulse_bpm=60),
]


@pytest.mark.parametrize("record", UNENCODABLE)
def test_what_does_not_fit_the_wire_is_the_callers_mistake(record: Record) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        record.to_frame()
    assert not isinstance(caught.value, ProtocolError)


def test_a_product_name_that_is_not_ascii_and_a_gain_of_zero_are_refused() -> None:
    for got in (frame(0xFF, 0x01, "50c3"), frame(0x34, 0x01, "0000")):
        with pytest.raises(FieldError):
            decode_device(got)


def test_thermometer_mode_both_ways() -> None:
    got = frame(0x72, 0x03, "12")
    record = decode_device(got)
    assert record == TemperatureModeReport(
        mode=TemperatureMode.EAR, unit=TemperatureUnit.FAHRENHEIT
    )
    assert record.to_frame() == got


def test_every_command_can_be_shown_as_json() -> None:
    time = SetTime(time=datetime(2026, 8, 22, 9, 30, 15))  # noqa: DTZ001 - the wire has no zone
    assert to_plain(time) == {"time": "2026-08-22T09:30:15"}
    for command in host.FIXED_COMMANDS.values():
        assert to_plain(command)["name"] == command.name
