"""The proof of a reading, and whose it is."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from api.auth import CLINICAL, STAFF, Requires, source_of
from api.schemas.base import PAGE, Cursor, Limit
from api.schemas.render import proof_answer, unclaimed_answer
from api.schemas.residents import (
    Attributed,
    ClaimQuestion,
    ProofAnswer,
    ReassignQuestion,
    UnclaimedPage,
)
from api.state import ServicesDep
from gateway.model.people import Role
from gateway.services.identity import Viewer

router = APIRouter(tags=["readings"])

Clinical = Annotated[Viewer, Depends(Requires(CLINICAL))]
Staff = Annotated[Viewer, Depends(Requires(STAFF))]
Movers = Annotated[Viewer, Depends(Requires((*STAFF, Role.DOCTOR)))]


@router.get("/readings/{reading}", summary="A reading with its proof")
async def proof(reading: UUID, viewer: Clinical, services: ServicesDep) -> ProofAnswer:
    """Raw bytes, driver, times, and whose it was said to be, by whom."""
    return proof_answer(await services.readings.proof(viewer, reading))


@router.get("/stations/{station}/unclaimed", summary="What belongs to nobody")
async def unclaimed(
    station: str,
    viewer: Staff,
    services: ServicesDep,
    cursor: Cursor = "",
    limit: Limit = PAGE,
) -> UnclaimedPage:
    """Readings and recordings at one's own station, newest first."""
    page = await services.readings.unclaimed(
        viewer, station, cursor=cursor, limit=limit
    )
    return UnclaimedPage(
        items=[unclaimed_answer(u) for u in page.items], next=page.next
    )


@router.post("/readings/{reading}/claim", summary="Say whose an unclaimed one is")
async def claim(
    reading: UUID, question: ClaimQuestion, viewer: Staff, services: ServicesDep
) -> Attributed:
    """Only at one's own stations; audited. 409 when it is somebody's already."""
    made = await services.readings.claim(
        viewer,
        resident=question.resident,
        reason=question.reason,
        observation=reading,
    )
    return Attributed(id=made.id, resident=made.resident, at=made.at)


@router.post("/readings/{reading}/reassign", summary="Move a reading to another person")
async def reassign(
    reading: UUID,
    question: ReassignQuestion,
    request: Request,
    viewer: Movers,
    services: ServicesDep,
) -> Attributed:
    """Wants a second person with the own password; one of the two is the doctor."""
    approver = await services.accounts.check_password(
        question.approver.account, question.approver.password, source_of(request)
    )
    made = await services.readings.reassign(
        viewer,
        resident=question.resident,
        reason=question.reason,
        approver=approver,
        observation=reading,
    )
    return Attributed(id=made.id, resident=made.resident, at=made.at)
