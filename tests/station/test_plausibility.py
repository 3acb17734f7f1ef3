from decimal import Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.codes import readings
from gateway.model.observation import Absent, Component, Quality, Quantity
from gateway.station.plausibility import judge
from tests.station.samples import component, pressure


def absent(name: str, reason: Absent) -> Component:
    whole = component(name, None)
    return Component(
        name=name,
        code=whole.code,
        quantity=Quantity(unit=whole.quantity.unit, absent=reason),
    )


@pytest.mark.parametrize(
    ("components", "quality", "flags"),
    [
        (pressure("120", "80"), Quality.OK, ()),
        (
            pressure("80", "120"),
            Quality.IMPLAUSIBLE,
            ("systolic-not-above-diastolic",),
        ),
        (pressure("80", "80"), Quality.IMPLAUSIBLE, ("systolic-not-above-diastolic",)),
        (pressure("90", "81"), Quality.QUESTIONABLE, ("unusual-pulse-pressure",)),
        (pressure("90", "80"), Quality.OK, ()),
        (pressure("250", "99"), Quality.QUESTIONABLE, ("unusual-pulse-pressure",)),
        (
            pressure("120", "80", component("mean_arterial_pressure", "79")),
            Quality.QUESTIONABLE,
            ("mean-outside-pressures",),
        ),
        (
            pressure("120", "80", component("mean_arterial_pressure", "80")),
            Quality.OK,
            (),
        ),
        (
            pressure("310", "200"),
            Quality.IMPLAUSIBLE,
            ("out-of-range-systolic", "unusual-diastolic"),
        ),
        (
            (component("systolic", "120"), absent("diastolic", Absent.NOT_A_NUMBER)),
            Quality.QUESTIONABLE,
            ("pressure-incomplete",),
        ),
        # 0 is a value, and an impossible one; it is not "empty".
        ((component("spo2", "0"),), Quality.IMPLAUSIBLE, ("out-of-range-spo2",)),
        ((component("spo2", "65"),), Quality.QUESTIONABLE, ("unusual-spo2",)),
        ((component("spo2", "100"),), Quality.OK, ()),
        (
            (component("glucose_capillary", "120"),),
            Quality.IMPLAUSIBLE,
            ("out-of-range-glucose_capillary", "unit-suspected-glucose_capillary"),
        ),
        (
            (component("body_temperature", "98.6"),),
            Quality.IMPLAUSIBLE,
            ("out-of-range-body_temperature", "unit-suspected-body_temperature"),
        ),
        (
            (component("body_temperature", "5"),),
            Quality.IMPLAUSIBLE,
            ("out-of-range-body_temperature",),
        ),
        (
            pressure("16", "10.5"),
            Quality.IMPLAUSIBLE,
            (
                "out-of-range-diastolic",
                "out-of-range-systolic",
                "unit-suspected-diastolic",
                "unit-suspected-systolic",
                "unusual-pulse-pressure",
            ),
        ),
        (
            (component("spo2", "97", unit="mmol/L"),),
            Quality.QUESTIONABLE,
            ("unit-unexpected-spo2",),
        ),
        ((component("spo2", "NaN"),), Quality.IMPLAUSIBLE, ("out-of-range-spo2",)),
        ((absent("spo2", Absent.NOT_A_NUMBER),), Quality.INVALID, ()),
        ((absent("glucose_capillary", Absent.ABOVE_RANGE),), Quality.OK, ()),
        ((absent("glucose_capillary", Absent.BELOW_RANGE),), Quality.OK, ()),
    ],
)
def test_values(
    components: tuple[Component, ...], quality: Quality, flags: tuple[str, ...]
) -> None:
    judged = judge(components)
    assert (judged.quality, judged.flags) == (quality, flags)


@pytest.mark.parametrize(
    ("flags", "quality"),
    [
        ((), Quality.OK),
        (("irregular-pulse",), Quality.OK),
        (("pulse-over-range",), Quality.OK),
        (("body-movement",), Quality.QUESTIONABLE),
        (("cuff-too-loose", "irregular-pulse"), Quality.QUESTIONABLE),
        (("sensor-malfunction",), Quality.INVALID),
    ],
)
def test_device_status(flags: tuple[str, ...], quality: Quality) -> None:
    judged = judge(pressure("120", "80"), flags=flags)
    assert judged.quality is quality
    assert judged.flags == tuple(sorted(flags))


def test_a_doubt_does_not_silence_hi() -> None:
    hi = (absent("glucose_capillary", Absent.ABOVE_RANGE),)
    judged = judge(hi, flags=("strip-insertion",))
    assert judged.quality is Quality.QUESTIONABLE
    control = judge(hi, flags=("control-solution",), invalid=True)
    assert control.quality is Quality.INVALID


def test_what_the_device_says_of_itself() -> None:
    assert judge(pressure("120", "80"), invalid=True).quality is Quality.INVALID
    doubtful = judge(pressure("120", "80"), questionable=True)
    assert doubtful.quality is Quality.QUESTIONABLE


@given(
    name=st.sampled_from(sorted(readings())) | st.just("third-party"),
    value=st.decimals().filter(lambda v: not v.is_snan()) | st.none(),
    unit=st.sampled_from(["%", "mm[Hg]", "mmol/L", "Cel", "kg", ""]),
)
def test_any_component_is_judged_and_none_is_changed(
    name: str, value: Decimal | None, unit: str
) -> None:
    part = Component(name=name, code=1, quantity=Quantity(unit=unit, value=value))
    assert judge((part,)).quality in Quality
    assert part.quantity.value is value
