"""The hub's append-only log, what each station has delivered, and its consumers."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from gateway.database.tables.base import metadata

# Every entry ever received, once. ``id`` is the observation, chunk, session-state or
# event id; ``type`` as in gateway.ports.journal.EntryType, plus ``attribution`` for
# claims and re-assignments made at the hub (body: the attribution's JSON).
log = Table(
    "log",
    metadata,
    Column(
        "seq",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("id", LargeBinary(16), nullable=False, unique=True),
    Column("type", String(16), nullable=False),
    Column("station", String(63), nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # The measurement session of a reading or recording, if it has one.
    Column("session", String(63)),
    sqlite_autoincrement=True,
)
# An aborted session looks for its readings; most readings at home have no session.
_in_session = log.c.session.is_not(None)
Index(
    "ix_log_session",
    log.c.session,
    sqlite_where=_in_session,
    postgresql_where=_in_session,
)

# Inclusive ranges of journal sequence numbers held, per station and journal epoch;
# the acknowledgement is computed from them in the same transaction.
station_range = Table(
    "station_range",
    metadata,
    Column("station", String(63), primary_key=True),
    Column("epoch", String(64), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

consumer = Table(
    "consumer",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("cursor", BigInteger, nullable=False),
)

# What could not be read, with its reason and bytes. ``digest`` (SHA-256 of topic and
# payload) makes a redelivery raise ``count`` instead of adding a row.
dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("topic", Text, nullable=False),
    Column("station", String(63), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("replayed_us", BigInteger),
)

# Who an observation or stream was claimed for after the fact; the newest row counts.
# A re-assignment (``previous`` not empty) needs ``approved_by``, a second person.
attribution = Table(
    "attribution",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("observation", LargeBinary(16), nullable=False),
    Column("resident", String(63), nullable=False),
    Column("previous", String(63), nullable=False),
    Column("by", String(63), nullable=False),
    Column("approved_by", String(63), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
Index("ix_attribution_observation", attribution.c.observation)

# Readings and recordings that belong to nobody yet; a projection of the log, so that
# an operator's list does not scan it. ``stream`` is empty for a reading; for a
# recording ``observation`` is the nil UUID.
unclaimed = Table(
    "unclaimed",
    metadata,
    Column("observation", LargeBinary(16), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("station", String(63), nullable=False),
    Column("kind", String(48), nullable=False),
    Column("taken_us", BigInteger, nullable=False),
)
Index("ix_unclaimed_station_taken_us", unclaimed.c.station, unclaimed.c.taken_us)
