"""Signing in and out, tokens, and who one is."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.auth import (
    EVERYBODY,
    CredentialDep,
    Requires,
    clear_login,
    prove,
    set_login,
    source_of,
)
from api.schemas.account import (
    LoginQuestion,
    Me,
    TokenAnswer,
    TokenEntry,
    TokenList,
    TokenQuestion,
)
from api.state import ServicesDep, SettingsDep, StreamsDep
from gateway.services.identity import Act, Credential, Viewer

router = APIRouter(tags=["account"])

Everybody = Annotated[Viewer, Depends(Requires(EVERYBODY))]


@router.post("/login", summary="Open a console log-in (sets a cookie)")
async def login(
    question: LoginQuestion,
    request: Request,
    response: Response,
    services: ServicesDep,
    settings: SettingsDep,
    streams: StreamsDep,
) -> Me:
    """A log-in lasts twelve hours and survives a restart of the hub."""
    before = await prove(request, services, settings)
    issued = await services.accounts.sign_in(
        question.account, question.password, source_of(request)
    )
    if before is not None and before.kind == "login":
        # One browser, one log-in: whoever was here is signed out.
        await services.accounts.sign_out(before)
        streams.close_login(before)
    await services.audit.record(
        Act(actor=issued.account.id, action="sign-in", target=issued.account.id)
    )
    set_login(response, settings, issued, services.clock.now())
    viewer = await services.access.viewer(issued.account)
    credential = Credential(
        account=issued.account,
        digest=issued.digest,
        expires_at=issued.expires_at,
        kind="login",
    )
    return _me(viewer, credential)


@router.post("/logout", status_code=204, summary="Sign out; closes open streams")
async def logout(
    response: Response,
    _viewer: Everybody,
    credential: CredentialDep,
    services: ServicesDep,
    settings: SettingsDep,
    streams: StreamsDep,
) -> None:
    """Ends the log-in; a bearer token is revoked instead."""
    if credential.kind == "bearer":
        await services.accounts.revoke_token(
            credential.account.id, credential.digest.hex()
        )
    else:
        await services.accounts.sign_out(credential)
    streams.close_login(credential)
    clear_login(response, settings)


@router.get("/me", summary="Who one is")
async def me(viewer: Everybody, credential: CredentialDep) -> Me:
    """The account, its roles, stations and teams."""
    return _me(viewer, credential)


@router.post("/tokens", status_code=201, summary="Make a bearer token for a program")
async def make_token(
    question: TokenQuestion, request: Request, services: ServicesDep
) -> TokenAnswer:
    """Takes account and password, so that a stolen log-in cannot make one."""
    person = await services.accounts.check_password(
        question.account, question.password, source_of(request)
    )
    issued = await services.accounts.issue_token(
        person, label=question.label, lifetime=timedelta(days=question.days)
    )
    await services.audit.record(
        Act(actor=person.id, action="token.issue", target=issued.digest.hex())
    )
    return TokenAnswer(
        id=issued.digest.hex(), token=issued.secret, expires_at=issued.expires_at
    )


@router.get("/tokens", summary="One's own tokens in force")
async def tokens(viewer: Everybody, services: ServicesDep) -> TokenList:
    """Without the secrets: those are not kept."""
    held = await services.accounts.tokens(viewer.id)
    return TokenList(items=[TokenEntry.model_validate(t) for t in held])


@router.delete("/tokens/{token_id}", status_code=204, summary="Revoke a token")
async def revoke_token(
    token_id: str, viewer: Everybody, services: ServicesDep, streams: StreamsDep
) -> None:
    """Closes its open streams as well."""
    await services.accounts.revoke_token(viewer.id, token_id)
    await services.audit.record(
        Act(actor=viewer.id, action="token.revoke", target=token_id)
    )
    streams.close_digest(bytes.fromhex(token_id))


def _me(viewer: Viewer, credential: Credential) -> Me:
    account = viewer.account
    return Me(
        account=account.id,
        name=account.name,
        name_latin=account.name_latin,
        roles=list(account.roles),
        resident=account.resident,
        stations=list(account.stations),
        teams=sorted(viewer.doctor_teams | viewer.specialist_teams),
        expires_at=credential.expires_at,
    )
