"""Log-ins and tokens over HTTP."""

import pytest
from starlette.requests import Request

from api.app import create_app
from api.auth import COOKIE, source_of
from api.settings import ApiSettings
from tests.api.world import PASSWORD, World

LOGIN = "/api/v1/login"
ME = "/api/v1/me"


async def test_cookie_log_in_and_out(world: World) -> None:
    async with world.client() as client:
        answer = await client.post(
            LOGIN, json={"account": "dr.east", "password": PASSWORD}
        )
        assert answer.status_code == 200
        assert answer.json()["teams"] == ["east"]
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await client.get(ME)).json()["account"] == "dr.east"
        kept = client.cookies[COOKIE]
        assert (await client.post("/api/v1/logout")).status_code == 204
        assert COOKIE not in client.cookies
        client.cookies.set(COOKIE, kept)
        assert (await client.get(ME)).status_code == 401


async def test_cookie_is_host_bound_behind_https(world: World) -> None:
    world.app = create_app(world.services, ApiSettings(secure_cookies=True))
    async with world.client() as client:
        answer = await client.post(
            LOGIN, json={"account": "dr.east", "password": PASSWORD}
        )
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert "strict-transport-security" in answer.headers


async def test_log_in_ends_after_its_lifetime(world: World) -> None:
    async with world.client() as client:
        await client.post(LOGIN, json={"account": "dr.east", "password": PASSWORD})
        world.clock.advance(12 * 3600 - 1)
        assert (await client.get(ME)).status_code == 200
        world.clock.advance(1)
        assert (await client.get(ME)).status_code == 401


async def test_second_log_in_ends_the_first(world: World) -> None:
    async with world.client() as client:
        await client.post(LOGIN, json={"account": "dr.east", "password": PASSWORD})
        first = client.cookies[COOKIE]
        await client.post(LOGIN, json={"account": "op.one", "password": PASSWORD})
        assert (await client.get(ME)).json()["account"] == "op.one"
        client.cookies.clear()
        client.cookies.set(COOKIE, first)
        assert (await client.get(ME)).status_code == 401


async def test_tokens_are_listed_without_secrets_and_revoked(world: World) -> None:
    async with await world.sign_in("dr.east") as client:
        listed = (await client.get("/api/v1/tokens")).json()["items"]
        assert [t["label"] for t in listed] == ["test"]
        assert world.tokens["dr.east"] not in str(listed)
        path = f"/api/v1/tokens/{listed[0]['id']}"
        async with await world.sign_in("dr.west") as other:
            assert (await other.delete(path)).status_code == 404
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(ME)).status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer nonsense", "Basic ZHI6cHc=", "Bearer", "nonsense"]
)
async def test_a_bad_header_is_not_helped_by_a_cookie(
    world: World, header: str
) -> None:
    async with world.client() as client:
        await client.post(LOGIN, json={"account": "dr.east", "password": PASSWORD})
        answer = await client.get(ME, headers={"authorization": header})
    assert answer.status_code == 401


async def test_wrong_password_and_unknown_account_look_the_same(world: World) -> None:
    async with world.client() as client:
        wrong = await client.post(LOGIN, json={"account": "dr.east", "password": "x"})
        nobody = await client.post(LOGIN, json={"account": "nobody", "password": "x"})
    assert wrong.status_code == nobody.status_code == 401
    assert wrong.json() == nobody.json()


async def test_failed_tries_are_limited_and_forgotten(world: World) -> None:
    async with world.client() as client:
        for _ in range(5):
            await client.post(LOGIN, json={"account": "dr.east", "password": "x"})
        blocked = await client.post(
            LOGIN, json={"account": "dr.east", "password": PASSWORD}
        )
        assert blocked.status_code == 429
        assert 0 < int(blocked.headers["retry-after"]) <= 901
        other = await client.post(
            LOGIN, json={"account": "dr.west", "password": PASSWORD}
        )
        assert other.status_code == 200
        world.clock.advance(901)
        again = await client.post(
            LOGIN, json={"account": "dr.east", "password": PASSWORD}
        )
        assert again.status_code == 200


async def test_disabling_an_account_ends_its_log_ins(world: World) -> None:
    doctor = await world.sign_in("dr.west")
    async with await world.sign_in("admin") as admin, doctor:
        done = await admin.put(
            "/api/v1/accounts/dr.west",
            json={
                "id": "dr.west",
                "name": "Doctor West",
                "roles": ["doctor"],
                "disabled": True,
            },
        )
        assert done.json() == {"entries": 1, "changed": 1}
        assert (await doctor.get(ME)).status_code == 401
        again = await doctor.post(
            LOGIN, json={"account": "dr.west", "password": PASSWORD}
        )
        assert again.status_code == 401


async def test_administrator_cannot_lock_themselves_out(world: World) -> None:
    async with await world.sign_in("admin") as admin:
        answer = await admin.put(
            "/api/v1/accounts/admin",
            json={"id": "admin", "name": "x", "roles": ["operator"]},
        )
    assert answer.status_code == 422


async def test_a_guesser_behind_the_proxy_locks_out_only_themselves(
    world: World,
) -> None:
    async with world.client() as client:
        for n in range(60):
            await client.post(
                LOGIN,
                json={"account": f"guess-{n}", "password": "x"},
                headers={"x-forwarded-for": "10.0.0.1, 203.0.113.9"},
            )
        guesser = await client.post(
            LOGIN,
            json={"account": "dr.east", "password": PASSWORD},
            headers={"x-forwarded-for": "203.0.113.9"},
        )
        doctor = await client.post(
            LOGIN,
            json={"account": "dr.east", "password": PASSWORD},
            headers={"x-forwarded-for": "198.51.100.7"},
        )
    assert (guesser.status_code, doctor.status_code) == (429, 200)


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),
        ("", "203.0.113.9", ""),
    ],
)
def test_source(peer: str, forwarded: str, source: str) -> None:
    request = Request(
        {
            "type": "http",
            "client": (peer, 1) if peer else None,
            "headers": [(b"x-forwarded-for", forwarded.encode())],
        }
    )
    assert source_of(request) == source
