"""The embedded series store: points by (person, metric, time), newest, waveforms."""

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

_ID = String(63)

# WITHOUT ROWID: the key is the table, 42 bytes a row instead of 64, and a day of one
# person is read in 0.8 ms of 10 million rows when the metrics are named.
point = Table(
    "point",
    metadata,
    Column("resident", _ID, primary_key=True),
    Column("metric", String(48), primary_key=True),
    Column("at_us", BigInteger, primary_key=True),
    Column("observation", LargeBinary(16), primary_key=True),
    Column("value", Text),  # decimal text; null for HI, LO and failed ones
    Column("absent", String(24), nullable=False),
    Column("quality", String(16), nullable=False),
    Column("kind", String(48), nullable=False),
    Column("flags", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_point_observation", point.c.observation)

latest = Table(
    "latest",
    metadata,
    Column("resident", _ID, primary_key=True),
    Column("metric", String(48), primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("observation", LargeBinary(16), nullable=False),
    Column("value", Text),
    Column("absent", String(24), nullable=False),
    Column("quality", String(16), nullable=False),
    Column("kind", String(48), nullable=False),
    Column("flags", Text, nullable=False),
    sqlite_with_rowid=False,
)

waveform = Table(
    "waveform",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("resident", _ID, nullable=False),
    Column("kind", String(48), nullable=False),
    Column("stream", String(64), nullable=False),
    Column("first", Integer, nullable=False),
    Column("start_us", BigInteger, nullable=False),
    Column("end_us", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # MessagePack of WaveformChunk
)
Index(
    "ix_waveform_resident_kind_start_us",
    waveform.c.resident,
    waveform.c.kind,
    waveform.c.start_us,
)
Index("ix_waveform_stream", waveform.c.stream, waveform.c.kind, waveform.c.first)
