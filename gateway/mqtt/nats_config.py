"""The configuration of an embedded ``nats-server``, as JSON (a subset of its syntax).

MQTT topics become subjects: ``/`` is ``.``, ``+`` is ``*``. Every user may connect by
MQTT only and has a list of subjects to publish and to hear; NATS denies the rest. With
2.10 and later nothing more is needed for QoS 1 (tests/mqtt/test_permissions.py). A
publication outside the list gets its PUBACK and goes nowhere: one more reason why only
the hub's own acknowledgement frees a station's journal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.mqtt.accounts import BrokerAccount
from gateway.wire.batch import MAX_PAYLOAD_BYTES

# The largest legal message plus room for the topic and packet headers.
MAX_PACKET_BYTES: Final = MAX_PAYLOAD_BYTES + 48_576

# NATS refuses an empty list of subjects; this one can never be published to.
_NOTHING: Final = "vitalgate.nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLimits:
    """What the broker may use.

    Attributes:
        disk_bytes: messages and sessions on disk. Stations keep everything in their
            journals, so a full broker delays but does not lose.
        memory_bytes: JetStream's memory streams; MQTT uses none to speak of.
        connections: stations, hubs and readers at once.
        ack_wait_s: an unacknowledged message is sent again after this, also to a hub
            that was killed and is back: until then they count as pending, and a full
            window would hold up fresh readings.
        max_ack_pending: unacknowledged messages of one subscription. 256 of the
            largest messages are 256 MB, the most a hub is made to hold in memory.
        log_bytes: size at which the log file is turned over; two are kept.
    """

    disk_bytes: int = 4 << 30
    memory_bytes: int = 16 << 20
    connections: int = 20_000
    ack_wait_s: int = 5
    max_ack_pending: int = 256
    log_bytes: int = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTls:
    """Certificate and key of the MQTT listener."""

    certificate: Path
    key: Path


def subject(topic_filter: str) -> str:
    """The NATS subject of an MQTT topic filter without dots and ``#``."""
    return topic_filter.replace("/", ".").replace("+", "*")


def nats_config(
    accounts: Iterable[BrokerAccount],
    *,
    directory: Path,
    host: str,
    port: int,
    limits: BrokerLimits,
    tls: BrokerTls | None = None,
) -> bytes:
    """The configuration file's bytes. They hold passwords: keep the file at 0600."""
    mqtt: dict[str, Any] = {
        "host": host,
        "port": port,
        "ack_wait": f"{limits.ack_wait_s}s",
        "max_ack_pending": limits.max_ack_pending,
        "stream_replicas": 1,
    }
    if tls is not None:
        mqtt["tls"] = {
            "cert_file": str(tls.certificate),
            "key_file": str(tls.key),
            "timeout": 5,
        }
    config: dict[str, Any] = {
        # The NATS protocol's own listener cannot be left out; no user may use it.
        "host": "127.0.0.1",
        "port": -1,
        # Part of the names of MQTT sessions' consumers: must not change.
        "server_name": "vitalgate",
        "max_payload": MAX_PACKET_BYTES,
        "max_connections": limits.connections,
        "logfile": str(directory / "nats.log"),
        "logfile_size_limit": limits.log_bytes,
        "logfile_max_num": 2,
        "jetstream": {
            "store_dir": str(directory / "jetstream"),
            # A PUBACK means on disk: nothing acknowledged is lost by kill -9.
            "sync_interval": "always",
            "max_memory_store": limits.memory_bytes,
            "max_file_store": limits.disk_bytes,
        },
        "mqtt": mqtt,
        "accounts": {
            "vitalgate": {
                "jetstream": "enabled",
                "users": [_user(account) for account in accounts],
            }
        },
    }
    return msgspec.json.format(msgspec.json.encode(config), indent=2)


def _user(account: BrokerAccount) -> dict[str, Any]:
    return {
        "user": account.name,
        "password": account.password,
        "allowed_connection_types": ["MQTT"],
        "permissions": {
            "publish": {"allow": [subject(t) for t in account.publish] or [_NOTHING]},
            "subscribe": {
                "allow": [subject(t) for t in account.subscribe] or [_NOTHING]
            },
        },
    }
