"""Drivers of other packages, found by entry point ``vitalgate.drivers``.

An entry point names an object with ``spec`` (a ``DriverSpec``) and ``run``. One that
cannot be used is left out and reported; the station runs without it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from gateway.ports.devices import ByteDriver, DriverSpec, GattDriver

GROUP: Final = "vitalgate.drivers"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverFault:
    """An installed driver that cannot be used."""

    entry_point: str
    problem: str


def installed() -> Iterable[EntryPoint]:
    """The entry points of the group."""
    return entry_points(group=GROUP)


def load(
    points: Iterable[EntryPoint], *, taken: Iterable[str]
) -> tuple[list[GattDriver | ByteDriver], list[DriverFault]]:
    """The usable drivers, and what is wrong with the others.

    Args:
        points: entry points of the group.
        taken: names of the built-in drivers, which cannot be replaced.
    """
    drivers: list[GattDriver | ByteDriver] = []
    faults: list[DriverFault] = []
    names = set(taken)
    for point in points:
        try:
            driver = point.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            faults.append(
                DriverFault(entry_point=point.name, problem=type(error).__name__)
            )
            continue
        spec = getattr(driver, "spec", None)
        if not isinstance(spec, DriverSpec) or not callable(
            getattr(driver, "run", None)
        ):
            problem = "is no driver: it needs spec and run"
        elif spec.name in names:
            problem = f"the name {spec.name} is taken"
        else:
            names.add(spec.name)
            drivers.append(driver)
            continue
        faults.append(DriverFault(entry_point=point.name, problem=problem))
    return drivers, faults
