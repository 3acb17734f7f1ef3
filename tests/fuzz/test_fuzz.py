"""A short, repeatable stretch of fuzzing, and proof that it finds what is broken."""

from random import Random

import pytest

from firmware_protocols.gatt import CHARACTERISTICS
from tests.fuzz.__main__ import fuzz, try_one
from tests.fuzz.targets import TARGETS, Target

INPUTS = 400


@pytest.mark.parametrize("name", TARGETS)
def test_the_invariant_holds(name: str) -> None:
    with_records = sum(try_one(TARGETS[name], 20, number) for number in range(INPUTS))
    assert with_records > 0, "the inputs never get as far as a record"


def test_every_characteristic_is_a_target() -> None:
    assert {f"gatt-{uuid:04x}" for uuid in CHARACTERISTICS} <= TARGETS.keys()


def test_a_broken_decoder_is_found_and_can_be_tried_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def check(data: bytes, _rng: Random) -> bool:
        return data[0] >= 0  # fails on no bytes at all

    target = Target(name="broken", check=check, seeds=(b"\x01",))
    assert fuzz([target], seconds=30, seed=3) == 1
    output = capsys.readouterr().out
    assert "target=broken seed=3 number=" in output
    assert "hex=\n" in output
    number = int(output.split("number=")[1].split()[0])
    with pytest.raises(IndexError):
        try_one(target, 3, number)


def test_a_sound_target_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    target = Target(name="sound", check=lambda _data, _rng: True, seeds=())
    assert fuzz([target], seconds=0.01, seed=1) == 0
    assert "violations=0" in capsys.readouterr().out
