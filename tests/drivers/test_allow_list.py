"""What drivers may send, for all of them: nothing inflates, nothing erases."""

import re

import pytest

from drivers.device_clock import CURRENT_TIME, DATE_TIME
from firmware_protocols.lepu.aa55 import HEADER
from firmware_protocols.lepu.pc300.commands import (
    ERASING,
    FIXED_COMMANDS,
    INFLATING,
)
from gateway.codes import readings
from gateway.ports.devices import ByteDriver, GattDriver, LinkKind
from gateway.registry import BUILT_IN

DRIVERS = pytest.mark.parametrize("driver", BUILT_IN, ids=lambda d: d.spec.name)

CUFF_START_FRAMES = [
    raw for raw, command in FIXED_COMMANDS.items() if command.name in INFLATING
]
ERASING_FRAMES = [
    raw for raw, command in FIXED_COMMANDS.items() if command.name in ERASING
]


@DRIVERS
def test_only_the_operator_inflates_a_cuff(driver: GattDriver | ByteDriver) -> None:
    assert CUFF_START_FRAMES
    for raw in CUFF_START_FRAMES:
        for entry in driver.spec.may_send:
            assert not entry.permits("", raw) or entry.operator_only


@DRIVERS
def test_nothing_erases(driver: GattDriver | ByteDriver) -> None:
    assert ERASING_FRAMES
    for raw in ERASING_FRAMES:
        assert not any(entry.permits("", raw) for entry in driver.spec.may_send)
    delete_records = bytes((2, 1))
    for entry in driver.spec.may_send:
        assert not entry.permits(entry.channel, delete_records)


@DRIVERS
def test_every_entry_is_narrow(driver: GattDriver | ByteDriver) -> None:
    for entry in driver.spec.may_send:
        assert entry.length is not None
        if driver.spec.link is LinkKind.GATT:
            assert entry.channel
            # Only a clock's value is free: its characteristic holds nothing else.
            assert entry.prefix or entry.channel in (CURRENT_TIME, DATE_TIME)
        else:
            assert len(entry.prefix) > len(HEADER)


@DRIVERS
def test_declarations(driver: GattDriver | ByteDriver) -> None:
    spec = driver.spec
    assert re.fullmatch(r"[a-z_]+", spec.name)
    assert spec.title
    assert spec.produces
    assert set(spec.produces) <= set(readings())


def test_a_cuff_that_measures_over_gatt_cannot_be_started() -> None:
    (cuff,) = [d for d in BUILT_IN if d.spec.name == "blood_pressure"]
    assert {entry.name for entry in cuff.spec.may_send} == {"set-clock"}
