"""Passwords, log-ins and tokens in the database."""

import asyncio
import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.database.tables import account, bearer, login
from gateway.errors import RateLimitedError, RequestError, SignInError
from gateway.records.accounts import (
    HASHES_AT_ONCE,
    MAX_TOKENS_PER_ACCOUNT,
    Accounts,
    Passwords,
)
from gateway.records.tries import (
    MAX_COUNTERS,
    MAX_PER_ACCOUNT_AND_SOURCE,
    MAX_PER_SOURCE,
    WINDOW_S,
    FailedTries,
)
from tests.api.world import FAST, PASSWORD, World


async def test_only_digests_are_stored(world: World) -> None:
    accounts = world.services.accounts
    signed = await accounts.sign_in("dr.east", PASSWORD, "here")
    token = await accounts.issue_token(
        signed.account, label="x", lifetime=timedelta(days=1)
    )
    logins = await world.database.read(lambda c: c.execute(select(login)).all())
    tokens = await world.database.read(lambda c: c.execute(select(bearer)).all())
    assert [r.digest for r in logins] == [
        hashlib.sha256(signed.secret.encode()).digest()
    ]
    assert token.secret not in str(tokens)
    hashes = await world.database.read(
        lambda c: c.execute(select(account.c.password)).scalars().all()
    )
    assert all(h.startswith("$argon2id$") for h in hashes)
    assert len(set(hashes)) == len(hashes)  # salted: all have the same password


async def test_a_login_is_no_token_and_a_token_no_login(world: World) -> None:
    accounts = world.services.accounts
    signed = await accounts.sign_in("dr.east", PASSWORD, "here")
    assert await accounts.by_bearer(signed.secret) is None
    assert await accounts.by_login("") is None
    proven = await accounts.by_login(signed.secret)
    assert proven is not None
    assert proven.account.id == "dr.east"


async def test_log_ins_survive_a_restart(world: World) -> None:
    signed = await world.services.accounts.sign_in("dr.east", PASSWORD, "here")
    again = Accounts(world.database, world.clock, passwords=Passwords(FAST))
    assert await again.by_login(signed.secret) is not None


async def test_tokens_of_an_account_are_bounded(world: World) -> None:
    accounts = world.services.accounts
    person = await accounts.find("dr.east")
    assert person is not None
    for n in range(MAX_TOKENS_PER_ACCOUNT):
        await accounts.issue_token(person, label=str(n), lifetime=timedelta(days=1))
    with pytest.raises(RequestError, match="tokens"):
        await accounts.issue_token(person, label="x", lifetime=timedelta(days=1))
    world.clock.advance(86_401)
    await accounts.issue_token(person, label="x", lifetime=timedelta(days=1))


@pytest.mark.parametrize("days", [0, -1, 367])
async def test_lifetimes_are_bounded(world: World, days: int) -> None:
    person = await world.services.accounts.find("dr.east")
    assert person is not None
    with pytest.raises(RequestError, match="days"):
        await world.services.accounts.issue_token(
            person, label="x", lifetime=timedelta(days=days)
        )


async def test_tries_sent_at_once_are_counted_too(world: World) -> None:
    results = await asyncio.gather(
        *(
            world.services.accounts.check_password("dr.east", "guess", "here")
            for _ in range(20)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(r, SignInError) for r in results) == 5
    assert sum(isinstance(r, RateLimitedError) for r in results) == 15
    assert world.services.accounts.failures == 5


async def test_an_account_without_a_password_cannot_sign_in(world: World) -> None:
    await world.database.write(
        lambda c: c.execute(
            account.update().where(account.c.id == "dr.east").values(password="")
        )
    )
    for guess in ("", "x"):
        with pytest.raises(SignInError):
            await world.services.accounts.check_password("dr.east", guess, "here")


async def test_hashing_runs_a_few_at_once() -> None:
    running = peak = 0

    class Slow:
        def hash(self, password: str) -> str:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            result = FAST.hash(password)
            running -= 1
            return result

    passwords = Passwords(Slow())  # type: ignore[arg-type]  # what hash() needs of it
    await asyncio.gather(*(passwords.hash("x") for _ in range(20)))
    assert 1 <= peak <= HASHES_AT_ONCE


def test_failed_tries_within_bounds() -> None:
    tries = FailedTries()
    for n in range(MAX_COUNTERS + 500):
        tries.failed(f"a-{n}", f"s-{n}", float(n) / 1e6)
    assert len(tries) <= MAX_COUNTERS


def test_failed_tries_window() -> None:
    tries = FailedTries()
    for _ in range(MAX_PER_ACCOUNT_AND_SOURCE):
        assert tries.blocked_for("a", "s", 0.0) == 0
        tries.failed("a", "s", 0.0)
    assert tries.blocked_for("a", "s", 0.0) > 0
    assert tries.blocked_for("a", "elsewhere", 0.0) == 0  # the doctor's own desk
    assert tries.blocked_for("b", "s", 0.0) == 0
    assert tries.blocked_for("a", "s", WINDOW_S) == 0
    for n in range(MAX_PER_SOURCE):
        tries.failed(f"x-{n}", "s", 1.0)
    assert tries.blocked_for("b", "s", 1.0) > 0


def test_success_gives_the_try_back() -> None:
    tries = FailedTries()
    for _ in range(10 * MAX_PER_SOURCE):
        tries.failed("a", "s", 0.0)
        tries.succeeded("a", "s")
    assert tries.blocked_for("a", "s", 0.0) == 0
