"""Choosing a driver: configuration first, then the catalogue, then name and service.

Never by header bytes, and never by a service number that several vendors share: such a
match needs a name beside it, and a driver that declares one without is refused.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drivers.catalogue import Catalogue, catalogue
from gateway.errors import ConfigurationError
from gateway.ports.devices import (
    ByteDriver,
    DriverSpec,
    GattDriver,
    Identified,
    LinkKind,
    Match,
    Peer,
)
from gateway.ports.driving import Choice
from gateway.registry.builtin import BUILT_IN
from gateway.registry.third_party import DriverFault, installed, load

SHARED_SERVICES: Final = frozenset(
    {
        "0000fff0-0000-1000-8000-00805f9b34fb",  # Lepu, Raycome, PC-80B, VTM20F …
        "0000ffe0-0000-1000-8000-00805f9b34fb",  # VTM20F, AOJ-20A, UART bridges
        "0000ffb0-0000-1000-8000-00805f9b34fb",  # AP-20 and others
        "0000ff12-0000-1000-8000-00805f9b34fb",  # PO60, CMS50D-BT
        "6e400001-b5a3-f393-e0a9-e50e24dcca9e",  # Nordic UART: countless
        "14839ac4-7d7e-415c-9a42-167340cf2339",  # O2Ring and ER1/BP2, two protocols
        "49535343-fe7d-4ae5-8fa9-9fafd205e455",  # Microchip UART: Berry, two protocols
    }
)
"""Services that several protocols use: a name must tell them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What one driver says to a peer, for ``vitalgate scan``.

    Attributes:
        driver: the driver's name.
        takes: whether one of its matches fits.
        reason: ``match``, ``wrong-link``, ``service-differs``, ``name-differs``,
            ``usb-differs`` or ``port-not-configured``.
    """

    driver: str
    takes: bool
    reason: str


class Registry:
    """All drivers.

    Args:
        drivers: in order; the built-in ones by default.
        models: the catalogue; the one that comes with vitalgate by default.
        faults: installed drivers that cannot be used.

    Raises:
        ConfigurationError: two drivers of one name, or one that matches a shared
            service without a name.
    """

    def __init__(
        self,
        drivers: Sequence[GattDriver | ByteDriver] = BUILT_IN,
        *,
        models: Catalogue | None = None,
        faults: Iterable[DriverFault] = (),
    ) -> None:
        self._drivers = {driver.spec.name: driver for driver in drivers}
        self._models = catalogue() if models is None else models
        self.faults = tuple(faults)
        if len(self._drivers) != len(drivers):
            raise ConfigurationError("drivers: two have the same name.")
        for driver in drivers:
            _check(driver.spec)

    @classmethod
    def with_installed(cls) -> "Registry":
        """The built-in drivers and those of installed packages."""
        names = [driver.spec.name for driver in BUILT_IN]
        drivers, faults = load(installed(), taken=names)
        return cls([*BUILT_IN, *drivers], faults=faults)

    @property
    def specs(self) -> tuple[DriverSpec, ...]:
        """Every driver's declaration."""
        return tuple(driver.spec for driver in self._drivers.values())

    def driver(self, name: str) -> GattDriver | ByteDriver | None:
        """The driver of that name, for replay and diagnostics."""
        return self._drivers.get(name)

    def title(self, driver: str, language: str) -> str:
        """What people call the family, in ``en`` or ``zh``."""
        family = self._models.families.get(driver)
        if family is not None and language in family.title:
            return family.title[language]
        found = self._drivers.get(driver)
        return found.spec.title if found is not None else driver

    def choose(self, peer: Peer, *, link: LinkKind, configured: str = "") -> Choice:
        """The driver for a peer, or why none takes it."""
        if configured:
            return self._configured(peer, link, configured)
        row = self._models.by_name(peer.name, link)
        if row is None:
            return self._matching(peer, link)
        if row.unsupported or row.driver not in self._drivers:
            return Choice(
                driver=None,
                reason=row.unsupported or "driver-unknown",
                detail=f"{row.make} {row.model}",
                model=row.id,
            )
        return self._chosen(self._drivers[row.driver], peer, "catalogue", row.id)

    def _matching(self, peer: Peer, link: LinkKind) -> Choice:
        """By what the drivers themselves declare."""
        answers = self.explain(peer, link=link)
        takers = [answer.driver for answer in answers if answer.takes]
        if len(takers) == 1:
            return self._chosen(self._drivers[takers[0]], peer, "match")
        reason = "no-match"
        if takers:
            reason = "ambiguous"
        elif link is LinkKind.BYTES:
            reason = "port-not-configured"
        elif any(answer.reason == "name-differs" for answer in answers) or (
            SHARED_SERVICES.intersection(peer.services)
        ):
            reason = "name-needed"
        return Choice(driver=None, reason=reason, detail=", ".join(takers))

    def quirks(
        self, driver: str, *, name: str, identified: Identified | None
    ) -> Mapping[str, object]:
        """The quirks of a model by advertised name and what it says it is."""
        return self._models.quirks(driver, name=name, identified=identified)

    def explain(self, peer: Peer, *, link: LinkKind) -> list[Explanation]:
        """What every driver says to a peer."""
        return [_explain(spec, peer, link) for spec in self.specs]

    def _configured(self, peer: Peer, link: LinkKind, name: str) -> Choice:
        driver = self._drivers.get(name)
        if driver is None:
            return Choice(driver=None, reason="driver-unknown", detail=name)
        if driver.spec.link is not link:
            return Choice(driver=None, reason="wrong-link", detail=name)
        return self._chosen(driver, peer, "configured")

    def _chosen(
        self,
        driver: GattDriver | ByteDriver,
        peer: Peer,
        reason: str,
        model: str = "",
    ) -> Choice:
        name = driver.spec.name
        return Choice(
            driver=driver,
            reason=reason,
            model=model,
            quirks=self.quirks(name, name=peer.name, identified=None),
        )


def _check(spec: DriverSpec) -> None:
    for match in spec.matches:
        if match.service is None and match.name is None and match.usb is None:
            raise ConfigurationError(f"driver {spec.name}: a match without a field.")
        if match.service in SHARED_SERVICES and match.name is None:
            raise ConfigurationError(
                f"driver {spec.name}: a match on a shared service needs a name."
            )


def _explain(spec: DriverSpec, peer: Peer, link: LinkKind) -> Explanation:
    if spec.link is not link:
        reason = "wrong-link"
    elif not spec.matches:
        reason = "port-not-configured"
    else:
        reasons = [_fits(match, peer) for match in spec.matches]
        # The nearest miss tells most: a fitting service with another name.
        order = ("match", "name-differs", "usb-differs", "service-differs")
        reason = min(reasons, key=order.index)
    return Explanation(driver=spec.name, takes=reason == "match", reason=reason)


def _fits(match: Match, peer: Peer) -> str:
    if match.service is not None and match.service not in peer.services:
        return "service-differs"
    if match.usb is not None and match.usb != peer.usb:
        return "usb-differs"
    if match.name is not None and not re.match(match.name, peer.name):
        # A name alone that differs says nothing: every other device has one.
        return "name-differs" if match.service is not None else "service-differs"
    return "match"
