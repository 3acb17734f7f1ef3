"""Dead letters for the administrator, the audit trail for the auditor."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.auth import Requires
from api.schemas.base import PAGE, Cursor, Limit
from api.schemas.stations import (
    AuditAnswer,
    AuditPage,
    ChainAnswer,
    DeadLetterAnswer,
    DeadLetterPage,
    ReplayAnswer,
)
from api.state import ServicesDep
from gateway.model.people import Role
from gateway.services.identity import Viewer
from gateway.services.pages import decode_cursor, encode_cursor

router = APIRouter(tags=["oversight"])

Administrator = Annotated[Viewer, Depends(Requires((Role.ADMINISTRATOR,)))]
Auditor = Annotated[Viewer, Depends(Requires((Role.AUDITOR,)))]


@router.get("/dead-letters", summary="Messages that were not understood")
async def dead_letters(
    viewer: Administrator,
    services: ServicesDep,
    cursor: Cursor = "",
    limit: Limit = PAGE,
) -> DeadLetterPage:
    """Newest first, with reason and count; the bytes are not shown."""
    page = await services.dead_letters.page(viewer, cursor=cursor, limit=limit)
    return DeadLetterPage(
        items=[DeadLetterAnswer.model_validate(d) for d in page.items], next=page.next
    )


@router.post("/dead-letters/{letter}/replay", summary="Read one again")
async def replay(
    letter: int, viewer: Administrator, services: ServicesDep
) -> ReplayAnswer:
    """After an upgrade or an enrolment; exactly once by the readings' ids."""
    understood = await services.dead_letters.replay(viewer, letter)
    return ReplayAnswer(understood=understood)


@router.get("/audit", summary="Who did what")
async def audit(
    _viewer: Auditor, services: ServicesDep, cursor: Cursor = "", limit: Limit = PAGE
) -> AuditPage:
    """Oldest first; pseudonyms and ids only, no values."""
    key = decode_cursor(cursor, int)
    found = await services.audit.entries(after=key[0] if key else 0, limit=limit + 1)
    items = [
        AuditAnswer(
            seq=e.seq,
            at=e.at,
            actor=e.act.actor,
            action=e.act.action,
            target=e.act.target,
            resident=e.act.resident,
            outcome=e.act.outcome,
            detail=e.act.detail,
        )
        for e in found[:limit]
    ]
    more = len(found) > limit
    return AuditPage(items=items, next=encode_cursor(items[-1].seq) if more else "")


@router.get("/audit/verify", summary="Whether the audit chain holds")
async def verify(_viewer: Auditor, services: ServicesDep) -> ChainAnswer:
    """Recomputes every hash; names the first entry that does not fit."""
    first_bad = await services.audit.verify()
    return ChainAnswer(intact=first_bad is None, first_bad=first_bad)
