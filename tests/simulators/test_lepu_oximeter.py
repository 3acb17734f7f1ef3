from decimal import Decimal

from firmware_protocols.lepu.aa55 import Aa55Framer, Frame
from firmware_protocols.lepu.oximeter import (
    Battery,
    Command,
    CommandName,
    DeviceRecord,
    Pleth,
    Spo2,
    WorkStatus,
    decode_device,
)
from simulators.lepu_oximeter import MAX_NOTIFICATION, LepuOximeter


def until(device: LepuOximeter, end: float) -> list[DeviceRecord]:
    framer = Aa55Framer()
    said: list[DeviceRecord] = []
    while (deadline := device.next_deadline()) is not None and deadline <= end:
        for notification in device.poll(deadline):
            assert len(notification) <= MAX_NOTIFICATION
            events = framer.receive(notification, deadline)
            said += [decode_device(e) for e in events if isinstance(e, Frame)]
    return said


def test_values_each_second_and_ten_waves_once_a_finger_is_in() -> None:
    device = LepuOximeter(battery_level=2)
    device.subscribe(0.0)
    device.put_finger(0.05, spo2=96, pulse=62)
    said = until(device, 10.01)
    assert said[:1] == [Battery(level=2)]
    assert isinstance(said[1], WorkStatus)
    values = [record for record in said if isinstance(record, Spo2)]
    assert len(values) == 10
    assert [v.searching for v in values] == [True] * 3 + [False] * 7
    assert values[-1] == Spo2(
        spo2_pct=96,
        pulse_bpm=62,
        pi_pct=Decimal("4.2"),
        probe_off=False,
        searching=False,
        battery_level=2,
    )
    waves = [record for record in said if isinstance(record, Pleth)]
    assert 99 <= len(waves) <= 100
    assert {len(wave.samples) for wave in waves} == {5}


def test_an_empty_probe_says_so_and_sends_no_wave() -> None:
    device = LepuOximeter()
    device.subscribe(0.0)
    device.put_finger(0.0, spo2=96, pulse=62)
    device.take_finger_out()
    said = until(device, 3.01)
    values = [record for record in said if isinstance(record, Spo2)]
    assert all(v.probe_off and v.spo2_pct is None for v in values)
    assert not [record for record in said if isinstance(record, Pleth)]


def test_uploads_are_switched() -> None:
    device = LepuOximeter()
    device.subscribe(0.0)
    device.put_finger(0.0, spo2=96, pulse=62)
    device.poll(0.0)
    off = Command(name=CommandName.ENABLE_WAVE_UPLOAD, enable=False)
    device.receive(off.to_frame().raw, 0.0)
    kinds = {type(record) for record in until(device, 5.0)}
    assert kinds == {Spo2}
    off = Command(name=CommandName.ENABLE_PARAM_UPLOAD, enable=False)
    device.receive(off.to_frame().raw, 5.0)
    assert until(device, 9.0) == []


def test_what_is_not_understood_is_counted() -> None:
    device = LepuOximeter()
    device.receive(bytes.fromhex("aa550f0384010000"), 0.0)
    device.receive(bytes.fromhex("aa55f00282fb"), 0.0)
    assert device.refused >= 2


def test_nothing_comes_after_unsubscribing() -> None:
    device = LepuOximeter()
    device.subscribe(0.0)
    device.unsubscribe()
    assert device.next_deadline() is None
    assert device.poll(5.0) == []
