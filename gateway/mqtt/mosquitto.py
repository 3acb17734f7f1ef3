"""Configuration for Mosquitto as the external broker: accounts, passwords, ACL.

``use_username_as_clientid`` binds the client id to the account, so that no station can
take over another's session. The queue limits are raised: by default Mosquitto drops
what a disconnected client has beyond 1,000 messages.
"""

import base64
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.mqtt.accounts import BrokerAccount, write_private
from gateway.mqtt.nats_config import BrokerTls
from gateway.wire.batch import MAX_PAYLOAD_BYTES

# As ``mosquitto_passwd`` does: $7$ is PBKDF2 with SHA-512 (mosquitto-passwd(5)). Few
# rounds suffice for passwords of 192 random bits.
_ROUNDS: Final = 101
_SALT_BYTES: Final = 12

# Messages and bytes kept for a hub that is away; stations keep everything anyway.
MAX_QUEUED_MESSAGES: Final = 100_000
MAX_QUEUED_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class MosquittoFiles:
    """The written files; start with ``mosquitto -c config``."""

    config: Path
    passwords: Path
    acl: Path


def password_line(account: BrokerAccount, salt: bytes) -> str:
    """One line of the password file."""
    digest = hashlib.pbkdf2_hmac("sha512", account.password.encode(), salt, _ROUNDS)
    encoded = base64.b64encode(salt).decode(), base64.b64encode(digest).decode()
    return f"{account.name}:$7${_ROUNDS}${encoded[0]}${encoded[1]}"


def acl_text(accounts: Iterable[BrokerAccount]) -> str:
    """The ACL file; what it does not name is denied."""
    lines: list[str] = []
    for account in accounts:
        lines.append(f"user {account.name}")
        lines += [f"topic write {topic}" for topic in account.publish]
        lines += [f"topic read {topic}" for topic in account.subscribe]
        lines.append("")
    return "\n".join(lines)


def write_mosquitto_files(
    directory: Path,
    accounts: Iterable[BrokerAccount],
    *,
    host: str,
    port: int,
    user: str = "mosquitto",
    tls: BrokerTls | None = None,
    client_ca: Path | None = None,
) -> MosquittoFiles:
    """Write ``mosquitto.conf``, ``passwd`` and ``acl``.

    Args:
        directory: where they go, and where Mosquitto keeps its state.
        accounts: see ``gateway.mqtt.accounts``.
        host: address to listen on.
        port: port to listen on.
        user: the system user that Mosquitto becomes; the files must be made its own.
        tls: certificate of the listener.
        client_ca: demand client certificates of this authority.
    """
    files = MosquittoFiles(
        config=directory / "mosquitto.conf",
        passwords=directory / "passwd",
        acl=directory / "acl",
    )
    known = list(accounts)
    passwords = [password_line(a, os.urandom(_SALT_BYTES)) for a in known]
    write_private(files.passwords, "\n".join([*passwords, ""]).encode())
    write_private(files.acl, acl_text(known).encode())
    lines = [
        f"user {user}",
        f"listener {port} {host}",
        "allow_anonymous false",
        f"password_file {files.passwords}",
        f"acl_file {files.acl}",
        "use_username_as_clientid true",
        f"message_size_limit {MAX_PAYLOAD_BYTES}",
        "max_inflight_messages 256",
        f"max_queued_messages {MAX_QUEUED_MESSAGES}",
        f"max_queued_bytes {MAX_QUEUED_BYTES}",
        "persistence true",
        f"persistence_location {directory}/",
        "autosave_interval 30",
    ]
    if tls is not None:
        lines += [f"certfile {tls.certificate}", f"keyfile {tls.key}"]
    if client_ca is not None:
        lines += [f"cafile {client_ca}", "require_certificate true"]
    write_private(files.config, "\n".join([*lines, ""]).encode())
    return files
