"""Residents, care teams, contracts, stations, enrolled devices and accounts.

A person's name lives only in these records: never in a topic, a log or an id.
"""

import enum
from datetime import date, datetime

from msgspec import Struct


class Role(enum.StrEnum):
    """What an account may do; deny by default (see ``docs/threat-model.md``)."""

    RESIDENT = "resident"
    OPERATOR = "operator"
    MANAGER = "manager"
    DOCTOR = "doctor"
    SPECIALIST = "specialist"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class TeamRole(enum.StrEnum):
    """A person's part in a care team."""

    FAMILY_DOCTOR = "family-doctor"
    DEPUTY = "deputy"
    HEALTH_MANAGER = "health-manager"
    SPECIALIST = "specialist"


class Resident(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person under contract; ``id`` is a pseudonym."""

    id: str
    name: str
    name_latin: str = ""
    birth_date: date | None = None
    sex: str = ""
    diagnoses: tuple[str, ...] = ()
    spo2_scale: int = 1
    cards: tuple[str, ...] = ()


class TeamMember(Struct, frozen=True, kw_only=True):
    """An account's part in a team."""

    account: str
    role: TeamRole


class CareTeam(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who answers for a contract's residents, and the hospitals behind them.

    ``ladder`` names organisations from the community centre upwards.
    """

    id: str
    name: str
    members: tuple[TeamMember, ...]
    ladder: tuple[str, ...] = ()


class Contract(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A resident's contract with a care team, and its service package."""

    id: str
    resident: str
    team: str
    package: str
    starts: date
    ends: date | None = None


class Station(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A kiosk, home-visit bag or home hub, and the key that signs its messages."""

    id: str
    site: str
    name: str = ""
    public_key: bytes = b""
    setting: str = "kiosk"


class DeviceSlot(Struct, frozen=True, kw_only=True):
    """A device's user number mapped to a person."""

    slot: int | None
    resident: str


class EnrolledDevice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A device known by its stable id, with the persons of its user slots."""

    id: str
    model: str = ""
    serial: str = ""
    driver: str = ""
    station: str = ""
    slots: tuple[DeviceSlot, ...] = ()


class Account(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who can sign in. ``resident`` is set for a resident's own account."""

    id: str
    name: str
    roles: tuple[Role, ...]
    name_latin: str = ""
    resident: str | None = None
    stations: tuple[str, ...] = ()
    disabled_at: datetime | None = None
