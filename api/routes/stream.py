"""The live feed of alerts, as server-sent events."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Request

from api.auth import (
    DOCTORS,
    STAFF,
    CredentialDep,
    Requires,
    prove,
)
from api.event_stream import EventStream
from api.state import ServicesDep, SettingsDep, StreamsDep
from gateway.model.people import Role
from gateway.services.identity import Viewer, audience_of

router = APIRouter(tags=["live"])

Watchers = Annotated[Viewer, Depends(Requires((*DOCTORS, *STAFF, Role.ADMINISTRATOR)))]

_EVENTS: Final = {
    200: {
        "description": (
            "`snapshot` (SnapshotFrame): everything open, first, and whenever what was "
            "missed is no longer known. `change` (ChangeFrame): one or more changes. "
            "`beat` (BeatFrame): after 5 s of silence."
        ),
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/stream",
    status_code=200,
    response_class=EventStream,
    responses=_EVENTS,  # type: ignore[arg-type]  # FastAPI's type has invariant dicts
    summary="Live alerts",
)
async def stream(
    request: Request,
    viewer: Watchers,
    credential: CredentialDep,
    services: ServicesDep,
    settings: SettingsDep,
    streams: StreamsDep,
    last_event_id: Annotated[str, Header(max_length=100)] = "",
) -> EventStream:
    """Ends at sign-out, when the account's teams change, and for a slow reader.

    `EventSource` then comes back with `Last-Event-ID` and misses nothing.
    """
    audience = audience_of(viewer)
    client = await streams.open(audience, credential, last_event_id)

    async def still_allowed() -> bool:
        proven = await prove(request, services, settings)
        if proven is None:
            return False
        fresh = await services.access.viewer(proven.account)
        return audience_of(fresh) == audience

    return EventStream(
        streams,
        client,
        settings=settings,
        clock=services.clock,
        still_allowed=still_allowed,
    )
