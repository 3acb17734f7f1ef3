"""Choosing drivers: by configuration, model, name and service; never by less."""

from collections.abc import AsyncIterator
from importlib.metadata import EntryPoint

import pytest

from drivers.blood_pressure import SERVICE as BLOOD_PRESSURE
from drivers.heart_rate import SERVICE as HEART_RATE
from drivers.lepu_oximeter import NORDIC_UART
from gateway.errors import ConfigurationError
from gateway.ports.devices import (
    DriverContext,
    DriverEvent,
    DriverSpec,
    GattLink,
    LinkKind,
    Match,
    Peer,
)
from gateway.registry import BUILT_IN, Registry
from gateway.registry.registry import SHARED_SERVICES
from gateway.registry.third_party import load

FFF0 = "0000fff0-0000-1000-8000-00805f9b34fb"


class Foreign:
    def __init__(self, name: str, *matches: Match) -> None:
        self.spec = DriverSpec(
            name=name,
            version=1,
            link=LinkKind.GATT,
            matches=matches,
            produces=("spo2",),
            may_send=(),
        )

    async def run(
        self, link: GattLink, ctx: DriverContext
    ) -> AsyncIterator[DriverEvent]:
        del link, ctx
        nothing: tuple[DriverEvent, ...] = ()
        for event in nothing:
            yield event


foreign = Foreign("foreign", Match(service=FFF0, name="Invented"))
not_a_driver = object()


def peer(name: str = "", *services: str) -> Peer:
    return Peer(address="x", name=name, services=services)


def chosen(registry: Registry, device: Peer, **how: str) -> tuple[str, str]:
    choice = registry.choose(device, link=LinkKind.GATT, configured=how.get("by", ""))
    return choice.driver.spec.name if choice.driver else "", choice.reason


def test_by_service() -> None:
    registry = Registry()
    assert chosen(registry, peer("", BLOOD_PRESSURE)) == ("blood_pressure", "match")
    assert chosen(registry, peer("Phone")) == ("", "no-match")


def test_by_model_without_an_advertised_service() -> None:
    choice = Registry().choose(peer("A&D_UA-651BLE_1"), link=LinkKind.GATT)
    assert choice.driver is not None
    assert choice.reason == "catalogue"
    assert choice.quirks["bond_first"] is True


def test_configuration_wins() -> None:
    registry = Registry()
    device = peer("A&D_UA-651BLE_1", BLOOD_PRESSURE)
    assert chosen(registry, device, by="thermometer") == ("thermometer", "configured")
    assert chosen(registry, device, by="nonsense") == ("", "driver-unknown")
    assert chosen(registry, device, by="lepu_kiosk") == ("", "wrong-link")


@pytest.mark.parametrize("service", sorted(SHARED_SERVICES))
def test_shared_service_alone_chooses_nothing(service: str) -> None:
    registry = Registry([*BUILT_IN, foreign])
    assert chosen(registry, peer("Somebody", service)) == ("", "name-needed")


def test_shared_service_with_a_name() -> None:
    registry = Registry([*BUILT_IN, foreign])
    assert chosen(registry, peer("PC-60FW", NORDIC_UART)) == (
        "lepu_oximeter",
        "catalogue",
    )
    assert chosen(registry, peer("Invented 1", FFF0)) == ("foreign", "match")


def test_unsupported_models_and_ambiguous_devices_say_so() -> None:
    registry = Registry()
    assert chosen(registry, peer("MIBFS", FFF0)) == ("", "proprietary-protocol")
    both = registry.choose(peer("", BLOOD_PRESSURE, HEART_RATE), link=LinkKind.GATT)
    assert both.reason == "ambiguous"
    assert both.detail == "blood_pressure, heart_rate"


def test_serial_port_must_be_configured() -> None:
    registry = Registry()
    port = Peer(address="/dev/ttyUSB0", usb=(0x10C4, 0xEA60))
    choice = registry.choose(port, link=LinkKind.BYTES)
    assert (choice.driver, choice.reason) == (None, "port-not-configured")
    choice = registry.choose(port, link=LinkKind.BYTES, configured="lepu_kiosk")
    assert choice.driver is not None
    assert choice.quirks["baudrate"] == 115_200


def test_every_driver_says_why_not() -> None:
    said = {
        answer.driver: (answer.takes, answer.reason)
        for answer in Registry().explain(
            peer("Stranger", BLOOD_PRESSURE, NORDIC_UART), link=LinkKind.GATT
        )
    }
    assert said["blood_pressure"] == (True, "match")
    assert said["glucose"] == (False, "service-differs")
    assert said["lepu_oximeter"] == (False, "name-differs")
    assert said["lepu_kiosk"] == (False, "wrong-link")
    assert len(said) == len(BUILT_IN)


def test_titles() -> None:
    registry = Registry([*BUILT_IN, foreign])
    assert registry.title("glucose", "zh") == "血糖仪"
    assert registry.title("glucose", "en") == "Glucose meter"
    assert registry.title("gone", "en") == "gone"


def test_careless_drivers_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="shared"):
        Registry([Foreign("careless", Match(service=FFF0))])
    with pytest.raises(ConfigurationError, match="field"):
        Registry([Foreign("everything", Match())])
    with pytest.raises(ConfigurationError, match="same name"):
        Registry([foreign, foreign])


def test_third_party_drivers_are_loaded_and_faults_reported() -> None:
    group = "vitalgate.drivers"
    here = "tests.registry.test_registry"
    points = [
        EntryPoint("good", f"{here}:foreign", group),
        EntryPoint("twice", f"{here}:foreign", group),
        EntryPoint("nothing", f"{here}:not_a_driver", group),
        EntryPoint("missing", f"{here}:absent", group),
        EntryPoint("broken", "no_such_module:driver", group),
    ]
    drivers, faults = load(points, taken=["glucose"])
    assert [driver.spec.name for driver in drivers] == ["foreign"]
    assert {fault.entry_point: fault.problem for fault in faults} == {
        "twice": "the name foreign is taken",
        "nothing": "is no driver: it needs spec and run",
        "missing": "AttributeError",
        "broken": "ModuleNotFoundError",
    }


def test_installed_drivers() -> None:
    registry = Registry.with_installed()
    assert registry.driver("glucose") is not None
    assert len(registry.specs) >= len(BUILT_IN)
