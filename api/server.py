"""uvicorn, on loopback by default, that closes live streams before it ends."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn

from api.metrics import Asgi
from gateway.errors import ConfigurationError

# Requests in progress get this long after the streams have been closed.
GRACE_S: Final = 3
# A stalled client must not hold a connection for ever between two requests.
KEEP_ALIVE_S: Final = 15
# Connections waiting to be accepted.
BACKLOG: Final = 512


class ApiServer(uvicorn.Server):
    """Serves one app until cancelled.

    ``on_exit`` closes its streams (``app.state.streams.close_all``); ``own_signals``
    makes the server handle SIGINT and SIGTERM by itself.
    """

    def __init__(
        self,
        app: Asgi,
        *,
        on_exit: Callable[[], None] | None = None,
        host: str = "127.0.0.1",
        port: int = 8470,
        own_signals: bool = False,
    ) -> None:
        """Bind the address; ``port`` 0 chooses a free one.

        Raises:
            ConfigurationError: the address is taken or not this machine's.
        """
        self._on_exit = on_exit
        self._own_signals = own_signals
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket = _bind(host, port)
        self.port: int = self._socket.getsockname()[1]
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=self.port,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    async def run_until_cancelled(self) -> None:
        """Serve; when cancelled, close the streams, finish requests, and end."""
        self._loop = asyncio.get_running_loop()
        serving = asyncio.create_task(self.serve(sockets=[self._socket]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            self.stop()
            await serving
            raise

    def stop(self) -> None:
        """Ask the server to end."""
        self._close_streams()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """On a signal: streams first, for uvicorn waits for open connections."""
        if self._loop is not None:
            # A signal handler runs between two bytecodes of the loop's own code.
            self._loop.call_soon_threadsafe(self._close_streams)
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process that runs us, unless told otherwise."""
        if self._own_signals:
            with super().capture_signals():
                yield
        else:
            yield

    def _close_streams(self) -> None:
        if self._on_exit is not None:
            self._on_exit()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            f"http: cannot listen on {host}:{port} ({error.strerror}).",
            remedy="Choose another port or address.",
        ) from error
    return bound
