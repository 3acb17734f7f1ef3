"""From a template to an answer: texts, language, navigation, versioned files.

A page holds no data but who is signed in; what it shows it asks of the API.
"""

import hashlib
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.templating import Jinja2Templates
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.auth import CLINICAL, DOCTORS, STAFF
from api.console.i18n import COOKIE, LANGUAGES, catalogue, language_of
from gateway.model.people import Account, Role

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
YEAR_S: Final = 31_536_000

# Who may open which page; the API decides what they then see in it.
MAY_WORKLIST: Final = DOCTORS
MAY_ALERTS: Final = (*STAFF, Role.ADMINISTRATOR)
MAY_LIST: Final = (*DOCTORS, Role.ADMINISTRATOR)
MAY_RESIDENT: Final = CLINICAL
MAY_STATIONS: Final = (*STAFF, Role.ADMINISTRATOR)
MAY_AUDIT: Final = (Role.AUDITOR,)

_NAVIGATION: Final = (
    ("/", "nav.worklist", MAY_WORKLIST),
    ("/stations", "nav.stations", MAY_STATIONS),
    ("/alerts", "nav.alerts", MAY_ALERTS),
    ("/residents", "nav.residents", MAY_LIST),
    ("/audit", "nav.audit", MAY_AUDIT),
)


class VersionedFiles(StaticFiles):
    """Static files under a path that names their content: never stale."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be kept for a year."""
        response = await super().get_response(path, scope)
        if response.status_code in (200, 304):
            response.headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable"
        return response


def _digest() -> str:
    content = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            content.update(path.relative_to(STATIC).as_posix().encode() + b"\0")
            content.update(path.read_bytes())
    return content.hexdigest()[:12]


STATIC_PATH: Final = f"/static/{_digest()}"

_templates = Jinja2Templates(HERE / "templates")
# Chinese as it is: escaped, the catalogue would take three times the space.
_templates.env.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
_templates.env.autoescape = True


def mount_files(app: FastAPI) -> None:
    """Serve the scripts, the style sheet and the icon."""
    app.mount(STATIC_PATH, VersionedFiles(directory=STATIC), name="static")


def page(
    request: Request,
    template: str,
    account: Account | None,
    *,
    status: int = 200,
    **more: object,
) -> Response:
    """A page in the reader's language; ``?lang=`` is remembered in a cookie."""
    chosen = language_of(request)
    texts = catalogue(chosen)

    def translate(key: str, **values: object) -> str:
        return texts[key].format(**values)

    context: dict[str, Any] = {
        "lang": chosen,
        "t": translate,
        "catalogue": texts,
        "static": STATIC_PATH,
        "me": account,
        "roles": [] if account is None else [f"role.{r.value}" for r in account.roles],
        "navigation": [] if account is None else navigation(request, account),
        "other_language": _in_other_language(request, chosen),
        # Whether the page says in its head that it is current.
        "live": False,
        **more,
    }
    response = _templates.TemplateResponse(
        request, template, context, status_code=status
    )
    response.headers["Content-Language"] = chosen
    response.headers["Vary"] = "Accept-Language, Cookie"
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(COOKIE, chosen, max_age=YEAR_S, samesite="lax", path="/")
    return response


def navigation(request: Request, account: Account) -> list[dict[str, object]]:
    """The pages that are open to an account, and which one this is."""
    items = [
        (href, key)
        for href, key, roles in _NAVIGATION
        if any(role in account.roles for role in roles)
    ]
    if account.resident:
        items.append((f"/residents/{account.resident}", "nav.mine"))
    here = request.url.path
    return [{"href": href, "key": key, "current": here == href} for href, key in items]


def home_of(account: Account) -> str:
    """Where an account begins."""
    if any(role in account.roles for role in MAY_WORKLIST):
        return "/"
    if any(role in account.roles for role in MAY_STATIONS):
        return "/stations"
    if account.resident:
        return f"/residents/{account.resident}"
    return "/audit"


def _in_other_language(request: Request, chosen: str) -> str:
    """This page in the other language; what else the address says stays."""
    query = [(k, v) for k, v in request.query_params.multi_items() if k != "lang"]
    other = next(name for name in LANGUAGES if name != chosen)
    return "?" + urlencode([*query, ("lang", other)])
