"""Makes and models: which driver takes them, and how each deviates.

``models.toml`` holds one row per model or family of models, each with its evidence.
Quirks are a closed set of names with checked values, so that a misspelt one is an
error at start-up and not a silent no-op.

A row never matches on a service alone when that service is shared by several vendors
(FFF0 belongs to five): it needs a name.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from gateway.errors import ConfigurationError
from gateway.ports.devices import Identified, LinkKind

QUIRK_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "set_clock": frozenset({"after-data", "after-first-data", "on-connect", "never"}),
    "layout": frozenset({"sig", "beurer"}),
    "record_order": frozenset({"ascending", "newest-first"}),
    "ecg_lead": frozenset({"i", "ii"}),
    "parity": frozenset({"N", "E", "O"}),
}
"""Quirks whose value is a word."""

QUIRK_NUMBERS: Final[Mapping[str, tuple[float, float]]] = {
    "clock_tolerance_s": (0, 86_400),
    "subscribe_delay_s": (0, 10),
    "linger_s": (1, 600),
    "cool_down_s": (0, 3_600),
    "session_limit_s": (10, 86_400),
    "quiet_limit_s": (10, 3_600),
    "continuous_interval_s": (1, 300),
    "baudrate": (1_200, 921_600),
    "stopbits": (1, 2),
}
"""Quirks whose value is a number, with what makes sense."""

QUIRK_FLAGS: Final = frozenset({"bond_first"})
"""Quirks that are true or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One row.

    Attributes:
        id: stable token, such as ``and-ua-651ble``.
        make: manufacturer as people know it.
        model: model or range as people know it.
        driver: driver that takes it; empty for a model that none does.
        link: what it speaks over.
        name: regular expression on the advertised name.
        reported_model: regular expression on what the device says it is.
        unsupported: why no driver takes it, for the operator (``en``, ``zh``).
        quirks: deviations from its family.
        evidence: where the row comes from.
    """

    id: str
    make: str
    model: str
    driver: str
    link: LinkKind
    evidence: str
    name: re.Pattern[str] | None = None
    reported_model: re.Pattern[str] | None = None
    unsupported: str = ""
    quirks: Mapping[str, object] = field(default_factory=dict)

    def matches_name(self, name: str) -> bool:
        """Whether a device of that advertised name is of this row."""
        return self.name is not None and bool(name) and bool(self.name.match(name))

    def matches_identity(self, identified: Identified) -> bool:
        """Whether what a device says of itself is of this row."""
        return (
            self.reported_model is not None
            and bool(identified.model)
            and bool(self.reported_model.match(identified.model))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What holds for all models of a driver: titles and default quirks."""

    driver: str
    title: Mapping[str, str]
    quirks: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All rows, in order: the first that matches counts."""

    families: Mapping[str, Family]
    models: tuple[Model, ...]

    def by_name(self, name: str, link: LinkKind) -> Model | None:
        """The first row of an advertised name."""
        return next(
            (m for m in self.models if m.link is link and m.matches_name(name)), None
        )

    def quirks(
        self, driver: str, *, name: str, identified: Identified | None
    ) -> dict[str, object]:
        """The family's quirks, overridden by the model's.

        What the device says it is counts more than the name that it advertises.
        """
        family = self.families.get(driver)
        merged: dict[str, object] = {} if family is None else dict(family.quirks)
        rows = [m for m in self.models if m.driver == driver]
        named = next((m for m in rows if m.matches_name(name)), None)
        said = None
        if identified is not None:
            said = next((m for m in rows if m.matches_identity(identified)), None)
        row = said or named
        if row is not None:
            merged |= row.quirks
        return merged


def parse(text: str) -> Catalogue:
    """A catalogue from TOML.

    Raises:
        ConfigurationError: names the row and the field.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"catalogue: {error}") from error
    families = [_family(row) for row in data.get("family", [])]
    models = [_model(row) for row in data.get("model", [])]
    seen: set[str] = set()
    for model in models:
        if model.id in seen:
            raise _error(model.id, "id", "is used twice")
        seen.add(model.id)
    return Catalogue(
        families={family.driver: family for family in families}, models=tuple(models)
    )


@cache
def catalogue() -> Catalogue:
    """The catalogue that comes with vitalgate.

    Raises:
        ConfigurationError: see ``parse``.
    """
    return parse(files(__package__).joinpath("models.toml").read_text("utf-8"))


def _error(row: str, name: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"catalogue, {row}: {name} {problem}.")


def _text(row: Mapping[str, Any], name: str, where: str, *, needed: bool) -> str:
    value = row.get(name, "")
    if not isinstance(value, str) or (needed and not value):
        raise _error(where, name, "must be a text")
    return value


def _pattern(row: Mapping[str, Any], name: str, where: str) -> re.Pattern[str] | None:
    text = _text(row, name, where, needed=False)
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise _error(where, name, f"is no regular expression ({error})") from error


def _family(row: Mapping[str, Any]) -> Family:
    driver = _text(row, "driver", "a family", needed=True)
    title = {
        language: _text(row, language, driver, needed=True) for language in ("en", "zh")
    }
    return Family(driver=driver, title=title, quirks=_quirks(row, driver))


def _model(row: Mapping[str, Any]) -> Model:
    where = _text(row, "id", "a model", needed=True)
    unknown = set(row) - {
        *("id", "make", "model", "driver", "link", "name", "reported_model"),
        *("unsupported", "quirks", "evidence"),
    }
    if unknown:
        raise _error(where, min(unknown), "is no field")
    unsupported = _text(row, "unsupported", where, needed=False)
    name = _pattern(row, "name", where)
    reported = _pattern(row, "reported_model", where)
    if name is None and reported is None:
        raise _error(where, "name", "or reported_model is needed")
    try:
        link = LinkKind(_text(row, "link", where, needed=True))
    except ValueError as error:
        raise _error(where, "link", "must be gatt or bytes") from error
    driver = _text(row, "driver", where, needed=not unsupported)
    if driver and unsupported:
        raise _error(where, "unsupported", "contradicts driver")
    return Model(
        id=where,
        make=_text(row, "make", where, needed=True),
        model=_text(row, "model", where, needed=True),
        driver=driver,
        link=link,
        name=name,
        reported_model=reported,
        unsupported=unsupported,
        quirks=_quirks(row, where),
        evidence=_text(row, "evidence", where, needed=True),
    )


def _quirks(row: Mapping[str, Any], where: str) -> dict[str, object]:
    quirks = row.get("quirks", {})
    if not isinstance(quirks, dict):
        raise _error(where, "quirks", "must be a table")
    for name, value in quirks.items():
        check_quirk(name, value, where)
    return quirks


def check_quirk(name: str, value: object, where: str) -> None:
    """Check a quirk, of the catalogue or of a configured device.

    Raises:
        ConfigurationError: there is no such quirk, or no such value.
    """
    if name in QUIRK_WORDS:
        if value not in QUIRK_WORDS[name]:
            words = ", ".join(sorted(QUIRK_WORDS[name]))
            raise _error(where, name, f"must be one of {words}")
    elif name in QUIRK_NUMBERS:
        low, high = QUIRK_NUMBERS[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _error(where, name, "must be a number")
        if not low <= value <= high:
            raise _error(where, name, f"must be from {low} to {high}")
    elif name in QUIRK_FLAGS:
        if not isinstance(value, bool):
            raise _error(where, name, "must be true or false")
    else:
        raise _error(where, name, "is no quirk")
