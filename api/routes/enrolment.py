"""What an administrator enters, one entry or a whole roster at a time."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.auth import Requires
from api.schemas.stations import LoadedAnswer
from api.state import ServicesDep
from gateway.errors import RequestError
from gateway.model.people import Role
from gateway.services.enrolment import (
    AccountEntry,
    ContractEntry,
    DeviceEntry,
    ResidentEntry,
    Roster,
    TeamEntry,
)
from gateway.services.identity import Viewer

router = APIRouter(tags=["enrolment"])

Administrator = Annotated[Viewer, Depends(Requires((Role.ADMINISTRATOR,)))]


@router.post("/roster", summary="Store many entries, all or none")
async def load_roster(
    roster: Roster, viewer: Administrator, services: ServicesDep
) -> LoadedAnswer:
    """The same document as a roster file in JSON; loading it again changes nothing."""
    return LoadedAnswer.model_validate(await services.enrolment.put(viewer, roster))


@router.put("/residents/{id_}", summary="Store a resident")
async def put_resident(
    id_: str, entry: ResidentEntry, viewer: Administrator, services: ServicesDep
) -> LoadedAnswer:
    """The id is a pseudonym, never a name or a card number."""
    _same(id_, entry.id)
    done = await services.enrolment.put(viewer, Roster(residents=(entry,)))
    return LoadedAnswer.model_validate(done)


@router.put("/teams/{id_}", summary="Store a care team")
async def put_team(
    id_: str, entry: TeamEntry, viewer: Administrator, services: ServicesDep
) -> LoadedAnswer:
    """With exactly these members."""
    _same(id_, entry.id)
    done = await services.enrolment.put(viewer, Roster(teams=(entry,)))
    return LoadedAnswer.model_validate(done)


@router.put("/contracts/{id_}", summary="Store a contract")
async def put_contract(
    id_: str, entry: ContractEntry, viewer: Administrator, services: ServicesDep
) -> LoadedAnswer:
    """Decides which team sees the resident, from the first to the last day."""
    _same(id_, entry.id)
    done = await services.enrolment.put(viewer, Roster(contracts=(entry,)))
    return LoadedAnswer.model_validate(done)


@router.put("/devices/{id_}", summary="Store a device")
async def put_device(
    id_: str, entry: DeviceEntry, viewer: Administrator, services: ServicesDep
) -> LoadedAnswer:
    """With exactly these user slots."""
    _same(id_, entry.id)
    done = await services.enrolment.put(viewer, Roster(devices=(entry,)))
    return LoadedAnswer.model_validate(done)


@router.put("/accounts/{id_}", summary="Store an account")
async def put_account(
    id_: str, entry: AccountEntry, viewer: Administrator, services: ServicesDep
) -> LoadedAnswer:
    """Disabling it, or a new password, ends its log-ins and tokens at once."""
    _same(id_, entry.id)
    done = await services.enrolment.put(viewer, Roster(accounts=(entry,)))
    return LoadedAnswer.model_validate(done)


def _same(in_path: str, in_body: str) -> None:
    if in_path != in_body:
        raise RequestError("id: differs from the one in the path.")
