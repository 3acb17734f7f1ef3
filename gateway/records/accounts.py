"""Accounts, passwords, console log-ins and API tokens.

Passwords are argon2id, hashed in a worker thread. Log-ins and tokens are 256 random
bits of which only the SHA-256 is stored: a stolen database opens nothing.
"""

import asyncio
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from gateway.database.engine import Database
from gateway.database.tables import account, bearer, login
from gateway.database.tables.base import from_us, to_us
from gateway.errors import (
    NotFoundError,
    RateLimitedError,
    RequestError,
    SignInError,
)
from gateway.model.people import Account, Role
from gateway.ports.clock import Clock
from gateway.records.rows import put_row
from gateway.records.tries import FailedTries

# A working day; a doctor signs in once a shift.
LOGIN_LIFETIME: Final = timedelta(hours=12)
# Tokens are for programs; whoever runs one renews it at least yearly.
MAX_TOKEN_LIFETIME: Final = timedelta(days=366)
# A person has a few programs; without a bound one loop fills the table.
MAX_TOKENS_PER_ACCOUNT: Final = 20
# Longer ones would only make argon2 work; nobody types them.
MAX_PASSWORD_CHARACTERS: Final = 256
# Each verification takes 64 MiB and a core for some 50 ms.
HASHES_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A proven log-in or token. ``digest`` names it without revealing it."""

    account: Account
    digest: bytes
    expires_at: datetime
    kind: str  # "login" | "bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new secret, shown once."""

    secret: str
    account: Account
    digest: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """A token as its owner sees it afterwards; ``id`` is its digest in hex."""

    id: str
    label: str
    created_at: datetime
    expires_at: datetime


