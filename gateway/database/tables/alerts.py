"""Alerts, their feed, deliveries, and the rule engine's durable state."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from gateway.database.tables.base import metadata

_ID = String(63)

# The present state; ``body`` is the JSON of gateway.model.alert.Alert, the other
# columns are what queries need. At most one open alert per key (partial index).
alert = Table(
    "alert",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("key", String(200), nullable=False),
    Column("resident", _ID, nullable=False),
    Column("team", _ID, nullable=False),
    Column("assignee", _ID, nullable=False),
    Column("level", Integer, nullable=False),  # Level.rank
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("raised_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
Index(
    "uq_alert_open_key",
    alert.c.key,
    unique=True,
    sqlite_where=text("state <> 'closed'"),
    postgresql_where=text("state <> 'closed'"),
)
Index("ix_alert_team_state_level", alert.c.team, alert.c.state, alert.c.level)
Index("ix_alert_resident_raised_us", alert.c.resident, alert.c.raised_us)

# Every change, append-only; the feed's replay reads it by ``seq``.
alert_change = Table(
    "alert_change",
    metadata,
    Column(
        "seq",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("alert", LargeBinary(16), nullable=False),
    Column("change", String(32), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("by", _ID, nullable=False),
    Column("body", LargeBinary, nullable=False),  # JSON of the alert after the change
    sqlite_autoincrement=True,
)
Index("ix_alert_change_alert", alert_change.c.alert)

# One row per recipient and channel: delivered, seen and accepted are different facts.
delivery = Table(
    "delivery",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("alert", LargeBinary(16), nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("channel", String(32), nullable=False),
    Column("recipient", _ID, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("delivered_us", BigInteger),
    Column("seen_us", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
)
Index("ix_delivery_alert", delivery.c.alert)

# The pure engine's state, encoded by gateway.alerting. ``rule`` names the stream of
# readings whose rules share one order of readings, such as ``blood_pressure_panel``.
# ``deadline_us``: when a tick is due (a repeat that did not come), or null.
rule_state = Table(
    "rule_state",
    metadata,
    Column("resident", _ID, primary_key=True),
    Column("rule", String(64), primary_key=True),
    Column("deadline_us", BigInteger),
    Column("body", LargeBinary, nullable=False),
)
Index("ix_rule_state_deadline_us", rule_state.c.deadline_us)
