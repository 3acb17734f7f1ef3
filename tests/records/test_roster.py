"""Roster files: loaded again they change nothing; errors name the place."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.database.tables import account, login, team_member
from gateway.errors import ConfigurationError, RequestError
from gateway.records.enrolment import apply_roster
from gateway.records.people import find_resident, find_team
from gateway.records.places import find_station, list_devices
from gateway.records.roster import load_roster, parse_roster
from tests.api.world import PASSWORD, ROSTER, World

TOML = """
[[residents]]
id = "r-9"
name = "虚构壬"
birth_date = 1948-05-06

[[teams]]
id = "north"
name = "北队"
ladder = ["社区", "区", "市"]
members = [{ account = "dr.east", role = "deputy" }]

[[contracts]]
id = "c-9"
resident = "r-9"
team = "north"
package = "hypertension"
starts = 2026-01-01
"""


async def load(world: World, document: dict[str, Any]) -> tuple[int, int]:
    done = await apply_roster(
        world.database,
        parse_roster(document),
        passwords=world.services.accounts.passwords,
        clock=world.clock,
    )
    return done.entries, done.changed


def with_passwords() -> dict[str, Any]:
    document = copy.deepcopy(ROSTER)
    for entry in document["accounts"]:
        entry["password"] = PASSWORD
    return document


async def test_loading_again_changes_nothing(world: World) -> None:
    before = await world.database.read(
        lambda c: c.execute(select(account).order_by(account.c.id)).all()
    )
    assert await load(world, with_passwords()) == (20, 0)
    after = await world.database.read(
        lambda c: c.execute(select(account).order_by(account.c.id)).all()
    )
    assert before == after


async def test_toml(world: World, tmp_path: Path) -> None:
    path = tmp_path / "roster.toml"
    path.write_text(TOML)
    roster = load_roster(path)
    args = {"passwords": world.services.accounts.passwords, "clock": world.clock}
    done = await apply_roster(world.database, roster, **args)  # type: ignore[arg-type]  # two kinds in one dict
    assert (done.entries, done.changed) == (3, 3)
    person = await world.database.read(lambda c: find_resident(c, "r-9"))
    team = await world.database.read(lambda c: find_team(c, "north"))
    assert person is not None
    assert str(person.birth_date) == "1948-05-06"
    assert team is not None
    assert team.ladder == ("社区", "区", "市")


async def test_members_and_slots_are_exactly_those_given(world: World) -> None:
    team = copy.deepcopy(ROSTER["teams"][0])
    team["members"] = team["members"][:1]
    device = {**ROSTER["devices"][0], "slots": [{"resident": "r-2"}]}
    assert await load(world, {"teams": [team], "devices": [device]}) == (2, 2)
    members = await world.database.read(
        lambda c: (
            c.execute(select(team_member.c.account).where(team_member.c.team == "east"))
            .scalars()
            .all()
        )
    )
    assert list(members) == ["dr.east"]
    devices = await world.database.read(lambda c: list_devices(c, "kiosk-1"))
    assert [(s.slot, s.resident) for s in devices[0].slots] == [(None, "r-2")]


async def test_a_station_keeps_its_key(world: World) -> None:
    key = "A" * 43 + "="
    entry = ROSTER["stations"][0]
    await load(world, {"stations": [{**entry, "public_key": key}]})
    assert await load(world, {"stations": [entry]}) == (1, 0)
    record = await world.database.read(lambda c: find_station(c, "kiosk-1"))
    assert record is not None
    assert record.station.public_key == bytes(32)


async def test_a_new_password_ends_log_ins(world: World) -> None:
    signed = await world.services.accounts.sign_in("dr.east", PASSWORD, "here")
    entry = {**ROSTER["accounts"][0], "password": "another-invented-one"}
    assert await load(world, {"accounts": [entry]}) == (1, 1)
    assert await world.services.accounts.by_login(signed.secret) is None
    rows = await world.database.read(lambda c: c.execute(select(login)).all())
    assert rows == []


async def test_disabling_twice_changes_once(world: World) -> None:
    entry = {**ROSTER["accounts"][0], "disabled": True}
    assert await load(world, {"accounts": [entry]}) == (1, 1)
    world.clock.advance(60)
    assert await load(world, {"accounts": [entry]}) == (1, 0)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"contracts": [{**ROSTER["contracts"][0], "team": "x"}]}, "contracts[0].team"),
        (
            {"contracts": [{**ROSTER["contracts"][0], "resident": "x"}]},
            "contracts[0].resident",
        ),
        (
            {"devices": [{"id": "d", "slots": [{"slot": 1, "resident": "x"}]}]},
            "devices[0].slots[0].resident",
        ),
        ({"devices": [{"id": "d", "station": "x"}]}, "devices[0].station"),
        (
            {"accounts": [{**ROSTER["accounts"][3], "stations": ["kiosk-1", "x"]}]},
            "accounts[0].stations[1]",
        ),
    ],
)
async def test_references_to_nothing(
    world: World, change: dict[str, Any], place: str
) -> None:
    document = {"residents": [{"id": "r-7", "name": "虚构庚"}], **change}
    with pytest.raises(RequestError) as caught:
        await load(world, document)
    assert str(caught.value).startswith(f"{place}: ")
    assert await world.database.read(lambda c: find_resident(c, "r-7")) is None


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"residents": [{"id": "r", "name": ""}]}, "residents[0].name"),
        ({"residents": [{"id": "a b", "name": "x"}]}, "residents[0].id"),
        ({"residents": [{"id": "r", "nmae": "秘密"}]}, "residents[0]"),
        (
            {"residents": [{"id": "r", "name": "秘密", "sex": "秘密"}]},
            "residents[0].sex",
        ),
        ({"patients": []}, "patients"),
        ({"teams": [{"id": "Big Team", "name": "x"}]}, "teams[0].id"),
        (
            {"contracts": [{**ROSTER["contracts"][0], "ends": "2020-01-01"}]},
            "contracts[0]",
        ),
        (
            {"stations": [{"id": "k", "site": "s", "public_key": "秘密"}]},
            "stations[0].public_key",
        ),
        (
            {"accounts": [{"id": "a", "name": "x", "roles": ["auditor", "doctor"]}]},
            "accounts[0]",
        ),
        ({"accounts": [{"id": "a", "name": "x", "roles": []}]}, "accounts[0].roles"),
        (
            {"devices": [{"id": "d", "slots": [{"slot": 1, "resident": "r"}] * 2}]},
            "devices[0]",
        ),
    ],
)
def test_errors_name_entry_and_field(document: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_roster(document, source="people.toml")
    assert str(caught.value).startswith(f"people.toml: {place}")
    assert "秘密" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b"{"),
        ("a.toml", b"x ="),
        ("a.json", b"\xff"),
        ("a.toml", b"\xff"),
        ("a.json", b"[1]"),
        ("missing.json", None),
    ],
)
def test_unreadable_files(tmp_path: Path, name: str, data: bytes | None) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=name):
        load_roster(path)


def test_json_file(tmp_path: Path) -> None:
    path = tmp_path / "roster.json"
    path.write_text(json.dumps(ROSTER))
    assert len(load_roster(path).accounts) == 9
