"""The demo's records: an invented practice with two doctors and two stations."""

import base64
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from gateway.ports.devices import Identified
from gateway.records.roster import Roster, parse_roster
from gateway.station.supervisor_state import identified_id
from simulators.cast import OTHER_TEAM, RESIDENTS, Person
from simulators.scene import HOME_DEVICES

SITE: Final = "demo"
CLINIC: Final = "clinic-1"
HOME: Final = "home-1"
PASSWORD: Final = "demo"  # noqa: S105 - printed on the screen

_DIAGNOSES: Final = {"heart-failure": "heart_failure"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoLogin:
    """One of the log-ins that the demo prints."""

    user: str
    what: str


LOGINS: Final = (
    DemoLogin(user="doctor", what="family doctor: worklist, residents"),
    DemoLogin(user="operator", what="operator: stations, devices, unclaimed readings"),
    DemoLogin(user="resident", what="resident: own readings"),
    DemoLogin(user="admin", what="administrator: records; no clinical values"),
)


def demo_roster(*, clinic_key: bytes, home_key: bytes) -> Roster:
    """Everything the demo's hub knows at the start."""
    people = (*RESIDENTS, *OTHER_TEAM)
    return parse_roster(
        {
            "residents": [_resident(person) for person in people],
            "teams": [
                {
                    "id": "team-east",
                    "name": "东区家庭医生团队 (East)",
                    "members": [
                        {"account": "doctor", "role": "family-doctor"},
                        {"account": "operator", "role": "health-manager"},
                    ],
                    "ladder": ["示范社区中心", "示范区医院", "示范市医院"],
                },
                {
                    "id": "team-west",
                    "name": "西区家庭医生团队 (West)",
                    "members": [{"account": "doctor-west", "role": "family-doctor"}],
                },
            ],
            "contracts": [_contract(person, "team-east") for person in RESIDENTS]
            + [_contract(person, "team-west") for person in OTHER_TEAM],
            "stations": [
                _station(CLINIC, "示范站 Clinic", "kiosk", clinic_key),
                _station(HOME, "居家 Homes", "home", home_key),
            ],
            "devices": [
                {
                    "id": identified_id(
                        Identified(
                            manufacturer=device.identity.manufacturer,
                            model=device.identity.model,
                            serial=device.identity.serial,
                        ),
                        "",
                    ),
                    "model": device.identity.model,
                    "serial": device.identity.serial,
                    "driver": device.driver,
                    "station": HOME,
                    "slots": [{"resident": device.resident}],
                }
                for device in HOME_DEVICES
            ],
            "accounts": [
                _account("doctor", "林医生", "Dr Lin", ["doctor"]),
                _account("doctor-west", "何医生", "Dr He", ["doctor"]),
                _account(
                    "operator",
                    "站点操作员",
                    "Operator",
                    ["operator"],
                    stations=[CLINIC, HOME],
                ),
                _account("admin", "管理员", "Administrator", ["administrator"]),
                _account(
                    "resident", "李样例", "Li Yangli", ["resident"], resident="r-1002"
                ),
            ],
        },
        source="demo",
    )


def _resident(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "name_latin": person.name_latin,
        "birth_date": person.birth_date,
        "sex": person.sex,
        "diagnoses": [_DIAGNOSES.get(c.value, c.value) for c in person.conditions],
    }


def _contract(person: Person, team: str) -> dict[str, Any]:
    return {
        "id": f"contract-{person.id}",
        "resident": person.id,
        "team": team,
        "package": "basic",
        "starts": date(2026, 1, 1),
    }


def _station(id_: str, name: str, setting: str, key: bytes) -> dict[str, Any]:
    return {
        "id": id_,
        "site": SITE,
        "name": name,
        "setting": setting,
        "public_key": base64.b64encode(key).decode(),
    }


def _account(
    id_: str, name: str, latin: str, roles: list[str], **more: object
) -> dict[str, Any]:
    return {
        "id": id_,
        "name": name,
        "name_latin": latin,
        "roles": roles,
        "password": PASSWORD,
        **more,
    }
