"""All tables, in one metadata. Times are UTC epoch microseconds (integers)."""

from gateway.database.tables.accounts import account, bearer, login
from gateway.database.tables.alerts import alert, alert_change, delivery, rule_state
from gateway.database.tables.audit import audit
from gateway.database.tables.base import metadata
from gateway.database.tables.log import (
    attribution,
    consumer,
    dead_letter,
    log,
    station_range,
    unclaimed,
)
from gateway.database.tables.people import (
    care_team,
    contract,
    device,
    device_slot,
    measurement_session,
    resident,
    station,
    team_member,
)
from gateway.database.tables.series import latest, point, waveform

__all__ = [
    "account",
    "alert",
    "alert_change",
    "attribution",
    "audit",
    "bearer",
    "care_team",
    "consumer",
    "contract",
    "dead_letter",
    "delivery",
    "device",
    "device_slot",
    "latest",
    "log",
    "login",
    "measurement_session",
    "metadata",
    "point",
    "resident",
    "rule_state",
    "station",
    "station_range",
    "team_member",
    "unclaimed",
    "waveform",
]
