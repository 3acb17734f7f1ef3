"""Running a hub or a station until somebody stops it."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from api.app import create_app
from api.server import ApiServer
from api.settings import ApiSettings
from gateway.apps.hub import HubApp
from gateway.config import HttpConfig, read_secret


async def until_stopped(*mains: Coroutine[Any, Any, Any]) -> None:
    """Run until Ctrl-C, SIGTERM, or the first failure, which is raised."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    tasks = [asyncio.create_task(main) for main in mains]
    waiter = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({waiter, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        for task in (waiter, *tasks):
            task.cancel()
        results = await asyncio.gather(waiter, *tasks, return_exceptions=True)
    for result in results[1:]:
        if isinstance(result, BaseExceptionGroup):
            raise first_cause(result)
        if isinstance(result, Exception):
            raise result


def first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error a person needs: the first one inside nested groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def api_server(hub: HubApp, http: HttpConfig) -> ApiServer:
    """The hub's HTTP server, its address bound.

    Raises:
        ConfigurationError: the address is taken, or the token file cannot be read.
    """
    settings = ApiSettings(
        metrics_token=read_secret(http.token_file, "http.token_file")
    )
    app = create_app(hub.services, settings, hub.registry)
    return ApiServer(
        app, on_exit=app.state.streams.close_all, host=http.host, port=http.port
    )


@contextlib.asynccontextmanager
async def background(*mains: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    """Run beside the block; cancelled when it ends, its failure raised there."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(main) for main in mains]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