class Passwords:
    """argon2id in worker threads, a few at once."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(HASHES_AT_ONCE)
        # Checked when there is no account, so that timing does not tell.
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The text to store.

        Raises:
            RequestError: the password is empty or too long.
        """
        if not 0 < len(password) <= MAX_PASSWORD_CHARACTERS:
            raise RequestError(
                f"password: must have 1 to {MAX_PASSWORD_CHARACTERS} characters."
            )
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored: str, password: str) -> bool:
        """Whether ``password`` is the one; takes as long when there is none."""
        if len(password) > MAX_PASSWORD_CHARACTERS:
            return False
        if self._nobody is None:
            self._nobody = await self.hash(secrets.token_hex(16))
        async with self._slots:
            matches = await asyncio.to_thread(
                self._matches, stored or self._nobody, password
            )
        return matches and bool(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


class Accounts:
    """Who can sign in, and what proves it."""

    def __init__(
        self, database: Database, clock: Clock, *, passwords: Passwords | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self.passwords = passwords or Passwords()
        self._tries = FailedTries()
        self.failures = 0

    async def check_password(self, name: str, password: str, source: str) -> Account:
        """The account whose password this is.

        ``source`` is the caller's network address, for counting failures only.

        Raises:
            SignInError: no such account, disabled, or not its password.
            RateLimitedError: too many failures; the password was not looked at.
        """
        now = self._clock.monotonic()
        wait = self._tries.blocked_for(name, source, now)
        if wait:
            raise RateLimitedError(
                "sign-in: too many failed tries.",
                retry_after_s=wait,
                remedy="Wait, or ask an administrator to set a new password.",
            )
        # Counted before the slow check: tries sent at once are counted as well.
        self._tries.failed(name, source, now)
        row = await self._database.read(
            lambda c: c.execute(select(account).where(account.c.id == name)).first()
        )
        stored = "" if row is None else row.password
        matches = await self.passwords.verify(stored, password)
        if row is None or not matches or row.disabled_us is not None:
            self.failures += 1
            raise SignInError("sign-in: account or password is wrong.")
        self._tries.succeeded(name, source)
        return _account(row)

    async def sign_in(self, name: str, password: str, source: str) -> Issued:
        """Open a console log-in.

        Raises:
            SignInError: see ``check_password``.
            RateLimitedError: see ``check_password``.
        """
        person = await self.check_password(name, password, source)
        issued = self._issue(person, LOGIN_LIFETIME)
        now = to_us(self._clock.now())

        def put(connection: Connection) -> None:
            connection.execute(delete(login).where(login.c.expires_us <= now))
            connection.execute(
                insert(login).values(
                    digest=issued.digest,
                    account=person.id,
                    created_us=now,
                    expires_us=to_us(issued.expires_at),
                )
            )

        await self._database.write(put)
        return issued

    async def sign_out(self, credential: Credential) -> None:
        """End a log-in; one that is already over stays so."""
        digest = credential.digest
        await self._database.write(
            lambda c: c.execute(delete(login).where(login.c.digest == digest))
        )

    async def issue_token(
        self, person: Account, *, label: str, lifetime: timedelta
    ) -> Issued:
        """Make an API token for a person whose password was checked.

        Raises:
            RequestError: the lifetime is not positive or too long, or the account
                already holds ``MAX_TOKENS_PER_ACCOUNT``.
        """
        if not timedelta(0) < lifetime <= MAX_TOKEN_LIFETIME:
            raise RequestError("days: must be between 1 and 366.")
        issued = self._issue(person, lifetime)
        now = to_us(self._clock.now())

        def put(connection: Connection) -> None:
            connection.execute(delete(bearer).where(bearer.c.expires_us <= now))
            held = connection.execute(
                select(func.count())
                .select_from(bearer)
                .where(bearer.c.account == person.id, bearer.c.revoked_us.is_(None))
            ).scalar_one()
            if held >= MAX_TOKENS_PER_ACCOUNT:
                raise RequestError(
                    "tokens: this account holds as many as it may.",
                    remedy="Revoke one that is no longer used.",
                )
            connection.execute(
                insert(bearer).values(
                    digest=issued.digest,
                    account=person.id,
                    label=label,
                    created_us=now,
                    expires_us=to_us(issued.expires_at),
                )
            )

        await self._database.write(put)
        return issued

    async def tokens(self, person: str) -> list[TokenRecord]:
        """The account's tokens in force, oldest first."""
        now = to_us(self._clock.now())
        query = (
            select(bearer)
            .where(
                bearer.c.account == person,
                bearer.c.revoked_us.is_(None),
                bearer.c.expires_us > now,
            )
            .order_by(bearer.c.created_us)
            .limit(MAX_TOKENS_PER_ACCOUNT)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [
            TokenRecord(
                id=row.digest.hex(),
                label=row.label,
                created_at=from_us(row.created_us),
                expires_at=from_us(row.expires_us),
            )
            for row in rows
        ]

    async def revoke_token(self, person: str, id_: str) -> None:
        """Revoke one of the account's own tokens.

        Raises:
            NotFoundError: the account has no such token in force.
        """
        try:
            digest = bytes.fromhex(id_)
        except ValueError as error:
            raise NotFoundError("token: no such token.") from error
        now = to_us(self._clock.now())
        change = (
            update(bearer)
            .where(
                bearer.c.digest == digest,
                bearer.c.account == person,
                bearer.c.revoked_us.is_(None),
            )
            .values(revoked_us=now)
        )
        changed = await self._database.write(lambda c: c.execute(change).rowcount)
        if not changed:
            raise NotFoundError("token: no such token.")

    async def by_login(self, secret: str) -> Credential | None:
        """What a console cookie proves, or None."""
        return await self._prove(login, secret)

    async def by_bearer(self, secret: str) -> Credential | None:
        """What a bearer token proves, or None."""
        return await self._prove(bearer, secret)

    async def find(self, name: str) -> Account | None:
        """One account, or None."""
        row = await self._database.read(
            lambda c: c.execute(select(account).where(account.c.id == name)).first()
        )
        return None if row is None else _account(row)

    async def _prove(self, table: Table, secret: str) -> Credential | None:
        digest = _digest(secret)
        query = (
            select(account, table.c.expires_us)
            .join(table, table.c.account == account.c.id)
            .where(
                table.c.digest == digest,
                table.c.expires_us > to_us(self._clock.now()),
                account.c.disabled_us.is_(None),
            )
        )
        if table is bearer:
            query = query.where(bearer.c.revoked_us.is_(None))
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None:
            return None
        return Credential(
            account=_account(row),
            digest=digest,
            expires_at=from_us(row.expires_us),
            kind=table.name,
        )

    def _issue(self, person: Account, lifetime: timedelta) -> Issued:
        secret = secrets.token_urlsafe(32)
        return Issued(
            secret=secret,
            account=person,
            digest=_digest(secret),
            expires_at=self._clock.now() + lifetime,
        )


def put_account(connection: Connection, person: Account, password: str | None) -> bool:
    """Store an account; ``password`` is the argon2id text, None keeps what is there.

    Disabling an account, or giving it a new password, ends its log-ins and tokens.
    """
    values: dict[str, Any] = {
        "name": person.name,
        "name_latin": person.name_latin,
        "roles": json.dumps(sorted(role.value for role in person.roles)),
        "resident": person.resident,
        "stations": json.dumps(sorted(person.stations)),
        "disabled_us": None
        if person.disabled_at is None
        else to_us(person.disabled_at),
    }
    held = stored_password(connection, person.id)
    renewed = password is not None and held is not None and password != held
    if password is not None or held is None:
        values["password"] = password or ""
    changed = put_row(connection, account, {"id": person.id}, values)
    if person.disabled_at is not None or renewed:
        for table in (login, bearer):
            connection.execute(delete(table).where(table.c.account == person.id))
    return changed


def stored_password(connection: Connection, name: str) -> str | None:
    """The argon2id text of an account; None when there is no such account."""
    found: str | None = connection.execute(
        select(account.c.password).where(account.c.id == name)
    ).scalar_one_or_none()
    return found


def disabled_at(connection: Connection, name: str) -> datetime | None:
    """When the account was disabled; None when it is not, or does not exist."""
    found: int | None = connection.execute(
        select(account.c.disabled_us).where(account.c.id == name)
    ).scalar_one_or_none()
    return None if found is None else from_us(found)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _account(row: Row[Any]) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        roles=tuple(Role(role) for role in json.loads(row.roles)),
        name_latin=row.name_latin,
        resident=row.resident,
        stations=tuple(json.loads(row.stations)),
        disabled_at=None if row.disabled_us is None else from_us(row.disabled_us),
    )
