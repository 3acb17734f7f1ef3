"""A real server on a free port, and a reader of its event stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from api.server import ApiServer
from tests.api.world import World

# A stuck test fails by this instead of by the suite's own limit.
PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    id: str
    data: Any


class Reader:
    """Reads events one by one."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Event | None:
        """The next event; None at the end of the stream."""
        name, id_, data = "message", "", ""
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._lines:
                if not line:
                    if data:
                        return Event(name, id_, json.loads(data))
                    continue
                key, _, value = line.partition(": ")
                if key == "event":
                    name = value
                elif key == "id":
                    id_ = value
                elif key == "data":
                    data += value
        return None

    async def skip_to(self, name: str) -> Event:
        """The next event of that name."""
        while True:
            event = await self.next()
            assert event is not None, f"the stream ended before {name}"
            if event.name == name:
                return event

    async def end(self) -> None:
        """Read until the stream ends."""
        with suppress(httpx.RemoteProtocolError):
            while await self.next() is not None:
                pass


@dataclass(slots=True)
class Served:
    world: World
    server: ApiServer
    base: str

    @asynccontextmanager
    async def stream(
        self, account: str, *, last_event_id: str = ""
    ) -> AsyncIterator[Reader]:
        """An open stream of the account."""
        async with await self.world.sign_in(account) as client:
            headers = {b"authorization": client.headers["authorization"].encode()}
        if last_event_id:
            headers[b"last-event-id"] = last_event_id.encode("latin-1")
        async with (
            httpx.AsyncClient(timeout=PATIENCE_S) as client,
            client.stream(
                "GET", f"{self.base}/api/v1/stream", headers=headers
            ) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            yield Reader(answer)

    @property
    def streams(self) -> int:
        return len(self.world.app.state.streams)

    async def until_streams(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.streams != count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def serve(world: World) -> AsyncIterator[Served]:
    """Feed and server of a world, until the block ends."""
    server = ApiServer(world.app, port=0, on_exit=world.app.state.streams.close_all)
    async with asyncio.timeout(60):
        feed = asyncio.create_task(world.services.live.run())
        serving = asyncio.create_task(server.run_until_cancelled())
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield Served(world, server, f"http://127.0.0.1:{server.port}")
        finally:
            for task in (serving, feed):
                task.cancel()
            await asyncio.gather(serving, feed, return_exceptions=True)
