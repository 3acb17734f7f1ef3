"""Errors are problems in two languages, and hold nobody's data."""

import json
import logging
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers

from api.problems import PROBLEMS, language
from api.security import CONTENT_SECURITY_POLICY, is_cross_site
from tests.api.samples import blood_pressure
from tests.api.world import PASSWORD, World

SECRET = "Aspen-very-private"


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,zh", "en"),
        ("fr, zh-Hant", "zh"),
        ("fr", "en"),
        ("*", "en"),
    ],
)
def test_language(accepted: str, expected: str) -> None:
    assert language(accepted) == expected


def test_every_problem_has_both_titles() -> None:
    for status, english, chinese in PROBLEMS.values():
        assert 400 <= status < 600
        assert english.isascii()
        assert not chinese.isascii()


async def test_titles_in_the_callers_language(world: World) -> None:
    async with world.client() as client:
        chinese = await client.get("/api/v1/me", headers={"accept-language": "zh-CN"})
        english = await client.get("/api/v1/me")
    assert chinese.json()["title"] == "请先登录"
    assert chinese.headers["content-language"] == "zh"
    assert english.json()["title"] == "Sign in first"
    assert english.json()["type"] == "urn:vitalgate:problem:sign-in"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("PATCH", "/api/v1/me", 405),
        ("GET", "/nothing", 404),
    ],
)
async def test_what_the_router_refuses_is_a_problem(
    world: World, method: str, path: str, status: int
) -> None:
    async with world.client() as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


BAD: list[tuple[str, str, Any]] = [
    ("POST", "/api/v1/login", {"account": SECRET, "password": SECRET, "x": SECRET}),
    ("POST", "/api/v1/login", {"account": SECRET}),
    ("POST", "/api/v1/login", [SECRET]),
    ("PUT", "/api/v1/residents/r-9", {"id": "r-9", "name": [SECRET]}),
    (
        "PUT",
        "/api/v1/residents/r-9",
        {"id": "r-9", "name": "x", "birth_date": SECRET, "sex": SECRET},
    ),
    ("PUT", "/api/v1/accounts/x", {"id": "x", "name": SECRET, "roles": [SECRET]}),
    (
        "PUT",
        "/api/v1/accounts/x",
        {"id": "x", "name": SECRET, "roles": ["doctor"], "password": SECRET * 50},
    ),
    ("PUT", "/api/v1/accounts/x", {"id": "x", "name": SECRET, "roles": ["resident"]}),
    ("GET", f"/api/v1/audit?cursor={SECRET}", None),
    ("GET", f"/api/v1/residents?cursor={SECRET}", None),
    ("GET", f"/api/v1/residents/{SECRET}", None),
    ("GET", f"/api/v1/residents/r-1/readings?metric={SECRET}", None),
    ("GET", f"/api/v1/alerts/{SECRET}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), BAD)
@pytest.mark.parametrize("account", ["admin", "dr.east"])
async def test_errors_do_not_repeat_what_was_sent(
    world: World,
    method: str,
    path: str,
    body: Any,
    account: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with await world.sign_in(account) as client:
        caplog.clear()
        answer = await client.request(method, path, json=body)
    assert 400 <= answer.status_code < 500
    assert SECRET not in answer.text
    ours = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    assert SECRET not in "".join(r.getMessage() for r in ours)


async def test_malformed_json(world: World) -> None:
    async with world.client() as client:
        answer = await client.post(
            "/api/v1/login",
            content=b'{"account": "' + SECRET.encode(),
            headers={"content-type": "application/json"},
        )
    assert answer.status_code == 422
    assert SECRET not in answer.text


async def test_an_unforeseen_error_is_counted_and_tells_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> object:
        raise KeyError(SECRET)

    client = await world.sign_in("dr.east")
    monkeypatch.setattr(world.services.residents, "latest", broken)
    async with client:
        answer = await client.get("/api/v1/residents/r-1/latest")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:vitalgate:problem:internal"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert SECRET not in answer.text
    assert "KeyError" in caplog.text
    assert SECRET not in caplog.text
    registry = world.app.state.metrics.registry
    labels = {"error": "KeyError"}
    assert registry.get_sample_value("vitalgate_api_faults_total", labels) == 1


async def test_names_and_values_stay_out_of_logs_and_audit(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await world.add(blood_pressure(67))  # systolic 187
    alert = await world.raise_alert()
    async with await world.sign_in("dr.east") as client:
        await client.get("/api/v1/residents/r-1")
        await client.get("/api/v1/residents/r-1/latest")
        await client.post(
            f"/api/v1/alerts/{alert.id}/close",
            json={"version": 1, "outcome": "phoned", "note": SECRET},
        )
    entries = await world.services.audit.entries(after=0, limit=100)
    trail = json.dumps([str(e.act) for e in entries], ensure_ascii=False)
    for text in (caplog.text, trail):
        for secret in ("虚构", "Aspen", "187", SECRET, PASSWORD, "Doctor East"):
            assert secret not in text


@pytest.mark.parametrize("path", ["/api/v1/me", "/health/live", "/api/v1/nothing"])
async def test_headers_on_every_answer(world: World, path: str) -> None:
    async with world.client() as client:
        answer = await client.get(path)
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; font-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"origin": "http://hub.test"}, False),
        ({"origin": "http://evil.test"}, True),
        ({"origin": "null"}, True),
        ({"origin": "http://evil.test", "sec-fetch-site": "same-origin"}, False),
    ],
)
async def test_cross_site_changes_are_refused(
    world: World, headers: dict[str, str], *, refused: bool
) -> None:
    async with await world.sign_in("dr.east") as client:
        changed = await client.post("/api/v1/logout", headers=headers)
    assert changed.status_code == (403 if refused else 204)
    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    assert is_cross_site(Headers(raw=[*raw, (b"host", b"hub.test")])) is refused


