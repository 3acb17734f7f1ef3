"""How to reach a broker, and as whom."""

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.errors import ConfigurationError

# What every broker takes: NATS refuses dots, wildcards and spaces.
CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

# PINGREQ after this much silence; a dead peer is noticed within one and a half times.
KEEPALIVE_S: Final = 20

# Publications sent and not yet acknowledged by the broker; further callers wait. Above
# this, throughput no longer rises (docs/decisions/mqtt-client.md).
MAX_INFLIGHT: Final = 128

# Incoming messages that wait to be taken. With QoS 1 the broker's own window is the
# tighter limit; beyond these we stop reading from the socket.
MAX_WAITING: Final = 2_048
MAX_WAITING_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """Certificate files; without ``ca`` the system's authorities are trusted.

    ``pinned``: ``ca`` is the broker's own certificate, and its name does not matter.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    pinned: bool = False

    def context(self) -> ssl.SSLContext:
        """A client context that verifies the broker's name.

        Raises:
            ConfigurationError: a file is missing or is not a certificate or key.
        """
        try:
            context = ssl.create_default_context(
                cafile=str(self.ca) if self.ca else None
            )
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"mqtt tls: {type(error).__name__} while loading the certificates.",
                remedy="Check the paths of ca, certificate and key.",
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.pinned and self.ca is not None:
            context.check_hostname = False
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker publishes for us when we vanish."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """A client of one broker or of one cluster.

    Attributes:
        hosts: host and port of each node; the next one is tried when one fails.
        client_id: names the session that the broker keeps while we are away. On a
            broker that does not bind it to the account (NATS), keep it to yourself:
            who signs in with it ends our connection.
        subscriptions: topic filter and QoS.
    """

    hosts: tuple[tuple[str, int], ...]
    client_id: str
    username: str = ""
    password: str = field(default="", repr=False)
    tls: ClientTls | None = None
    will: Will | None = None
    subscriptions: tuple[tuple[str, int], ...] = ()
    keepalive_s: int = KEEPALIVE_S
    max_inflight: int = MAX_INFLIGHT

    def __post_init__(self) -> None:
        """Refuse what can never connect."""
        if not self.hosts:
            raise ConfigurationError("mqtt hosts: empty.", remedy="Name a broker.")
        if not CLIENT_ID.match(self.client_id):
            raise ConfigurationError(
                "mqtt client_id: empty, too long, or with other characters.",
                remedy="Use 1-64 of A-Z, a-z, 0-9, - and _.",
            )
        if self.max_inflight < 1:
            raise ConfigurationError("mqtt max_inflight: less than one.")
