"""The pages: log-in, worklist, residents, one resident, stations.

A page holds no data but who is signed in; what it shows it asks of the API.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.auth import DOCTORS, STAFF, prove
from api.console.i18n import COOKIE, LANGUAGES, catalogue, language_of
from api.state import services_of, settings_of
from gateway.model.alert import Outcome
from gateway.model.people import Account, Role

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
YEAR_S: Final = 31_536_000

# The outcomes a person may choose; ``cleared`` is the engine's.
OUTCOMES: Final = tuple(o.value for o in Outcome if o is not Outcome.CLEARED)

_NAVIGATION: Final = (
    ("/", "nav.worklist", DOCTORS),
    ("/residents", "nav.residents", DOCTORS),
    ("/stations", "nav.stations", (*STAFF, Role.ADMINISTRATOR)),
)

router = APIRouter(include_in_schema=False)


class VersionedFiles(StaticFiles):
    """Static files under a path that names their content: never stale."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be kept for a year."""
        response = await super().get_response(path, scope)
        if response.status_code == 200:  # noqa: PLR2004 - HTTP OK
            response.headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable"
        return response


def _digest() -> str:
    content = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            content.update(path.read_bytes())
    return content.hexdigest()[:12]


STATIC_PATH: Final = f"/static/{_digest()}"
_templates = Jinja2Templates(HERE / "templates")


def install_console(app: FastAPI) -> None:
    """Add the pages and their files to the app."""
    app.include_router(router)
    app.mount(STATIC_PATH, VersionedFiles(directory=STATIC), name="static")


async def _account(request: Request) -> Account | None:
    found = await prove(request, services_of(request), settings_of(request))
    return None if found is None else found.account


def _page(
    request: Request,
    template: str,
    account: Account | None,
    *,
    status: int = 200,
    **more: object,
) -> Response:
    language = language_of(request)
    texts = catalogue(language)

    def translate(key: str, **values: object) -> str:
        return texts[key].format(**values)

    context: dict[str, Any] = {
        "lang": language,
        "t": translate,
        "catalogue": texts,
        "static": STATIC_PATH,
        "me": account,
        "roles": [] if account is None else [f"role.{r.value}" for r in account.roles],
        "navigation": _navigation(request, account),
        "live": False,
        **more,
    }
    response = _templates.TemplateResponse(
        request, template, context, status_code=status
    )
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(COOKIE, language, max_age=YEAR_S, samesite="lax", path="/")
    return response


def _navigation(request: Request, account: Account | None) -> list[dict[str, object]]:
    if account is None:
        return []
    items: list[dict[str, object]] = [
        {"href": href, "key": key, "current": request.url.path == href}
        for href, key, roles in _NAVIGATION
        if any(role in account.roles for role in roles)
    ]
    if account.resident:
        href = f"/residents/{account.resident}"
        current = request.url.path == href
        items.append({"href": href, "key": "nav.mine", "current": current})
    return items


def _home(account: Account) -> str:
    if any(role in account.roles for role in DOCTORS):
        return "/"
    if account.resident:
        return f"/residents/{account.resident}"
    return "/stations"


def _sign_in(request: Request) -> RedirectResponse:
    return RedirectResponse(f"/login?next={request.url.path}", 303)


def local_path(text: str) -> str:
    """``text`` if it is a path of this site, else the start page."""
    if not text.startswith("/") or text.startswith(("//", "/\\")) or "\\" in text:
        return "/"
    return text


async def _shown(
    request: Request, roles: tuple[Role, ...], render: Callable[[Account], Response]
) -> Response:
    """The page for who may see it; others are sent to log in, or home."""
    account = await _account(request)
    if account is None:
        return _sign_in(request)
    if roles and not any(role in account.roles for role in roles):
        home = _home(account)
        if home != request.url.path:
            return RedirectResponse(home, 303)
        return _page(request, "error.html", account, status=403, key="error.forbidden")
    return render(account)


@router.get("/login")
async def login(request: Request) -> Response:
    """The log-in page."""
    target = local_path(request.query_params.get("next", "/"))
    return _page(request, "login.html", None, next=target)


@router.get("/")
async def worklist(request: Request) -> Response:
    """The doctor's worklist."""
    return await _shown(
        request,
        DOCTORS,
        lambda me: _page(
            request, "worklist.html", me, live=True, may_act=True, outcomes=OUTCOMES
        ),
    )


@router.get("/residents")
async def residents(request: Request) -> Response:
    """The residents a doctor answers for."""
    return await _shown(
        request, DOCTORS, lambda me: _page(request, "residents.html", me)
    )


@router.get("/residents/{resident}")
async def resident(request: Request, resident: str) -> Response:
    """One resident; the API decides whether the reader may see them."""
    return await _shown(
        request,
        (*DOCTORS, Role.RESIDENT),
        lambda me: _page(request, "resident.html", me, resident_id=resident),
    )


@router.get("/stations")
async def stations(request: Request) -> Response:
    """Stations, their devices, and what belongs to nobody."""
    return await _shown(
        request,
        (*STAFF, Role.ADMINISTRATOR),
        lambda me: _page(
            request,
            "stations.html",
            me,
            may_act=any(role in me.roles for role in STAFF),
        ),
    )
