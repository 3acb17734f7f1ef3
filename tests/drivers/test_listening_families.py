"""Oximeters, heart rate straps, thermometers and scales, in simulated time."""

from decimal import Decimal

import pytest

from drivers import heart_rate, lepu_oximeter, pulse_oximeter, thermometer, weight_scale
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.heart_rate import HeartRateMeasurement
from firmware_protocols.gatt.pulse_oximeter import (
    ContinuousMeasurement,
    OximeterDeviceStatus,
    OximeterMeasurementStatus,
    SpO2PulseRate,
    SpotCheckMeasurement,
)
from firmware_protocols.gatt.thermometer import (
    TemperatureMeasurement,
    TemperatureType,
    TemperatureUnit,
)
from firmware_protocols.gatt.weight_scale import (
    BodySize,
    WeightMeasurement,
    WeightUnits,
)
from firmware_protocols.ieee11073.floats import Number, Special
from firmware_protocols.lepu import oximeter as lepu
from gateway.clock import ManualClock
from gateway.model.observation import Absent
from gateway.ports.devices import (
    Battery,
    Condition,
    GattDriver,
    Live,
    Reading,
    Samples,
    Undecodable,
)
from tests.drivers.peers import (
    START,
    Context,
    GattPeer,
    collect,
    gatt_run,
    local,
    of,
)

_M = OximeterMeasurementStatus
_D = OximeterDeviceStatus


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


async def play(
    driver: GattDriver, clock: ManualClock, channel: str, *values: bytes, every: float
) -> tuple[list[Reading], list[Live]]:
    peer = GattPeer(clock, {channel: None})
    for number, value in enumerate(values):
        peer.send(value, channel, after=number * every)
    peer.hang_up(after=len(values) * every)
    events = await collect(gatt_run(driver, peer, Context(clock)))
    return of(events, Reading), of(events, Live)


def spo2(
    value: Number = Decimal(97),
    *,
    measurement: int | None = None,
    device: int | None = None,
) -> bytes:
    return ContinuousMeasurement(
        normal=SpO2PulseRate(spo2=value, pulse_rate=Decimal(64)),
        measurement_status=None if measurement is None else _M(measurement),
        device_sensor_status=None if device is None else _D(device),
        pulse_amplitude_index=Decimal("2.4"),
    ).to_bytes()


async def test_stream_is_thinned_and_every_value_is_live(clock: ManualClock) -> None:
    values = [spo2(Decimal(90 + n % 8)) for n in range(21)]
    found, live = await play(
        pulse_oximeter.PulseOximeterDriver(),
        clock,
        pulse_oximeter.CONTINUOUS,
        *values,
        every=1.0,
    )
    assert [r.context["samples"] for r in found] == ["1", "5", "5", "5", "5"]
    assert [r.raw for r in found] == [values[n] for n in (0, 5, 10, 15, 20)]
    assert [part.name for part in found[0].components] == [
        "spo2",
        "pulse_rate_pleth",
        "perfusion_index",
    ]
    assert len([v for v in live if v.name == "spo2"]) == 21


async def test_what_is_held_comes_out_at_the_end(clock: ManualClock) -> None:
    found, _ = await play(
        pulse_oximeter.PulseOximeterDriver(),
        clock,
        pulse_oximeter.CONTINUOUS,
        *[spo2() for _ in range(4)],
        every=1.0,
    )
    assert [r.context["samples"] for r in found] == ["1", "3"]


async def test_every_change_of_validity_comes_out_at_once(clock: ManualClock) -> None:
    off = spo2(Special.NAN, device=_D.SENSOR_UNCONNECTED_TO_USER)
    found, _ = await play(
        pulse_oximeter.PulseOximeterDriver(),
        clock,
        pulse_oximeter.CONTINUOUS,
        spo2(),
        spo2(),
        off,
        *[off] * 60,
        spo2(),
        every=1.0,
    )
    assert [(r.invalid, r.context["samples"]) for r in found] == [
        (False, "1"),
        (False, "1"),
        (True, "1"),
        (True, "60"),
        (False, "1"),
    ]


