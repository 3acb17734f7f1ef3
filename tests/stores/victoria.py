"""A real VictoriaMetrics under test control: started, killed, wiped, filled, slowed."""

import asyncio
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import urllib3


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Victoria:
    """One server on a port and a folder that outlive its process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, *, full: bool = False) -> None:
        """Start; ``full`` makes it refuse writes for want of disk space."""
        binary = shutil.which("victoria-metrics")
        assert binary is not None
        reserve = 10**18 if full else 0
        self._process = await asyncio.to_thread(
            subprocess.Popen,
            [
                binary,
                f"-httpListenAddr=127.0.0.1:{self.port}",
                f"-storageDataPath={self.folder}",
                f"-storage.minFreeDiskSpaceBytes={reserve}",
                "-retentionPeriod=100y",
                "-loggerLevel=PANIC",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        pool = urllib3.PoolManager()
        for _ in range(200):
            try:
                await asyncio.to_thread(
                    pool.request, "GET", f"{self.url}/health", retries=False
                )
            except urllib3.exceptions.HTTPError:
                await asyncio.sleep(0.05)
            else:
                pool.clear()
                return
        raise AssertionError("victoria-metrics did not start")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop by pid and wait."""
        if self._process is None:
            return
        self._process.send_signal(number)
        await asyncio.to_thread(self._process.wait, 20)
        self._process = None

    async def wipe(self) -> None:
        """Replace its disk by an empty one."""
        await asyncio.to_thread(shutil.rmtree, self.folder)


class SlowPipe:
    """A TCP proxy that can be told to hold back everything."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.open = asyncio.Event()
        self.open.set()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._copy(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await source.read(65536):
                await self.open.wait()
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()
