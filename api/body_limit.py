"""Refuses bodies that no request of ours has."""

from typing import Final

from starlette.datastructures import Headers

from api.metrics import Asgi, Message, Receive, Scope, Send
from api.problems import problem_response

# The largest ordinary body is a note of 2 000 characters, or an entry of a roster.
MAX_BODY_BYTES: Final = 256 * 1024
# A roster in one request; larger ones are loaded from a file, or in slices.
MAX_ROSTER_BYTES: Final = 32 * 1024 * 1024


class LimitBodies:
    """ASGI middleware: 413 for a body beyond the path's limit, declared or not."""

    def __init__(self, app: Asgi, *, large: tuple[str, ...] = ()) -> None:
        self._app = app
        self._large = large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, counting what comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = MAX_ROSTER_BYTES if scope["path"] in self._large else MAX_BODY_BYTES
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            await _refuse(limit, scope, receive, send)
            return
        if "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        # A body of undeclared length: read it here, within the limit.
        messages: list[Message] = []
        size = 0
        more = True
        while more:
            message = await receive()
            messages.append(message)
            if message["type"] != "http.request":
                break
            size += len(message.get("body", b""))
            if size > limit:
                await _refuse(limit, scope, receive, send)
                return
            more = message.get("more_body", False)

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)


async def _refuse(limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem_response(
        "too-large", f"body: more than {limit} bytes.", Headers(scope=scope)
    )
    await answer(scope, receive, send)
