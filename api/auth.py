"""Who asks: a console cookie or a bearer token, and which roles a route is open to.

Every route depends on ``Requires``; relationship is decided in the services.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Request, Response
from fastapi.security import APIKeyCookie, HTTPBearer

from api.settings import ApiSettings
from api.state import ServicesDep, SettingsDep
from gateway.errors import SignInError
from gateway.model.people import Role
from gateway.services.access import require_role
from gateway.services.bundle import Services
from gateway.services.identity import Credential, Issued, Viewer

COOKIE: Final = "vitalgate_login"
SECURE_COOKIE: Final = "__Host-vitalgate_login"

# Only for the OpenAPI document; the work is done in ``credential_of``.
_COOKIE_SCHEME = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="login")
_BEARER_SCHEME = HTTPBearer(auto_error=False, scheme_name="token")

EVERYBODY: Final = tuple(Role)
CLINICAL: Final = (
    Role.RESIDENT,
    Role.OPERATOR,
    Role.MANAGER,
    Role.DOCTOR,
    Role.SPECIALIST,
)
STAFF: Final = (Role.OPERATOR, Role.MANAGER)
DOCTORS: Final = (Role.DOCTOR, Role.SPECIALIST)


async def credential_of(
    request: Request,
    services: ServicesDep,
    settings: SettingsDep,
    _cookie: Annotated[str | None, Depends(_COOKIE_SCHEME)] = None,
    _bearer: Annotated[object, Depends(_BEARER_SCHEME)] = None,
) -> Credential:
    """What the request proves.

    Raises:
        SignInError: nothing, or nothing that is in force.
    """
    found = await prove(request, services, settings)
    if found is None:
        raise SignInError("sign-in: no log-in or token in force.")
    return found


async def prove(
    request: Request, services: Services, settings: ApiSettings
) -> Credential | None:
    """What the request proves, or None. A bearer token comes before a cookie."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer":
            return None
        return await services.accounts.by_bearer(secret.strip())
    secret = request.cookies.get(cookie_name(settings), "")
    return await services.accounts.by_login(secret) if secret else None


CredentialDep = Annotated[Credential, Depends(credential_of)]


async def viewer_of(credential: CredentialDep, services: ServicesDep) -> Viewer:
    """Who asks, with the facts that decide what they may see."""
    return await services.access.viewer(credential.account)


@dataclass(frozen=True)
class Requires:
    """A dependency: the route is open to these roles, and yields the viewer."""

    roles: tuple[Role, ...]

    async def __call__(self, viewer: Annotated[Viewer, Depends(viewer_of)]) -> Viewer:
        """The viewer.

        Raises:
            AccessDeniedError: none of the roles.
        """
        require_role(viewer, *self.roles)
        return viewer


def cookie_name(settings: ApiSettings) -> str:
    """The cookie of a console log-in."""
    return SECURE_COOKIE if settings.secure_cookies else COOKIE


def set_login(
    response: Response, settings: ApiSettings, issued: Issued, now: datetime
) -> None:
    """Hand a log-in to the browser; no script can read it, no other site send it."""
    # Seconds, not an instant: the browser's clock may be wrong.
    lifetime = int((issued.expires_at - now).total_seconds())
    response.set_cookie(
        cookie_name(settings),
        issued.secret,
        max_age=lifetime,
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="strict",
    )


def clear_login(response: Response, settings: ApiSettings) -> None:
    """Take it back."""
    response.delete_cookie(
        cookie_name(settings),
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="strict",
    )


def source_of(request: Request) -> str:
    """The caller's network address, for counting failed tries.

    Behind a proxy on this machine it is the address that the proxy saw, the last one
    of ``X-Forwarded-For``: else one guesser would lock everybody out. From elsewhere
    the header is anybody's invention and does not count.
    """
    peer = request.client.host if request.client else ""
    named = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    try:
        if ipaddress.ip_address(peer).is_loopback and named:
            return str(ipaddress.ip_address(named))
    except ValueError:
        return peer
    return peer
