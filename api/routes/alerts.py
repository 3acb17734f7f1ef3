"""The worklist: alerts, accepting and closing them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response

from api.auth import DOCTORS, STAFF, Requires
from api.schemas.alerts import (
    AcceptQuestion,
    AlertAnswer,
    AlertPage,
    CloseQuestion,
)
from api.schemas.base import PAGE, Cursor, Limit
from api.schemas.render import alert_answer
from api.state import ServicesDep
from gateway.errors import ConflictError, RequestError
from gateway.model.alert import AlertState, Level
from gateway.model.people import Role
from gateway.services.alerts import AlertCard
from gateway.services.identity import Viewer

router = APIRouter(prefix="/alerts", tags=["alerts"])

Watchers = Annotated[Viewer, Depends(Requires((*DOCTORS, *STAFF, Role.ADMINISTRATOR)))]
Actors = Annotated[Viewer, Depends(Requires((*DOCTORS, *STAFF)))]

IfMatch = Annotated[
    str | None,
    Header(description='The version as an entity tag, such as `"3"`.', max_length=40),
]


@router.get("", summary="The worklist")
async def list_alerts(
    viewer: Watchers,
    services: ServicesDep,
    state: Annotated[
        AlertState | None, Query(description="Default: all that are not closed.")
    ] = None,
    level: Level | None = None,
    resident: Annotated[str, Query(max_length=63)] = "",
    cursor: Cursor = "",
    limit: Limit = PAGE,
) -> AlertPage:
    """Open ones by level, newest first; closed ones by the time of closing."""
    page = await services.alerts.page(
        viewer, state=state, level=level, resident=resident, cursor=cursor, limit=limit
    )
    return AlertPage(items=[alert_answer(c) for c in page.items], next=page.next)


@router.get("/{alert}", summary="One alert")
async def one_alert(
    alert: UUID, response: Response, viewer: Watchers, services: ServicesDep
) -> AlertAnswer:
    """Its version is the entity tag."""
    return _tagged(response, await services.alerts.one(viewer, alert))


@router.post("/{alert}/accept", summary="Take responsibility")
async def accept(
    alert: UUID,
    question: AcceptQuestion,
    response: Response,
    viewer: Actors,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> AlertAnswer:
    """409 with ``current`` when it has changed since, or was closed."""
    version = _version(question.version, if_match)
    try:
        card = await services.alerts.accept(viewer, alert, version=version)
    except ConflictError as error:
        raise _rendered(error) from error
    return _tagged(response, card)


@router.post("/{alert}/close", summary="Close with what was done")
async def close(
    alert: UUID,
    question: CloseQuestion,
    response: Response,
    viewer: Actors,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> AlertAnswer:
    """409 with ``current`` when it has changed since, or was closed."""
    version = _version(question.version, if_match)
    try:
        card = await services.alerts.close(
            viewer,
            alert,
            version=version,
            outcome=question.outcome,
            note=question.note,
        )
    except ConflictError as error:
        raise _rendered(error) from error
    return _tagged(response, card)


def _tagged(response: Response, card: AlertCard) -> AlertAnswer:
    response.headers["ETag"] = f'"{card.alert.version}"'
    return alert_answer(card)


def _version(in_body: int | None, if_match: str | None) -> int:
    """The version acted on, from the body or from If-Match; both must agree."""
    in_header: int | None = None
    if if_match is not None:
        tag = if_match.strip().strip('"')
        if not (tag.isascii() and tag.isdigit()):
            raise RequestError('if-match: must be one version, such as "3".')
        in_header = int(tag)
    if in_body is None and in_header is None:
        raise RequestError(
            "version: is missing.",
            remedy="Send the version you have seen, in the body or as If-Match.",
        )
    if in_body is not None and in_header is not None and in_body != in_header:
        raise RequestError("version: body and If-Match differ.")
    return in_body if in_body is not None else in_header or 0


def _rendered(error: ConflictError) -> ConflictError:
    current = error.current
    if isinstance(current, AlertCard):
        return ConflictError(error.message, current=alert_answer(current))
    return error
