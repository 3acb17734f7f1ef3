"""Residents and their values."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from api.auth import CLINICAL, Requires
from api.schemas.base import PAGE, Cursor, Limit
from api.schemas.render import resident_answer, unit_of
from api.schemas.residents import (
    LatestAnswer,
    PointAnswer,
    PointPage,
    RecentList,
    RecordingAnswer,
    RecordingList,
    ResidentAnswer,
    ResidentPage,
    WholeReadingAnswer,
    WindowAnswer,
    WindowList,
)
from api.state import ServicesDep
from gateway.model.people import Role
from gateway.services.identity import Viewer
from gateway.services.residents import MAX_POINTS

router = APIRouter(prefix="/residents", tags=["residents"])

Clinical = Annotated[Viewer, Depends(Requires(CLINICAL))]
Lists = Annotated[Viewer, Depends(Requires((*CLINICAL, Role.ADMINISTRATOR)))]

Metric = Annotated[str, Query(max_length=48, examples=["systolic"])]
Instant = Annotated[AwareDatetime | None, Query(description="ISO 8601 with zone.")]
# A year of seconds and more would be one window of everything.
Width = Annotated[int, Query(ge=1, le=31_622_400, description="Seconds.")]


@router.get("", summary="Residents that one may see")
async def list_residents(
    viewer: Lists, services: ServicesDep, cursor: Cursor = "", limit: Limit = PAGE
) -> ResidentPage:
    """All for an administrator, without clinical fields; else those of one's own."""
    page = await services.residents.page(viewer, cursor=cursor, limit=limit)
    return ResidentPage(items=[resident_answer(r) for r in page.items], next=page.next)


@router.get("/{resident}", summary="One resident")
async def one_resident(
    resident: str, viewer: Clinical, services: ServicesDep
) -> ResidentAnswer:
    """404 when there is none, and when it is not yours to see."""
    return resident_answer(await services.residents.one(viewer, resident))


@router.get("/{resident}/latest", summary="Newest value of each metric")
async def latest(
    resident: str, viewer: Clinical, services: ServicesDep
) -> LatestAnswer:
    """By metric name, with the unit of each."""
    points = await services.residents.latest(viewer, resident)
    return LatestAnswer(
        resident=resident,
        units={metric: unit_of(metric) for metric in points},
        points={m: PointAnswer.model_validate(p) for m, p in points.items()},
    )


@router.get("/{resident}/recent", summary="Newest whole readings")
async def recent(
    resident: str, viewer: Clinical, services: ServicesDep, limit: Limit = PAGE
) -> RecentList:
    """Newest first, at most a year back; a blood pressure is one entry."""
    found = await services.residents.recent(viewer, resident, limit=limit)
    metrics = {metric for reading in found for metric in reading.points}
    return RecentList(
        items=[WholeReadingAnswer.model_validate(r) for r in found],
        units={metric: unit_of(metric) for metric in sorted(metrics)},
    )


@router.get("/{resident}/readings", summary="Values of one metric")
async def readings(
    resident: str,
    viewer: Clinical,
    services: ServicesDep,
    metric: Metric,
    start: Instant = None,
    end: Instant = None,
    cursor: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=MAX_POINTS)] = 1000,
) -> PointPage:
    """Of ``[start, end)``, oldest first; the last 30 days when nothing is said."""
    page = await services.residents.points(
        viewer,
        resident,
        metric,
        start=_utc(start),
        end=_utc(end),
        cursor=cursor,
        limit=limit,
    )
    return PointPage(
        metric=metric,
        unit=unit_of(metric),
        items=[PointAnswer.model_validate(p) for p in page.items],
        next=page.next,
    )


@router.get("/{resident}/windows", summary="Statistics of one metric per window")
async def windows(
    resident: str,
    viewer: Clinical,
    services: ServicesDep,
    metric: Metric,
    start: Instant = None,
    end: Instant = None,
    width: Width = 3600,
) -> WindowList:
    """Minimum, maximum, mean and count; windows without a number are left out."""
    found = await services.residents.windows(
        viewer, resident, metric, start=_utc(start), end=_utc(end), width_s=width
    )
    return WindowList(
        metric=metric,
        unit=unit_of(metric),
        width=width,
        items=[WindowAnswer.model_validate(w) for w in found],
    )


@router.get("/{resident}/waveforms", summary="Recordings")
async def recordings(
    resident: str, viewer: Clinical, services: ServicesDep
) -> RecordingList:
    """Newest first; each lead by itself."""
    found = await services.waveforms.list(viewer, resident)
    return RecordingList(items=[RecordingAnswer.model_validate(r) for r in found])


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)
