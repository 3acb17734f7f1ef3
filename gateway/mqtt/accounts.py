"""Who may sign in to the broker and which topics are theirs; deny by default.

One account per station: it publishes only below its own ``up/`` and hears only its own
``down/``. The book of accounts is one JSON file (mode 0600) beside the broker's data.
"""

import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from gateway.errors import ConfigurationError
from gateway.wire.topics import DOWN, IDENTIFIER, PREFIX, UP, StationTopics, alert_topic

# 192 random bits: such a password needs no slow hash, and none of the characters
# means anything in a NATS or Mosquitto configuration file.
PASSWORD_BYTES: Final = 24
PASSWORD: Final = re.compile(r"[A-Za-z0-9_-]{16,128}\Z")

# Account names that no station can have: identifiers cannot begin with a dot.
HUB: Final = ".hub"
PROBE: Final = ".probe"


class BrokerAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A user of the broker and the MQTT topic filters open to it."""

    name: str
    password: str
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the password: a repr ends up in logs."""
        return f"BrokerAccount({self.name!r})"


def new_password() -> str:
    """A random password of 192 bits."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def station_account(site: str, station: str, password: str) -> BrokerAccount:
    """The account of one station.

    Raises:
        WireError: site or station is not an identifier.
    """
    topics = StationTopics(site, station)
    return BrokerAccount(
        name=station,
        password=password,
        publish=tuple(topics.up(name) for name in UP),
        subscribe=(topics.down_filter,),
    )


def hub_account(password: str) -> BrokerAccount:
    """The account of the hub: hears every station, speaks to every station."""
    return BrokerAccount(
        name=HUB,
        password=password,
        publish=(
            *(f"{PREFIX}/+/+/down/{name}" for name in DOWN),
            alert_topic("+", "+"),
        ),
        subscribe=(f"{PREFIX}/+/+/up/+",),
    )


def reader_account(
    name: str, password: str, teams: Iterable[tuple[str, str]]
) -> BrokerAccount:
    """An account that hears the alerts of some ``(site, team)`` and says nothing."""
    return BrokerAccount(
        name=name,
        password=password,
        subscribe=tuple(alert_topic(site, team) for site, team in teams),
    )


class AccountBook:
    """The broker's accounts, in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        """Load the book; an absent one is made with the hub's and the probe's account.

        Raises:
            ConfigurationError: the file is damaged.
        """
        self._path = path
        self._accounts: dict[str, BrokerAccount] = {}
        if path.exists():
            self._load()
        made = [a for a in (HUB, PROBE) if a not in self._accounts]
        for name in made:
            password = new_password()
            self._accounts[name] = (
                hub_account(password)
                if name == HUB
                else BrokerAccount(name=PROBE, password=password)
            )
        if made:
            self._save()

    @property
    def accounts(self) -> tuple[BrokerAccount, ...]:
        """All accounts, by name."""
        return tuple(self._accounts[name] for name in sorted(self._accounts))

    @property
    def hub(self) -> BrokerAccount:
        """The hub's own account."""
        return self._accounts[HUB]

    @property
    def probe(self) -> BrokerAccount:
        """An account without any topic, to ask whether the broker answers."""
        return self._accounts[PROBE]

    def get(self, name: str) -> BrokerAccount | None:
        """The account of that name."""
        return self._accounts.get(name)

    def add_station(
        self, site: str, station: str, password: str | None = None
    ) -> BrokerAccount:
        """The station's account, made or moved to ``site``.

        An existing password is kept unless another one is given.

        Raises:
            WireError: site or station is not an identifier.
            ConfigurationError: the password does not fit ``PASSWORD``.
        """
        old = self._accounts.get(station)
        chosen = password or (old.password if old else new_password())
        return self.put(station_account(site, station, chosen))

    def put(self, account: BrokerAccount) -> BrokerAccount:
        """Add or replace an account.

        Raises:
            ConfigurationError: its name or password does not fit.
        """
        if account.name not in {HUB, PROBE} and not IDENTIFIER.match(account.name):
            raise ConfigurationError(
                "account name: not a valid identifier.",
                remedy="Use 1-63 of a-z, 0-9, - and _.",
            )
        if not PASSWORD.match(account.password):
            raise ConfigurationError(
                "account password: not allowed.",
                remedy="Use 16-128 of A-Z, a-z, 0-9, - and _.",
            )
        if self._accounts.get(account.name) != account:
            self._accounts[account.name] = account
            self._save()
        return account

    def remove(self, name: str) -> bool:
        """Take an account away; False when there was none. The hub's own stays."""
        if name in {HUB, PROBE} or name not in self._accounts:
            return False
        del self._accounts[name]
        self._save()
        return True

    def _load(self) -> None:
        try:
            accounts = msgspec.json.decode(
                self._path.read_bytes(), type=list[BrokerAccount]
            )
        except msgspec.DecodeError as error:
            raise ConfigurationError(
                f"{self._path}: not a book of broker accounts.",
                remedy="Restore it from a backup, or move it away and enrol again.",
            ) from error
        self._accounts = {account.name: account for account in accounts}

    def _save(self) -> None:
        write_private(self._path, msgspec.json.encode(list(self.accounts)))


def write_private(path: Path, data: bytes) -> None:
    """Replace a file at once and for good, readable by its owner only (0600)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(fresh, "xb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
