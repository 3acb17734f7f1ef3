"""Residents and their values, for whoever may see them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from gateway.codes import readings
from gateway.database.engine import Database
from gateway.database.tables import alert
from gateway.database.tables.base import from_us, to_us
from gateway.errors import RequestError
from gateway.model.alert import AlertState
from gateway.model.people import Contract, Resident, Role
from gateway.ports.clock import Clock
from gateway.ports.series import Point, SeriesStore, Window
from gateway.records.access import Grant, Viewer
from gateway.records.people import active_contracts, list_residents
from gateway.services.access import Access
from gateway.services.pages import Page, decode_cursor, encode_cursor

# Points of one answer: a screen of 2 000 px shows no more, an export pages on.
MAX_POINTS: Final = 5000
# Windows of one answer: a year of hours.
MAX_WINDOWS: Final = 10_000
# Points that may share one microsecond across a page boundary.
_TIES: Final = 8
# How far back whole readings are looked for, step by step, until there are enough.
_LOOK_BACK: Final = tuple(timedelta(days=d) for d in (1, 7, 30, 366))
# Residents whose open alert outlives their contract, in one doctor's list.
_MAX_OTHERS: Final = 500
# When nothing is asked for.
DEFAULT_SPAN: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentRecord:
    """A resident as the viewer may see them.

    ``clinical`` is False for an administrator: diagnoses are left out.
    """

    resident: Resident
    contracts: tuple[Contract, ...]
    clinical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeReading:
    """The points of one observation, by metric."""

    observation: UUID
    kind: str
    at: datetime
    quality: str
    flags: tuple[str, ...]
    points: dict[str, Point]


class Residents:
    """Lists, latest values, points, windows and whole readings."""

    def __init__(
        self, database: Database, clock: Clock, access: Access, series: SeriesStore
    ) -> None:
        self._database = database
        self._clock = clock
        self._access = access
        self._series = series

    async def page(
        self, viewer: Viewer, *, cursor: str, limit: int
    ) -> Page[ResidentRecord]:
        """Residents in order of their pseudonym.

        Raises:
            RequestError: the cursor is not one of this list's.
        """
        key = decode_cursor(cursor, str)
        after = key[0] if key else ""
        everybody = viewer.has(Role.ADMINISTRATOR)
        today = self._access.today()

        def load(connection: Connection) -> list[ResidentRecord]:
            found = list_residents(
                connection,
                after=after,
                limit=limit + 1,
                teams=None if everybody else viewer.doctor_teams,
                others=() if everybody else _others(connection, viewer),
                on=today,
            )
            terms = active_contracts(connection, [r.id for r in found], today)
            return [
                ResidentRecord(
                    resident=r,
                    contracts=tuple(terms.get(r.id, ())),
                    clinical=not everybody,
                )
                for r in found
            ]

        records = await self._database.read(load)
        more = len(records) > limit
        items = records[:limit]
        return Page(
            items=items, next=encode_cursor(items[-1].resident.id) if more else ""
        )

    async def one(self, viewer: Viewer, resident: str) -> ResidentRecord:
        """One resident.

        Raises:
            NotFoundError: no such resident, or not theirs.
        """
        person, _ = await self._access.grant(viewer, resident)
        today = self._access.today()
        terms = await self._database.read(
            lambda c: active_contracts(c, [resident], today)
        )
        return ResidentRecord(
            resident=person, contracts=tuple(terms.get(resident, ())), clinical=True
        )

    async def latest(self, viewer: Viewer, resident: str) -> dict[str, Point]:
        """The newest point of each metric.

        Raises:
            NotFoundError: no such resident, or not theirs.
        """
        _, leave = await self._access.grant(viewer, resident)
        points = await self._series.latest(resident)
        return {m: p for m, p in points.items() if _within(leave, p.at)}

    async def points(
        self,
        viewer: Viewer,
        resident: str,
        metric: str,
        *,
        start: datetime | None,
        end: datetime | None,
        cursor: str,
        limit: int,
    ) -> Page[Point]:
        """Raw points of ``[start, end)``, oldest first.

        Raises:
            NotFoundError: no such resident, or not theirs.
            RequestError: no such metric, or an impossible period or cursor.
        """
        _, leave = await self._access.grant(viewer, resident)
        _check_metric(metric)
        begin, finish = self._period(start, end, leave)
        key = decode_cursor(cursor, int, str)
        skip = 0
        if key is not None:
            begin = max(begin, from_us(key[0]))
            skip = _TIES
        found = await self._series.points(
            resident, metric, begin, finish, limit + 1 + skip
        )
        if key is not None:
            found = [p for p in found if (to_us(p.at), p.observation.hex) > key]
        more = len(found) > limit
        items = found[:limit]
        last = items[-1] if more else None
        return Page(
            items=items,
            next=""
            if last is None
            else encode_cursor(to_us(last.at), last.observation.hex),
        )

    async def windows(
        self,
        viewer: Viewer,
        resident: str,
        metric: str,
        *,
        start: datetime | None,
        end: datetime | None,
        width_s: int,
    ) -> list[Window]:
        """Minimum, maximum, mean and count per window of ``width_s``.

        Raises:
            NotFoundError: no such resident, or not theirs.
            RequestError: no such metric, an impossible period, or too many windows.
        """
        _, leave = await self._access.grant(viewer, resident)
        _check_metric(metric)
        begin, finish = self._period(start, end, leave)
        if width_s < 1 or (finish - begin) / timedelta(seconds=width_s) > MAX_WINDOWS:
            raise RequestError(
                f"width: makes more than {MAX_WINDOWS} windows.",
                remedy="Ask for wider windows or a shorter period.",
            )
        return await self._series.windows(resident, metric, begin, finish, width_s)

    async def recent(
        self, viewer: Viewer, resident: str, *, limit: int
    ) -> list[WholeReading]:
        """The newest whole readings, newest first; at most a year back.

        Raises:
            NotFoundError: no such resident, or not theirs.
        """
        _, leave = await self._access.grant(viewer, resident)
        newest = await self._series.latest(resident)
        now = self._clock.now()
        found: dict[UUID, WholeReading] = {}
        for span in _LOOK_BACK:
            start = max(now - span, leave.since or now - span)
            closer = dict(found)
            found, whole = await self._group(resident, newest, start, now)
            if not whole and closer:
                # A longer span was cut off at its new end: the shorter one is right.
                found = closer
                break
            if len(found) >= limit or not whole:
                break
        ordered = sorted(found.values(), key=lambda r: (r.at, r.kind), reverse=True)
        return ordered[:limit]

    async def _group(
        self, resident: str, newest: dict[str, Point], start: datetime, now: datetime
    ) -> tuple[dict[UUID, WholeReading], bool]:
        """Readings since ``start``, and whether that is all of them."""
        found: dict[UUID, WholeReading] = {}
        whole = True
        for metric, last in newest.items():
            if last.at < start:
                continue
            # A device clock may run ahead by the tolerance: include what says so.
            end = max(now, last.at) + timedelta(microseconds=1)
            points = await self._series.points(resident, metric, start, end, MAX_POINTS)
            whole = whole and len(points) < MAX_POINTS
            for point in points:
                held = found.get(point.observation)
                if held is None:
                    found[point.observation] = WholeReading(
                        observation=point.observation,
                        kind=point.kind,
                        at=point.at,
                        quality=point.quality,
                        flags=point.flags,
                        points={metric: point},
                    )
                else:
                    held.points[metric] = point
        return found, whole

    def _period(
        self, start: datetime | None, end: datetime | None, leave: Grant
    ) -> tuple[datetime, datetime]:
        finish = end or self._clock.now() + timedelta(microseconds=1)
        begin = start or finish - DEFAULT_SPAN
        if begin >= finish:
            raise RequestError("start: must lie before end.")
        if leave.since is not None:
            begin = min(max(begin, leave.since), finish)
        return begin, finish


def _within(leave: Grant, at: datetime) -> bool:
    return leave.since is None or at >= leave.since


def _check_metric(metric: str) -> None:
    if metric not in readings():
        raise RequestError("metric: no reading has this name.")


def _others(connection: Connection, viewer: Viewer) -> set[str]:
    """Residents seen for another reason than a contract with a doctor team."""
    others = {
        s.resident for s in viewer.sessions if s.station in viewer.own_stations
    } | set(viewer.referred)
    if viewer.has(Role.RESIDENT) and viewer.account.resident:
        others.add(viewer.account.resident)
    conditions: list[ColumnElement[bool]] = []
    if viewer.doctor_teams:
        conditions.append(alert.c.team.in_(sorted(viewer.doctor_teams)))
    if viewer.specialist_teams:
        conditions.append(alert.c.assignee == viewer.id)
    for condition in conditions:
        rows = connection.execute(
            select(alert.c.resident)
            .distinct()
            .where(condition, alert.c.state != AlertState.CLOSED.value)
            .limit(_MAX_OTHERS)
        )
        others.update(row.resident for row in rows if row.resident)
    return others
