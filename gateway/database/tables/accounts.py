"""Accounts, API tokens and console log-ins; secrets are stored hashed."""

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, String, Table, Text

from gateway.database.tables.base import metadata

_ID = String(63)

account = Table(
    "account",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_latin", Text, nullable=False),
    Column("roles", Text, nullable=False),  # JSON list
    Column("resident", _ID),
    Column("stations", Text, nullable=False),  # JSON list
    Column("password", Text, nullable=False),  # argon2id; empty: cannot sign in
    Column("disabled_us", BigInteger),
)

# Bearer tokens for programs; ``digest`` is the SHA-256 of the token.
bearer = Table(
    "bearer",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("account", _ID, ForeignKey("account.id"), nullable=False),
    Column("label", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
)

# Console log-ins; they survive a restart and are revoked by signing out.
login = Table(
    "login",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("account", _ID, ForeignKey("account.id"), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)
