"""A roster file: residents, teams, contracts, stations, devices and accounts.

TOML or JSON, the same entries as the API takes. Loading it again changes nothing;
what it does not name stays. An error names the entry and the field, never its value.
"""

import base64
import binascii
import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from gateway.errors import ConfigurationError
from gateway.model.observation import Setting
from gateway.model.people import Role, TeamRole
from gateway.wire.seal import KEY_BYTES

# A district's roster of 200 000 residents is some 60 MB; more comes in slices.
MAX_ROSTER_BYTES: Final = 128 * 1024 * 1024

# As in gateway.wire.topics.IDENTIFIER: station and team ids are topic levels.
Identifier = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$")
]
# Account and resident ids are never topic levels; a dot is common in account names.
PersonId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)
]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=63)]


class Entry(BaseModel):
    """An entry of a roster; a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ResidentEntry(Entry):
    """A person under contract. ``id`` is a pseudonym, ``cards`` salted hashes."""

    id: PersonId
    name: Name
    name_latin: Text = ""
    birth_date: date | None = None
    sex: Annotated[str, StringConstraints(pattern="^(female|male|other|)$")] = ""
    diagnoses: tuple[ShortText, ...] = Field(default=(), max_length=50)
    spo2_scale: int = Field(default=1, ge=1, le=2)
    cards: tuple[Text, ...] = Field(default=(), max_length=10)


class MemberEntry(Entry):
    """An account's part in a team."""

    account: PersonId
    role: TeamRole


class TeamEntry(Entry):
    """A care team; ``ladder`` names organisations from the community centre upwards."""

    id: Identifier
    name: Name
    members: tuple[MemberEntry, ...] = Field(default=(), max_length=100)
    ladder: tuple[Name, ...] = Field(default=(), max_length=10)


class ContractEntry(Entry):
    """A resident's contract with a team; the last day is included."""

    id: PersonId
    resident: PersonId
    team: Identifier
    package: ShortText
    starts: date
    ends: date | None = None

    @model_validator(mode="after")
    def _period(self) -> Self:
        if self.ends is not None and self.ends < self.starts:
            raise ValueError("ends: lies before starts")
        return self


class StationEntry(Entry):
    """A station; ``public_key`` is its Ed25519 key in base64, empty until enrolled."""

    id: Identifier
    site: Identifier
    name: Text = ""
    setting: Setting = Setting.KIOSK
    public_key: str = ""

    @field_validator("public_key")
    @classmethod
    def _key(cls, value: str) -> str:
        if value:
            try:
                raw = base64.b64decode(value, validate=True)
            except binascii.Error as error:
                raise ValueError("is not base64") from error
            if len(raw) != KEY_BYTES:
                raise ValueError(f"must hold {KEY_BYTES} bytes")
        return value


class SlotEntry(Entry):
    """A device's user number, or none for the whole device, and its person."""

    slot: int | None = Field(default=None, ge=0, le=255)
    resident: PersonId


class DeviceEntry(Entry):
    """A device by its stable id."""

    id: PersonId
    model: Text = ""
    serial: Text = ""
    driver: ShortText = ""
    station: str = Field(default="", max_length=63)
    slots: tuple[SlotEntry, ...] = Field(default=(), max_length=32)

    @model_validator(mode="after")
    def _one_person_per_slot(self) -> Self:
        if len({slot.slot for slot in self.slots}) != len(self.slots):
            raise ValueError("slots: a slot is given twice")
        return self


class AccountEntry(Entry):
    """Somebody who can sign in; without ``password`` an existing one is kept."""

    id: PersonId
    name: Name
    name_latin: Text = ""
    roles: tuple[Role, ...] = Field(min_length=1, max_length=len(Role))
    resident: PersonId | None = None
    stations: tuple[Identifier, ...] = Field(default=(), max_length=200)
    password: str | None = Field(default=None, min_length=1, max_length=256, repr=False)
    disabled: bool = False

    @model_validator(mode="after")
    def _resident_account(self) -> Self:
        if (self.resident is not None) != (Role.RESIDENT in self.roles):
            raise ValueError("resident: goes with the role resident, and only with it")
        if Role.AUDITOR in self.roles and len(self.roles) > 1:
            raise ValueError("roles: an auditor holds no other role")
        return self


class Roster(Entry):
    """A whole file."""

    residents: tuple[ResidentEntry, ...] = ()
    teams: tuple[TeamEntry, ...] = ()
    contracts: tuple[ContractEntry, ...] = ()
    stations: tuple[StationEntry, ...] = ()
    devices: tuple[DeviceEntry, ...] = ()
    accounts: tuple[AccountEntry, ...] = ()


def parse_roster(document: dict[str, Any], *, source: str = "roster") -> Roster:
    """Check a document.

    Raises:
        ConfigurationError: names the first faulty entry and field.
    """
    try:
        # The strictness of JSON: a TOML date is a date already, texts are not guessed.
        return Roster.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = _place(first["loc"])
        more = error.error_count() - 1
        others = f" (and {more} more)" if more else ""
        raise ConfigurationError(
            f"{source}: {place}: {first['msg']}{others}.",
            remedy="Correct the entry and load the roster again.",
        ) from None


def load_roster(path: Path) -> Roster:
    """Read a roster file; its name ends in ``.toml`` or ``.json``.

    Raises:
        ConfigurationError: unreadable, too large, not TOML or JSON, or see
            ``parse_roster``.
    """
    try:
        size = path.stat().st_size
        if size > MAX_ROSTER_BYTES:
            raise ConfigurationError(
                f"{path}: {size} bytes are more than a roster may have.",
                remedy="Load it in slices.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror})."
        ) from error
    try:
        text = data.decode()
        document = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{path}: not JSON at line {error.lineno}, column {error.colno}."
        ) from None
    except tomllib.TOMLDecodeError as error:
        # Its text names the position and the token, not the entry's value.
        raise ConfigurationError(f"{path}: not TOML: {error}.") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 at byte {error.start}.") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: must be a table of lists.")
    return parse_roster(document, source=str(path))


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        else:
            place += f".{part}" if place else part
    return place or "document"
