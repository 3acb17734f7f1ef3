"""Signed messages: a compromised broker can lose a message but not invent one.

A sealed message is ``{"key": key id, "sig": Ed25519 signature, "body": …}``, JSON or
MessagePack like its body; the signature covers the topic, a zero byte and the exact
bytes of ``body``, so a message cannot be moved to another station's topic either.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from msgspec import Raw, Struct

from gateway.errors import ConfigurationError, WireError

KEY_BYTES: Final = 32


class Sealed(Struct, frozen=True, kw_only=True):
    """The outer message."""

    key: str
    sig: bytes
    body: Raw


_JSON = msgspec.json.Decoder(Sealed)
_PACK = msgspec.msgpack.Decoder(Sealed)


def key_id(public_key: bytes) -> str:
    """A short name of a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


class Signer:
    """Holds a private key and seals messages."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private = private_key
        self.public_key: bytes = private_key.public_key().public_bytes_raw()
        self._id = key_id(self.public_key)

    @classmethod
    def generate(cls) -> "Signer":
        """A new key that lives in memory only."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_file(cls, path: Path) -> "Signer":
        """Load the key, or create it (mode 0600) when the file does not exist.

        Raises:
            ConfigurationError: the file does not hold 32 raw bytes.
        """
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            key = Ed25519PrivateKey.generate()
            with open(path, "xb", opener=_private_opener) as file:
                file.write(key.private_bytes_raw())
            return cls(key)
        data = path.read_bytes()
        if len(data) != KEY_BYTES:
            raise ConfigurationError(
                f"{path}: not an Ed25519 private key of {KEY_BYTES} raw bytes.",
                remedy="Move it away to have a new key made, then enrol it again.",
            )
        return cls(Ed25519PrivateKey.from_private_bytes(data))

    def seal(self, topic: str, body: bytes, *, waveforms: bool = False) -> bytes:
        """The sealed message for ``topic``; ``body`` is already encoded."""
        signature = self._private.sign(_signed_bytes(topic, body))
        sealed = Sealed(key=self._id, sig=signature, body=Raw(body))
        if waveforms:
            return msgspec.msgpack.encode(sealed)
        return msgspec.json.encode(sealed)


def _private_opener(path: str, flags: int) -> int:

    return os.open(path, flags, 0o600)


def _signed_bytes(topic: str, body: bytes | memoryview) -> bytes:
    return topic.encode() + b"\0" + bytes(body)


def unseal(
    topic: str, payload: bytes, public_key: bytes, *, waveforms: bool = False
) -> Raw:
    """The body of a sealed message, its signature verified.

    Raises:
        WireError: ``seal`` when malformed, ``signature`` when it does not verify.
    """
    try:
        sealed = (_PACK if waveforms else _JSON).decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WireError("message: not a sealed message.", reason="seal") from error
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            sealed.sig, _signed_bytes(topic, memoryview(sealed.body))
        )
    except (InvalidSignature, ValueError) as error:
        raise WireError(
            "sig: the signature does not verify.",
            reason="signature",
            remedy="Enrol the sender's public key again.",
        ) from error
    return sealed.body