@pytest.mark.parametrize(
    ("measurement", "device", "invalid", "questionable"),
    [
        (_M.DEMO, 0, True, False),
        (_M.TEST, 0, True, False),
        (_M.CALIBRATION_ONGOING, 0, True, False),
        (_M.UNAVAILABLE, 0, True, False),
        (_M.INVALID, 0, True, False),
        (_M.QUESTIONABLE, 0, False, True),
        (_M.VALIDATED | _M.FULLY_QUALIFIED, 0, False, False),
        *((0, 1 << bit, True, False) for bit in (1, 7, 11, 12, 14, 15)),
        *((0, 1 << bit, False, True) for bit in (3, 4, 6, 8, 10, 13)),
        *((0, 1 << bit, False, False) for bit in (0, 2, 5, 9)),
    ],
)
async def test_status_bits_that_must_not_page_anybody(
    clock: ManualClock,
    measurement: int,
    device: int,
    *,
    invalid: bool,
    questionable: bool,
) -> None:
    found, _ = await play(
        pulse_oximeter.PulseOximeterDriver(),
        clock,
        pulse_oximeter.CONTINUOUS,
        spo2(measurement=measurement, device=device),
        every=1.0,
    )
    assert (found[0].invalid, found[0].questionable) == (invalid, questionable)


@pytest.mark.parametrize("value", [Decimal(0), Decimal(127), Special.NAN])
async def test_no_saturation_is_kept_and_invalid(
    clock: ManualClock, value: Number
) -> None:
    found, live = await play(
        pulse_oximeter.PulseOximeterDriver(),
        clock,
        pulse_oximeter.CONTINUOUS,
        spo2(value),
        every=1.0,
    )
    assert found[0].invalid
    assert found[0].flags == ("no-saturation",)
    assert live == []
    if isinstance(value, Decimal):
        assert found[0].components[0].quantity.value == value


async def test_spot_check_with_a_fabricated_time(clock: ManualClock) -> None:
    frame = SpotCheckMeasurement(
        spo2=Decimal(95),
        pulse_rate=Decimal(70),
        timestamp=DateTime.from_datetime(local(days=-3000)),
        measurement_status=_M(_M.FROM_STORAGE),
        clock_not_set=True,
    )
    found, _ = await play(
        pulse_oximeter.PulseOximeterDriver(),
        clock,
        pulse_oximeter.SPOT_CHECK,
        frame.to_bytes(),
        every=1.0,
    )
    assert found[0].device_time is None
    assert found[0].flags == ("device-clock-not-set",)
    assert found[0].stored
    assert found[0].context["modality"] == "spot"


async def test_strap_without_contact_or_rhythm(clock: ManualClock) -> None:
    def beat(rate: int, *, contact: bool | None = None) -> bytes:
        return HeartRateMeasurement(
            heart_rate=rate,
            rr_intervals=(800,),
            contact_supported=contact is not None,
            contact_detected=bool(contact),
        ).to_bytes()

    found, live = await play(
        heart_rate.HeartRateDriver(),
        clock,
        heart_rate.MEASUREMENT,
        beat(0),
        beat(72),
        beat(73, contact=True),
        beat(74, contact=False),
        every=1.0,
    )
    assert [(r.flags, r.invalid) for r in found] == [
        (("no-heart-rate",), True),
        ((), False),
        ((), False),
        (("sensor-off",), True),
    ]
    assert found[0].components[0].quantity.absent is Absent.NOT_A_NUMBER
    assert [v.value for v in live] == ["72", "73"]


@pytest.mark.parametrize(
    ("site", "kind", "questionable"),
    [
        (TemperatureType.ARMPIT, "body_temperature_axillary", False),
        (TemperatureType.EAR, "body_temperature_tympanic", False),
        (TemperatureType.TYMPANUM, "body_temperature_tympanic", False),
        (TemperatureType.MOUTH, "body_temperature_oral", False),
        (TemperatureType.RECTUM, "body_temperature", False),
        (TemperatureType.FINGER, "body_temperature", True),
        (None, "body_temperature", False),
    ],
)
async def test_site_decides_the_kind(
    clock: ManualClock, site: int | None, kind: str, *, questionable: bool
) -> None:
    record = TemperatureMeasurement(
        unit=TemperatureUnit.FAHRENHEIT,
        temperature=Decimal("98.6"),
        temperature_type=None if site is None else TemperatureType(site),
    )
    found, _ = await play(
        thermometer.ThermometerDriver(),
        clock,
        thermometer.MEASUREMENT,
        record.to_bytes(),
        every=1.0,
    )
    assert found[0].kind == kind
    assert found[0].questionable is questionable
    assert found[0].components[0].quantity.value == Decimal("37.000")
    assert found[0].components[0].quantity.unit == "Cel"


