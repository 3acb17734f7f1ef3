"""The station's parts that share the journal, made and restored together."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.model.observation import Setting
from gateway.ports.clock import Clock
from gateway.station.events import Events
from gateway.station.journal import SqliteJournal
from gateway.station.pipeline import Pipeline
from gateway.station.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class StationCore:
    """Journal, sessions, events and pipeline of one station."""

    station: str
    clock: Clock
    journal: SqliteJournal
    sessions: Sessions
    events: Events
    pipeline: Pipeline

    def close(self) -> None:
        """Release the journal's file and threads."""
        self.journal.close()


async def open_core(
    path: Path,
    *,
    station: str,
    setting: Setting,
    zone: ZoneInfo,
    clock: Clock,
    quota_bytes: int,
    idle: timedelta,
) -> StationCore:
    """Open the journal at ``path`` and take up what was before the restart.

    Args:
        path: the journal's file.
        station: the station's id.
        setting: where it stands.
        zone: the site's time zone, in which devices keep their clocks.
        clock: time.
        quota_bytes: disk that the journal may fill.
        idle: how long a session stays open without a reading.

    Raises:
        StorageError: the journal cannot be opened or written.
    """
    journal = SqliteJournal(path, quota_bytes=quota_bytes)
    sessions = Sessions(journal, clock, station=station, setting=setting, idle=idle)
    events = Events(journal, clock, station=station)
    pipeline = Pipeline(journal, sessions, events, clock, station=station, zone=zone)
    try:
        await events.restore()
        await sessions.restore()
        await pipeline.start()
    except BaseException:
        journal.close()
        raise
    return StationCore(
        station=station,
        clock=clock,
        journal=journal,
        sessions=sessions,
        events=events,
        pipeline=pipeline,
    )