async def test_large_bodies_are_refused(world: World) -> None:
    async def chunks() -> Any:
        for _ in range(300):
            yield b" " * 1024

    async with await world.sign_in("admin") as client:
        declared = await client.post("/api/v1/login", content=b" " * 300_000)
        undeclared = await client.post("/api/v1/login", content=chunks())
        roster = await client.post(
            "/api/v1/roster",
            json={
                "residents": [{"id": f"x-{n}", "name": "y" * 150} for n in range(2000)]
            },
        )
    assert (declared.status_code, undeclared.status_code) == (413, 413)
    assert roster.json() == {"entries": 2000, "changed": 2000}


async def test_a_streamed_body_within_the_limit_is_read(world: World) -> None:
    body = json.dumps({"account": "dr.east", "password": PASSWORD}).encode()

    async def chunks() -> Any:
        for at in range(0, len(body), 10):
            yield body[at : at + 10]

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(world.app), base_url="http://hub.test"
    ) as client:
        answer = await client.post(
            "/api/v1/login",
            content=chunks(),
            headers={"content-type": "application/json"},
        )
    assert answer.status_code == 200


async def test_openapi_is_complete(world: World) -> None:
    async with world.client() as client:
        document = (await client.get("/api/v1/openapi.json")).json()
    schemas = document["components"]["schemas"]
    references = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                references.add(node["$ref"].removeprefix("#/components/schemas/"))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert references <= set(schemas)
    assert {"Problem", "SnapshotFrame", "ChangeFrame", "BeatFrame"} <= set(schemas)
    assert "HTTPValidationError" not in schemas
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (path, method)
            ok = [s for s in operation["responses"] if s.startswith("2")]
            assert ok, (path, method)
            for status in ok:
                content = operation["responses"][status].get("content", {})
                json_schema = content.get("application/json", {}).get("schema")
                assert json_schema != {}, (path, method)
            problem = operation["responses"]["422"]["content"]
            assert "application/problem+json" in problem
