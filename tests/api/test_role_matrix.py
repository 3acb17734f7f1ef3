"""Every route against every role: what is not granted is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from api.auth import Requires
from api.console import pages
from tests.api.world import BY_ROLE, World

# Routes that anybody may call: signing in, and the machine's own questions.
OPEN = {
    ("POST", "/api/v1/login"),
    ("POST", "/api/v1/tokens"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
}

EVERYBODY = frozenset(BY_ROLE)
CLINICAL = frozenset({"resident", "operator", "manager", "doctor", "specialist"})
STAFF = frozenset({"operator", "manager"})
WATCHERS = frozenset({"operator", "manager", "doctor", "specialist", "administrator"})
ACTORS = WATCHERS - {"administrator"}
ADMINISTRATOR = frozenset({"administrator"})
AUDITOR = frozenset({"auditor"})

# Written by hand from docs/threat-model.md, not derived from the code.
MATRIX: dict[tuple[str, str], frozenset[str]] = {
    ("POST", "/api/v1/logout"): EVERYBODY,
    ("GET", "/api/v1/me"): EVERYBODY,
    ("GET", "/api/v1/tokens"): EVERYBODY,
    ("DELETE", "/api/v1/tokens/{token_id}"): EVERYBODY,
    ("GET", "/api/v1/residents"): CLINICAL | ADMINISTRATOR,
    ("GET", "/api/v1/residents/{resident}"): CLINICAL,
    ("GET", "/api/v1/residents/{resident}/latest"): CLINICAL,
    ("GET", "/api/v1/residents/{resident}/recent"): CLINICAL,
    ("GET", "/api/v1/residents/{resident}/readings"): CLINICAL,
    ("GET", "/api/v1/residents/{resident}/windows"): CLINICAL,
    ("GET", "/api/v1/residents/{resident}/waveforms"): CLINICAL,
    ("GET", "/api/v1/waveforms/{stream}"): CLINICAL,
    ("POST", "/api/v1/waveforms/{stream}/claim"): STAFF,
    ("GET", "/api/v1/readings/{reading}"): CLINICAL,
    ("POST", "/api/v1/readings/{reading}/claim"): STAFF,
    ("POST", "/api/v1/readings/{reading}/reassign"): STAFF | {"doctor"},
    ("GET", "/api/v1/alerts"): WATCHERS,
    ("GET", "/api/v1/alerts/{alert}"): WATCHERS,
    ("POST", "/api/v1/alerts/{alert}/accept"): ACTORS,
    ("POST", "/api/v1/alerts/{alert}/close"): ACTORS,
    ("GET", "/api/v1/stations"): STAFF | ADMINISTRATOR,
    ("PUT", "/api/v1/stations/{station}"): ADMINISTRATOR,
    ("GET", "/api/v1/stations/{station}"): STAFF | ADMINISTRATOR,
    ("GET", "/api/v1/stations/{station}/unclaimed"): STAFF,
    ("GET", "/api/v1/stations/{station}/session"): STAFF,
    ("POST", "/api/v1/stations/{station}/session"): STAFF,
    ("DELETE", "/api/v1/stations/{station}/session"): STAFF,
    ("POST", "/api/v1/stations/{station}/devices/{device}/commands"): frozenset(
        {"operator"}
    ),
    ("POST", "/api/v1/roster"): ADMINISTRATOR,
    ("PUT", "/api/v1/residents/{id_}"): ADMINISTRATOR,
    ("PUT", "/api/v1/teams/{id_}"): ADMINISTRATOR,
    ("PUT", "/api/v1/contracts/{id_}"): ADMINISTRATOR,
    ("PUT", "/api/v1/devices/{id_}"): ADMINISTRATOR,
    ("PUT", "/api/v1/accounts/{id_}"): ADMINISTRATOR,
    ("GET", "/api/v1/dead-letters"): ADMINISTRATOR,
    ("POST", "/api/v1/dead-letters/{letter}/replay"): ADMINISTRATOR,
    ("GET", "/api/v1/audit"): AUDITOR,
    ("GET", "/api/v1/audit/verify"): AUDITOR,
    ("GET", "/api/v1/stream"): WATCHERS,
}

CLAIM = {"resident": "r-1", "reason": "test"}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/waveforms/{stream}/claim"): CLAIM,
    ("POST", "/api/v1/readings/{reading}/claim"): CLAIM,
    ("POST", "/api/v1/readings/{reading}/reassign"): {
        **CLAIM,
        "approver": {"account": "nobody", "password": "x"},
    },
    ("POST", "/api/v1/alerts/{alert}/accept"): {"version": 1},
    ("POST", "/api/v1/alerts/{alert}/close"): {"version": 1, "outcome": "phoned"},
    ("PUT", "/api/v1/stations/{station}"): {"id": "x", "site": "site-a"},
    ("POST", "/api/v1/stations/{station}/session"): {"resident": "r-1"},
    ("POST", "/api/v1/stations/{station}/devices/{device}/commands"): {"name": "x"},
    ("POST", "/api/v1/roster"): {},
    ("PUT", "/api/v1/residents/{id_}"): {"id": "other", "name": "x"},
    ("PUT", "/api/v1/teams/{id_}"): {"id": "other", "name": "x"},
    ("PUT", "/api/v1/contracts/{id_}"): {
        "id": "other",
        "resident": "r-1",
        "team": "east",
        "package": "x",
        "starts": "2026-01-01",
    },
    ("PUT", "/api/v1/devices/{id_}"): {"id": "other"},
    ("PUT", "/api/v1/accounts/{id_}"): {
        "id": "other",
        "name": "x",
        "roles": ["doctor"],
    },
}


PAGES = {route.path for route in pages.router.routes if isinstance(route, APIRoute)}


def routes_of(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        # Pages are left out of the API's document; tests/api/test_console.py has them.
        if isinstance(route, APIRoute) and (context.path or "") not in PAGES:
            for method in sorted(route.methods or ()):
                yield method, context.path or "", route


def requirement(dependant: Dependant) -> Requires | None:
    for inner in dependant.dependencies:
        if isinstance(inner.call, Requires):
            return inner.call
        found = requirement(inner)
        if found is not None:
            return found
    return None


async def test_every_route_declares_who_may_call_it(world: World) -> None:
    found = {(m, p): requirement(r.dependant) for m, p, r in routes_of(world.app)}
    assert {key for key, needed in found.items() if needed is None} == OPEN
    declared = {
        key: frozenset(role.value for role in needed.roles)
        for key, needed in found.items()
        if needed is not None
    }
    assert declared == MATRIX


async def test_every_answer_is_described(world: World) -> None:
    untyped = [
        (method, path)
        for method, path, route in routes_of(world.app)
        if route.response_model is None
        and route.status_code != 204
        and not route.responses.get(200, {}).get("content")
        and path != "/metrics"
    ]
    assert untyped == []


def concrete(path: str) -> str:
    nothing = "00000000-0000-0000-0000-000000000000"
    for name, value in {
        "reading": nothing,
        "alert": nothing,
        "resident": "nobody",
        "station": "nowhere",
        "stream": "none",
        "device": "none",
        "letter": "999",
        "token_id": "00",
        "id_": "x",
    }.items():
        path = path.replace("{" + name + "}", value)
    query = {
        "/readings": "metric=systolic",
        "/windows": "metric=systolic",
        "/waveforms/none": "kind=ecg_lead_i",
    }
    for end, text in query.items():
        if path.endswith(end):
            return f"{path}?{text}"
    return path


@pytest.mark.parametrize("role", sorted(BY_ROLE))
async def test_matrix(world: World, role: str) -> None:
    async with await world.sign_in(BY_ROLE[role]) as client:
        for (method, path), allowed in MATRIX.items():
            if path in ("/api/v1/stream", "/api/v1/logout"):
                continue  # endless, and the end: they have tests of their own
            answer = await client.request(
                method, concrete(path), json=BODIES.get((method, path))
            )
            refused = answer.status_code == 403
            assert refused == (role not in allowed), (method, path, answer.text)
            assert answer.status_code < 500, (method, path, answer.text)


async def test_nobody_without_a_log_in(world: World) -> None:
    async with world.client() as client:
        for method, path in MATRIX:
            answer = await client.request(
                method, concrete(path), json=BODIES.get((method, path))
            )
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("role", sorted(set(BY_ROLE) - WATCHERS))
async def test_stream_is_refused(world: World, role: str) -> None:
    async with await world.sign_in(BY_ROLE[role]) as client:
        assert (await client.get("/api/v1/stream")).status_code == 403
