"""Residents, teams, contracts, stations, devices, sessions."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from gateway.database.tables.base import metadata

_ID = String(63)

resident = Table(
    "resident",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_latin", Text, nullable=False),
    Column("birth_date", Date),
    Column("sex", String(16), nullable=False),
    Column("diagnoses", Text, nullable=False),  # JSON list
    Column("spo2_scale", Integer, nullable=False),
    Column("cards", Text, nullable=False),  # JSON list of salted hashes
)

care_team = Table(
    "care_team",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("ladder", Text, nullable=False),  # JSON list
)

team_member = Table(
    "team_member",
    metadata,
    Column("team", _ID, ForeignKey("care_team.id"), primary_key=True),
    Column("account", _ID, primary_key=True),
    Column("role", String(32), primary_key=True),
)

contract = Table(
    "contract",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("resident", _ID, ForeignKey("resident.id"), nullable=False),
    Column("team", _ID, ForeignKey("care_team.id"), nullable=False),
    Column("package", String(63), nullable=False),
    Column("starts", Date, nullable=False),
    Column("ends", Date),
)
Index("ix_contract_resident", contract.c.resident)

station = Table(
    "station",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("site", _ID, nullable=False),
    Column("name", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("setting", String(16), nullable=False),
    # The newest status message, JSON; empty before the first.
    Column("status", LargeBinary, nullable=False),
    Column("status_us", BigInteger),
)

device = Table(
    "device",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("model", Text, nullable=False),
    Column("serial", Text, nullable=False),
    Column("driver", String(63), nullable=False),
    Column("station", _ID, nullable=False),
)

device_slot = Table(
    "device_slot",
    metadata,
    Column("device", _ID, ForeignKey("device.id"), primary_key=True),
    Column("slot", String(16), primary_key=True),  # empty: the whole device
    Column("resident", _ID, ForeignKey("resident.id"), nullable=False),
)

measurement_session = Table(
    "measurement_session",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("station", _ID, nullable=False),
    Column("resident", _ID, nullable=False),
    Column("identified_by", String(32), nullable=False),
    Column("opened_by", _ID, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger),
    Column("end", String(32)),
)
Index(
    "ix_measurement_session_station_opened_us",
    measurement_session.c.station,
    measurement_session.c.opened_us,
)
