"""The pages: log-in, worklist, residents, one resident, stations, audit, errors."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from api.auth import DOCTORS, STAFF, prove
from api.console.rendering import (
    MAY_ALERTS,
    MAY_AUDIT,
    MAY_LIST,
    MAY_RESIDENT,
    MAY_STATIONS,
    MAY_WORKLIST,
    STATIC_PATH,
    home_of,
    mount_files,
    page,
)
from api.state import services_of, settings_of
from gateway.errors import NotFoundError
from gateway.model.alert import Outcome
from gateway.model.people import Account, Role

__all__ = ["STATIC_PATH", "install_console", "local_path", "router"]

# The outcomes a person may choose; ``cleared`` is the engine's.
OUTCOMES: Final = tuple(o.value for o in Outcome if o is not Outcome.CLEARED)

# Who may move a reading to another person (with a second one's agreement).
MOVERS: Final = (*STAFF, Role.DOCTOR)

# Paths of this site as our own pages have them; a scheme, a host, a backslash, a tab or
# a second slash at the beginning would lead elsewhere.
_LOCAL: Final = re.compile(r"/(?:[\w.~%-]+(?:/[\w.~%-]+)*)?", re.ASCII)

# What answers programs, not people, also when somebody looks at it with a browser.
_NOT_PAGES: Final = ("/api/", "/health/", "/metrics", "/static/")

router = APIRouter(include_in_schema=False)


def install_console(app: FastAPI) -> None:
    """Add the pages, their files, and a page for addresses that do not exist."""
    app.include_router(router)
    mount_files(app)
    problem = app.exception_handlers[HTTPException]

    async def missing(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and _is_page(request, error):
            account = await _account(request)
            return _error_page(request, account, 404)
        answer = problem(request, error)
        return answer if isinstance(answer, Response) else await answer

    app.add_exception_handler(HTTPException, missing)


def _is_page(request: Request, error: HTTPException) -> bool:
    return (
        error.status_code == 404  # noqa: PLR2004 - HTTP not found
        and "text/html" in request.headers.get("accept", "")
        and not request.url.path.startswith(_NOT_PAGES)
    )


def local_path(text: str) -> str:
    """``text`` if it is a path of this site, else the start page."""
    return text if _LOCAL.fullmatch(text) else "/"


async def _account(request: Request) -> Account | None:
    found = await prove(request, services_of(request), settings_of(request))
    return None if found is None else found.account


def _error_page(request: Request, account: Account | None, status: int) -> Response:
    kind = {403: "forbidden", 404: "missing"}[status]
    title, text = f"error.{kind}", f"error.{kind}-text"
    return page(request, "error.html", account, status=status, title=title, text=text)


async def _shown(
    request: Request, roles: tuple[Role, ...], render: Callable[[Account], Response]
) -> Response:
    """The page for who may see it; others are sent to log in, or refused."""
    account = await _account(request)
    if account is None:
        return RedirectResponse(f"/login?next={quote(request.url.path)}", 303)
    if not _has(account, roles):
        return _error_page(request, account, 403)
    return render(account)


def _has(account: Account, roles: tuple[Role, ...]) -> bool:
    return any(role in account.roles for role in roles)


@router.get("/login")
async def login(request: Request) -> Response:
    """The log-in page; whoever is signed in goes on."""
    target = local_path(request.query_params.get("next", "/"))
    if await _account(request) is not None:
        return RedirectResponse(target, 303)
    return page(request, "login.html", None, next=target)


@router.get("/")
async def worklist(request: Request) -> Response:
    """The doctor's worklist; others begin elsewhere."""
    account = await _account(request)
    if account is not None and not _has(account, MAY_WORKLIST):
        return RedirectResponse(home_of(account), 303)
    return await _shown(
        request, MAY_WORKLIST, lambda me: _alerts(request, me, clinical=True)
    )


@router.get("/alerts")
async def alerts(request: Request) -> Response:
    """Technical alerts of stations and devices."""
    return await _shown(
        request, MAY_ALERTS, lambda me: _alerts(request, me, clinical=False)
    )


def _alerts(request: Request, me: Account, *, clinical: bool) -> Response:
    return page(
        request,
        "worklist.html",
        me,
        live=True,
        clinical=clinical,
        may_act=_has(me, (*DOCTORS, *STAFF)),
        outcomes=OUTCOMES,
    )


@router.get("/residents")
async def residents(request: Request) -> Response:
    """The residents a doctor answers for."""
    return await _shown(
        request,
        MAY_LIST,
        lambda me: page(request, "residents.html", me, may_open=_has(me, MAY_RESIDENT)),
    )


@router.get("/residents/{resident}")
async def resident(request: Request, resident: str) -> Response:
    """One resident; not found when there is none, and when it is not theirs."""
    account = await _account(request)
    if account is not None and _has(account, MAY_RESIDENT):
        services = services_of(request)
        try:
            await services.residents.one(
                await services.access.viewer(account), resident
            )
        except NotFoundError:
            return _error_page(request, account, 404)
    return await _shown(
        request,
        MAY_RESIDENT,
        lambda me: page(
            request,
            "resident.html",
            me,
            live=True,
            resident_id=resident,
            shows_alerts=_has(me, DOCTORS),
            may_move=_has(me, MOVERS),
        ),
    )


@router.get("/stations")
async def stations(request: Request) -> Response:
    """Stations, their devices, who is measured, and what belongs to nobody."""
    return await _shown(
        request,
        MAY_STATIONS,
        lambda me: page(
            request,
            "stations.html",
            me,
            live=True,
            may_act=_has(me, STAFF),
            may_command=_has(me, (Role.OPERATOR,)),
            may_move=_has(me, MOVERS),
            may_replay=_has(me, (Role.ADMINISTRATOR,)),
        ),
    )


@router.get("/audit")
async def audit(request: Request) -> Response:
    """Who did what."""
    return await _shown(request, MAY_AUDIT, lambda me: page(request, "audit.html", me))