async def test_static_site_intermediate_and_failed_temperature(
    clock: ManualClock,
) -> None:
    def value(temperature: Number) -> bytes:
        return TemperatureMeasurement(
            unit=TemperatureUnit.CELSIUS, temperature=temperature
        ).to_bytes()

    peer = GattPeer(
        clock,
        {
            thermometer.MEASUREMENT: None,
            thermometer.INTERMEDIATE: None,
            thermometer.STATIC_TYPE: bytes((TemperatureType.EAR,)),
        },
    )
    peer.send(value(Decimal("36.1")), thermometer.INTERMEDIATE)
    peer.send(value(Decimal("36.9")), thermometer.MEASUREMENT, after=1)
    peer.send(value(Special.NAN), thermometer.MEASUREMENT, after=2)
    driver = thermometer.ThermometerDriver()
    events = await collect(gatt_run(driver, peer, Context(clock)))
    good, failed = of(events, Reading)
    assert good.kind == "body_temperature_tympanic"
    assert good.components[0].quantity.value == Decimal("36.9")
    assert good.context == {"site": "ear"}
    assert failed.invalid
    assert [v.value for v in of(events, Live)] == ["36.1"]


async def test_weight_in_both_systems_and_unsuccessful(clock: ManualClock) -> None:
    metric = WeightMeasurement(
        units=WeightUnits.METRIC,
        weight=Decimal("71.405"),
        user_id=1,
        body_size=BodySize(bmi=Decimal("23.3"), height=Decimal("1.750")),
    )
    imperial = WeightMeasurement(
        units=WeightUnits.IMPERIAL, weight=Decimal("157.42"), user_id=255
    )
    failed = WeightMeasurement(units=WeightUnits.METRIC, weight=None)
    found, _ = await play(
        weight_scale.WeightScaleDriver(),
        clock,
        weight_scale.MEASUREMENT,
        metric.to_bytes(),
        imperial.to_bytes(),
        failed.to_bytes(),
        every=1.0,
    )
    assert [(p.name, p.quantity.value) for p in found[0].components] == [
        ("body_weight", Decimal("71.405")),
        ("bmi", Decimal("23.3")),
        ("body_height", Decimal(175)),
    ]
    assert found[1].components[0].quantity.value == Decimal("157.42") * Decimal(
        "0.45359237"
    )
    assert [r.user_slot for r in found] == [1, None, None]
    assert found[2].invalid
    assert found[2].components[0].quantity.absent is Absent.ERROR


async def test_lepu_fingertip_oximeter(clock: ManualClock) -> None:
    peer = GattPeer(clock, {lepu_oximeter.NOTIFY: None})

    def value(*, off: bool) -> bytes:
        record = lepu.Spo2(
            spo2_pct=None if off else 97,
            pulse_bpm=None if off else 66,
            pi_pct=None if off else Decimal("4.2"),
            probe_off=off,
            searching=False,
            battery_level=3,
        )
        return record.to_frame().raw

    pleth = lepu.Pleth(samples=(1, 2, 3, 4, 5), beats=(False,) * 5).to_frame().raw
    stream = pleth + value(off=False) + pleth + value(off=True)
    for at in range(0, len(stream), 3):  # split as notifications split it
        peer.send(stream[at : at + 3], lepu_oximeter.NOTIFY, after=at / 100)
    peer.send(b"\x00\xaa\x55\x0f", lepu_oximeter.NOTIFY, after=1)
    peer.hang_up(after=2)
    driver = lepu_oximeter.LepuOximeterDriver()
    events = await collect(gatt_run(driver, peer, Context(clock)))
    (reading,) = of(events, Reading)
    assert [str(p.quantity.value) for p in reading.components] == ["97", "66", "4.2"]
    assert [(s.index, s.counts) for s in of(events, Samples)] == [
        (0, (1, 2, 3, 4, 5)),
        (5, (1, 2, 3, 4, 5)),
    ]
    assert of(events, Battery) == [Battery(percent=100)]
    assert [c.code for c in of(events, Condition)] == ["probe-off"]
    noise = b"".join(u.raw for u in of(events, Undecodable))
    assert noise == b"\x00\xaa\x55\x0f"
