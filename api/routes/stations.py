"""Stations: state, sessions, commands."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query

from api.auth import STAFF, Requires
from api.schemas.base import PAGE, Cursor, Limit
from api.schemas.render import station_answer
from api.schemas.stations import (
    CommandAnswer,
    CommandQuestion,
    DeviceAnswer,
    EnrolledAnswer,
    SessionAnswer,
    SessionQuestion,
    SessionState,
    StationDetail,
    StationPage,
)
from api.state import ServicesDep
from gateway.errors import RequestError
from gateway.model.people import Role
from gateway.services.enrolment import StationEntry
from gateway.services.identity import Viewer

router = APIRouter(prefix="/stations", tags=["stations"])

_WATCHERS: Final = (*STAFF, Role.ADMINISTRATOR)

Watchers = Annotated[Viewer, Depends(Requires(_WATCHERS))]
Staff = Annotated[Viewer, Depends(Requires(STAFF))]
Operator = Annotated[Viewer, Depends(Requires((Role.OPERATOR,)))]
Administrator = Annotated[Viewer, Depends(Requires((Role.ADMINISTRATOR,)))]


@router.get("", summary="Stations")
async def list_stations(
    viewer: Watchers, services: ServicesDep, cursor: Cursor = "", limit: Limit = PAGE
) -> StationPage:
    """All for an administrator, else one's own."""
    page = await services.stations.page(viewer, cursor=cursor, limit=limit)
    now = services.clock.now()
    return StationPage(
        items=[station_answer(r, now) for r in page.items], next=page.next
    )


@router.put("/{station}", summary="Enrol a station")
async def enrol_station(
    station: str, entry: StationEntry, viewer: Administrator, services: ServicesDep
) -> EnrolledAnswer:
    """Registers its signing key and makes its MQTT account; again: the same account."""
    enrolled = await services.stations.enrol(
        viewer, entry.model_copy(update={"id": _same(station, entry.id)})
    )
    return EnrolledAnswer(
        station=station_answer(enrolled.record, services.clock.now()),
        mqtt_user=enrolled.mqtt_user,
        mqtt_password=enrolled.mqtt_password,
    )


@router.get("/{station}", summary="One station and its devices")
async def one_station(
    station: str, viewer: Watchers, services: ServicesDep
) -> StationDetail:
    """Status, depth and age of what is unsent, dead letters, devices."""
    record, devices = await services.stations.one(viewer, station)
    return StationDetail(
        station=station_answer(record, services.clock.now()),
        devices=[DeviceAnswer.model_validate(d) for d in devices],
    )


@router.get("/{station}/session", summary="Who is being measured")
async def session(station: str, viewer: Staff, services: ServicesDep) -> SessionState:
    """As the station last reported."""
    found = await services.sessions.current(viewer, station)
    return SessionState(
        session=None if found is None else found.id,
        resident=None if found is None else found.resident,
        opened_at=None if found is None else found.opened_at,
    )


@router.post("/{station}/session", status_code=202, summary="Open a session")
async def open_session(
    station: str, question: SessionQuestion, viewer: Staff, services: ServicesDep
) -> SessionAnswer:
    """Told to the station, which closes the one before."""
    opened = await services.sessions.open(
        viewer, station, resident=question.resident, by=question.identified_by
    )
    return SessionAnswer(session=opened)


@router.delete("/{station}/session", status_code=202, summary="Close the session")
async def close_session(
    station: str,
    viewer: Staff,
    services: ServicesDep,
    session: Annotated[str, Query(max_length=63)] = "",
    *,
    abort: bool = False,
) -> SessionAnswer:
    """``abort``: its readings become unclaimed. Without ``session``: whichever."""
    await services.sessions.close(viewer, station, session=session, abort=abort)
    return SessionAnswer(session=session)


@router.post(
    "/{station}/devices/{device}/commands",
    status_code=202,
    summary="Have a device do something, such as inflate the cuff",
)
async def command(
    station: str,
    device: Annotated[str, Path(max_length=100)],
    question: CommandQuestion,
    viewer: Operator,
    services: ServicesDep,
) -> CommandAnswer:
    """An operator's explicit, audited act; void after 30 s."""
    sent = await services.stations.command(viewer, station, device, question.name)
    return CommandAnswer(id=sent.id, name=sent.name, expires_at=sent.expires_at)


def _same(in_path: str, in_body: str) -> str:
    if in_path != in_body:
        raise RequestError("id: differs from the one in the path.")
    return in_body
