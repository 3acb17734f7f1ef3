"""Who did what to whom: append-only and hash-chained."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text

from gateway.database.tables.base import metadata

# ``hash`` is the SHA-256 over the hash before it and the entry's canonical JSON (see
# gateway.records.audit), so that a changed, removed or moved row shows.
audit = Table(
    "audit",
    metadata,
    Column(
        "seq",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", String(63), nullable=False),
    Column("action", String(48), nullable=False),
    Column("target", String(200), nullable=False),
    Column("resident", String(63), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    sqlite_autoincrement=True,
)
