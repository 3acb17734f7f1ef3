"""The catalogue of models: what is in it, and that mistakes are found at start-up."""

import pytest

from drivers.catalogue import catalogue, parse
from gateway.errors import ConfigurationError
from gateway.ports.devices import Identified, LinkKind
from gateway.registry import BUILT_IN

ROW = """
[[model]]
id = "a"
make = "Invented"
model = "A"
driver = "glucose"
link = "gatt"
name = "A"
evidence = "invented"
"""


def test_every_row_has_a_driver_of_its_link_and_evidence() -> None:
    drivers = {driver.spec.name: driver.spec for driver in BUILT_IN}
    rows = catalogue().models
    assert len(rows) > 20
    for row in rows:
        assert row.evidence
        if not row.unsupported:
            assert drivers[row.driver].link is row.link
    assert set(catalogue().families) == set(drivers)


def test_titles_are_in_both_languages() -> None:
    for family in catalogue().families.values():
        assert family.title["en"].isascii()
        assert not family.title["zh"].isascii()


def test_what_a_device_says_counts_more_than_its_name() -> None:
    rows = catalogue()
    named = rows.quirks("blood_pressure", name="A&D_UA-651BLE_0001", identified=None)
    assert named["set_clock"] == "on-connect"
    assert named["cool_down_s"] == 15
    said = rows.quirks(
        "blood_pressure",
        name="A&D_UA-651BLE_0001",
        identified=Identified(manufacturer="Beurer", model="BM85"),
    )
    assert said["layout"] == "beurer"
    assert "set_clock" not in said
    unknown = rows.quirks("blood_pressure", name="Nobody", identified=Identified())
    assert unknown == rows.families["blood_pressure"].quirks


def test_unsupported_models_say_why() -> None:
    row = catalogue().by_name("RBP-2207000001", LinkKind.GATT)
    assert row is not None
    assert row.unsupported == "proprietary-protocol"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ROW + ROW, "id"),
        (ROW.replace('make = "Invented"', ""), "make"),
        (ROW.replace('evidence = "invented"', ""), "evidence"),
        (ROW.replace('name = "A"', ""), "name"),
        (ROW.replace('name = "A"', 'name = "("'), "name"),
        (ROW.replace('"gatt"', '"usb"'), "link"),
        (ROW + 'colour = "red"', "colour"),
        (ROW + 'unsupported = "x"', "unsupported"),
        (ROW + "quirks = 1", "quirks"),
        (ROW + "quirks = { set_clok = 1 }", "set_clok"),
        (ROW + 'quirks = { set_clock = "always" }', "set_clock"),
        (ROW + 'quirks = { linger_s = "long" }', "linger_s"),
        (ROW + "quirks = { linger_s = true }", "linger_s"),
        (ROW + "quirks = { linger_s = 0 }", "linger_s"),
        (ROW + "quirks = { bond_first = 1 }", "bond_first"),
        ("[[model]", "catalogue"),
    ],
)
def test_mistakes_name_the_field(text: str, names: str) -> None:
    with pytest.raises(ConfigurationError, match=names):
        parse(text)
