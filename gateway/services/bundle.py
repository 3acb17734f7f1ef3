"""All services of a hub, made once and handed to the API."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from gateway.database.engine import Database
from gateway.ports.clock import Clock
from gateway.ports.series import SeriesStore
from gateway.records.accounts import Accounts
from gateway.records.audit import AuditTrail
from gateway.services.access import Access
from gateway.services.alerts import AlertDesk, Alerts
from gateway.services.dead_letters import DeadLetterBox, Replay
from gateway.services.downlink import StationLink
from gateway.services.enrolment import Enrolment
from gateway.services.health import Health
from gateway.services.live import AlertFeed
from gateway.services.readings import AttributionLog, Readings
from gateway.services.residents import Residents
from gateway.services.sessions import Sessions
from gateway.services.stations import BrokerAccounts, Stations
from gateway.services.waveforms import Waveforms

DEFAULT_ZONE: Final = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the services need from the rest of the hub.

    Attributes:
        broker_accounts: None where the broker is not ours to administer.
        broker_connected: None where there is no broker.
        zone: the site's time zone; contracts begin and end at its midnight.
    """

    series: SeriesStore
    desk: AlertDesk
    link: StationLink
    attributions: AttributionLog
    replay: Replay
    broker_accounts: BrokerAccounts | None = None
    broker_connected: Callable[[], bool] | None = None
    zone: ZoneInfo = DEFAULT_ZONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What ``api.app.create_app`` takes. ``live.run()`` must run beside it."""

    clock: Clock
    accounts: Accounts
    access: Access
    audit: AuditTrail
    residents: Residents
    waveforms: Waveforms
    readings: Readings
    alerts: Alerts
    sessions: Sessions
    stations: Stations
    enrolment: Enrolment
    dead_letters: DeadLetterBox
    health: Health
    live: AlertFeed


def build_services(
    database: Database,
    clock: Clock,
    ports: Ports,
    *,
    accounts: Accounts | None = None,
    epoch: str = "",
) -> Services:
    """Wire the services of one hub process."""
    accounts = accounts or Accounts(database, clock)
    audit = AuditTrail(database, clock)
    access = Access(database, clock, audit, zone=ports.zone)
    alerts = Alerts(database, access, audit, ports.desk)
    return Services(
        clock=clock,
        accounts=accounts,
        access=access,
        audit=audit,
        residents=Residents(database, clock, access, ports.series),
        waveforms=Waveforms(database, access, ports.series),
        readings=Readings(database, clock, access, audit, ports.attributions),
        alerts=alerts,
        sessions=Sessions(database, clock, audit, ports.link),
        stations=Stations(
            database,
            clock,
            audit,
            ports.link,
            passwords=accounts.passwords,
            broker=ports.broker_accounts,
        ),
        enrolment=Enrolment(database, clock, audit, accounts.passwords),
        dead_letters=DeadLetterBox(database, audit, ports.replay),
        health=Health(database, ports.broker_connected),
        live=AlertFeed(database, access, alerts, epoch=epoch or secrets.token_hex(4)),
    )
