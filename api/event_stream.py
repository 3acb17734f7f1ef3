"""The answer of a live stream: frames as they come, beats in silence, a clean end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response

from api.live import Client, LiveStreams
from api.metrics import Receive, Scope, Send
from api.settings import ApiSettings
from gateway.ports.clock import Clock

# What a client that does not read gets to take the end of its stream.
FAREWELL_S: Final = 1.0

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class EventStream(Response):
    """Sends a client's frames until it leaves, is cut, or may no longer listen."""

    media_type = "text/event-stream"

    def __init__(
        self,
        streams: LiveStreams,
        client: Client,
        *,
        settings: ApiSettings,
        clock: Clock,
        still_allowed: Callable[[], Awaitable[bool]],
    ) -> None:
        super().__init__(None)
        self._streams = streams
        self._client = client
        self._settings = settings
        self._clock = clock
        self._still_allowed = still_allowed

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Run the stream."""
        pump = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(_disconnected(receive))
        closed = asyncio.create_task(self._client.closed.wait())
        try:
            await asyncio.wait(
                (pump, gone, closed), return_when=asyncio.FIRST_COMPLETED
            )
            if closed.done() and not pump.done():
                # The pump ends by itself unless it is stuck on a full connection.
                await asyncio.wait((pump,), timeout=FAREWELL_S)
        finally:
            self._streams.discard(self._client)
            for task in (pump, gone, closed):
                task.cancel()
            results = await asyncio.gather(pump, gone, closed, return_exceptions=True)
        failure = results[0]
        if isinstance(failure, Exception):
            raise failure

    async def _pump(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        client = self._client
        checked = self._clock.monotonic()
        while not client.closed.is_set():
            chunk = await self._next()
            due = self._clock.monotonic() - checked >= self._settings.reauthorise_s
            if due or client.recheck:
                client.recheck = False
                checked = self._clock.monotonic()
                if not await self._still_allowed():
                    break
            if client.closed.is_set():
                break
            if chunk:
                await send(
                    {"type": "http.response.body", "body": chunk, "more_body": True}
                )
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> bytes:
        """The buffered frames, or a beat after silence; empty on a mere wake-up."""
        client = self._client
        if not client.frames:
            client.wake.clear()
            try:
                async with asyncio.timeout(self._settings.beat_s):
                    await client.wake.wait()
            except TimeoutError:
                return self._streams.beat()
        return client.take()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
