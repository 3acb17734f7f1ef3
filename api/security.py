"""Security headers on every answer, refusal of cross-site changes, and the last resort.

The policy allows nothing but our own origin, no inline script or style, and no framing;
Trusted Types turn the DOM's string sinks off.
"""

import logging
import traceback
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from api.metrics import ApiMetrics, Asgi, Message, Receive, Scope, Send
from api.problems import problem_response

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

_HEADERS: Final = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_log = logging.getLogger(__name__)


class SecurityHeaders:
    """ASGI middleware: headers out; cross-site requests that change things refused."""

    def __init__(self, app: Asgi, *, https: bool) -> None:
        self._app = app
        self._headers = (*_HEADERS, _HSTS) if https else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the headers added."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def out(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], *self._headers]
                if not any(name == b"cache-control" for name, _ in headers):
                    # Answers hold health data: no cache keeps them.
                    headers.append(_NO_STORE)
                message = {**message, "headers": headers}
            await send(message)

        headers = Headers(scope=scope)
        if scope["method"] not in _SAFE_METHODS and is_cross_site(headers):
            refusal = problem_response(
                "cross-site", "origin: the request comes from another site.", headers
            )
            await refusal(scope, receive, out)
            return
        await self._app(scope, receive, out)


def is_cross_site(headers: Headers) -> bool:
    """Whether a browser says that another site caused the request.

    Programs send neither header; they carry a token that no browser adds by itself.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc != headers.get("host", "")


class LastResort:
    """ASGI middleware: an error nobody foresaw becomes a counted 500.

    Only the error's class and place are logged: its text may hold somebody's data.
    """

    def __init__(self, app: Asgi, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; answer 500 when that fails before the answer has begun."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:  # noqa: BLE001 - the outermost supervisor of requests
            name = type(error).__name__
            self._metrics.faults.labels(name).inc()
            place = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s while answering a request, at\n%s", name, place)
            if scope["type"] == "http" and not started:
                answer = problem_response("internal", "", Headers(scope=scope))
                await answer(scope, receive, send)
