"""Readings go in while hub, station and broker are killed; then the books must agree.

::

    boards on ptys -> station process -> cut-off proxy -> broker -> hub process

What the station's journal has committed must be in the hub's log once, with the right
person, and every person with a meter's HI must have exactly one alert of its rule. The
journal keeps the keys of acknowledged entries without their type: a key the hub lacks
counts as lost whatever its type, and the others have the type the hub's log gives.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from firmware_protocols.lepu.pc300.glucose import Glucose, GlucoseFlag
from firmware_protocols.lepu.pc300.temperature import Temperature
from gateway.model.alert import Alert
from gateway.model.observation import Absent, Observation
from gateway.mqtt.accounts import AccountBook
from gateway.mqtt.orphan import orphan_pid
from gateway.ports.devices import Identified
from gateway.ports.journal import EntryType
from gateway.station.supervisor_state import device_id, identified_id
from gateway.wire.batch import decode_body
from gateway.wire.seal import Signer
from simulators.kiosk_board import KioskBoard
from simulators.pty_port import PtyPort, serve_on_pty

SITE: Final = "ledger"
STATION: Final = "home-1"
RULE: Final = "glu.hyper_meter_hi"
BOARDS: Final = 6
SPEED: Final = 5.0  # of the boards' time: a temperature takes 3 s of it
TEMPERATURE_S: Final = 3.5 / SPEED
HI_SHARE: Final = 0.05  # of the readings of every second person
TEMPERATURE_SHARE: Final = 0.15
# Below 33.3 mmol/L, from where on a number counts as HI too.
TENTHS_MMOL: Final = (40, 332)
CENTI_CELSIUS: Final = (3500, 3990)
KILL_GAP_S: Final = (1.5, 4.5)
CUT_GAP_S: Final = (2.0, 8.0)
CUT_S: Final = (0.1, 2.5)
READY_S: Final = 60.0
DRAIN_S: Final = 150.0
STOP_S: Final = 15.0


class LedgerError(Exception):
    """The run could not be brought to its end."""


def say(text: str) -> None:
    """Progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def resident(index: int) -> str:
    return f"resident-{index + 1}"


def serial(index: int) -> str:
    return f"90000{index + 1:02d}"


class Process:
    """A ``vitalgate`` process that is started again whenever it has ended."""

    def __init__(self, name: str, config: Path) -> None:
        self.name = name
        self.kills = 0
        self.ended_itself = 0
        self._config = config
        self._running: asyncio.subprocess.Process | None = None
        self._killed = False

    async def run(self) -> None:
        """Keep it running; stop it, by its process id, when cancelled."""
        try:
            while True:
                with self._config.with_suffix(".log").open("ab") as output:
                    self._running = await asyncio.create_subprocess_exec(
                        sys.executable,
                        *("-m", "gateway", self.name, "--config", str(self._config)),
                        stdin=asyncio.subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                    )
                self._killed = False
                await self._running.wait()
                if not self._killed:
                    self.ended_itself += 1
                    say(f"{self.name} ended with {self._running.returncode}")
                    await asyncio.sleep(0.5)
        finally:
            await self._stop()

    async def kill(self) -> bool:
        """SIGKILL; False when it is not running."""
        process = self._running
        if process is None or process.returncode is not None or self._killed:
            return False
        self._killed = True
        process.kill()
        self.kills += 1
        return True

    async def _stop(self) -> None:
        process = self._running
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class Proxy:
    """A TCP line to the broker that can be cut."""

    def __init__(self, upstream: int) -> None:
        self.cuts = 0
        self._upstream = upstream
        self._open = True
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(
        self, near: asyncio.StreamReader, out: asyncio.StreamWriter
    ) -> None:
        self._writers.add(out)
        with contextlib.suppress(OSError):
            if self._open:
                far, to = await asyncio.open_connection("127.0.0.1", self._upstream)
                self._writers.add(to)
                await asyncio.gather(self._pump(near, to), self._pump(far, out))
        self._drop(out)

    async def cut(self, seconds: float) -> None:
        """End every connection, and refuse new ones for a while."""
        self.cuts += 1
        self._open = False
        for writer in list(self._writers):
            self._drop(writer)
        await asyncio.sleep(seconds)
        self._open = True

    def mend(self) -> None:
        """Take connections again, should a cut have been broken off."""
        self._open = True

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        self._drop(target)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()


@dataclass
class Injected:
    """What the devices have sent, by resident and bytes."""

    frames: Counter[tuple[str, bytes]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.frames.total()


class Patient:
    """A resident's board, and what is measured with it."""

    def __init__(self, index: int, board: KioskBoard, port: PtyPort, seed: int) -> None:
        self.name = resident(index)
        self._has_hi = index % 2 == 0
        self._board = board
        self._port = port
        self._rng = random.Random(f"{seed}|{index}")  # noqa: S311 - a repeatable run
        self._values: dict[tuple[int, int], list[int]] = {}
        self._temperature_until = 0.0

    def measure(self, injected: Injected) -> None:
        """One glucose result or temperature."""
        now = asyncio.get_running_loop().time()
        choice = self._rng.random()
        if choice < TEMPERATURE_SHARE and now >= self._temperature_until:
            self._temperature_until = now + TEMPERATURE_S
            celsius = Decimal(self._next(CENTI_CELSIUS)) / 100
            frame = Temperature.of_celsius(celsius).to_frame()
            self._port.act(
                self._board.measure_temperature, self._port.now(), celsius=celsius
            )
        elif self._has_hi and choice > 1 - HI_SHARE:
            frame = Glucose.of_flag(GlucoseFlag.HIGH).to_frame()
            self._port.act(self._board.measure_glucose, flag=GlucoseFlag.HIGH)
        else:
            mmol_l = Decimal(self._next(TENTHS_MMOL)) / 10
            frame = Glucose.of_mmol_l(mmol_l).to_frame()
            self._port.act(self._board.measure_glucose, mmol_l=mmol_l)
        injected.frames[self.name, frame.raw] += 1

    def _next(self, span: tuple[int, int]) -> int:
        """Every value of the span once, in random order, before one comes again."""
        left = self._values.setdefault(span, [])
        if not left:
            left += range(span[0], span[1] + 1)
            self._rng.shuffle(left)
        return left.pop()


class Plant:
    """The files, the two processes, the proxy and the boards."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.journal = folder / "station" / "journal.db"
        self.database = folder / "hub" / "hub.db"
        self.broker_folder = (folder / "hub" / "broker").resolve()
        self.broker_port = free_port()
        self.broker_kills = 0
        self.proxy = Proxy(self.broker_port)
        self.hub = Process("hub", folder / "hub.toml")
        self.station = Process("station", folder / "station.toml")
        self.patients: list[Patient] = []

    @property
    def broker_pid(self) -> int:
        """The broker's process id, 0 when it does not run."""
        folder = self.broker_folder
        return orphan_pid(folder / "nats.pid", folder / "nats.json")

    async def kill_broker(self) -> bool:
        pid = self.broker_pid
        if not pid:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.broker_kills += 1
            return True
        return False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything runs; whatever happens, no process is left behind."""
        async with AsyncExitStack() as stack:
            server = await asyncio.start_server(self.proxy.serve, "127.0.0.1", 0)
            stack.callback(server.close)
            paths = []
            for index in range(BOARDS):
                board = KioskBoard(serial=serial(index), seed=self.seed + index)
                port = await stack.enter_async_context(serve_on_pty(board, speed=SPEED))
                paths.append(port.path)
                self.patients.append(Patient(index, board, port, self.seed))
            self._configure(int(server.sockets[0].getsockname()[1]), paths)
            tasks = [
                asyncio.create_task(process.run())
                for process in (self.hub, self.station)
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self.kill_broker()  # a hub that had to be killed leaves it
                await self.proxy.cut(0)

    def _configure(self, proxy_port: int, paths: list[str]) -> None:
        for name in ("hub", "station"):
            (self.folder / name).mkdir(mode=0o700)
        hub_key = Signer.from_file(self.folder / "hub" / "hub.key").public_key
        key = Signer.from_file(self.folder / "station" / "station.key").public_key
        self.broker_folder.mkdir(mode=0o700)
        book = AccountBook(self.broker_folder / "accounts.json")
        secret = self.folder / "mqtt.password"
        secret.write_text(book.add_station(SITE, STATION).password)
        (self.folder / "roster.json").write_text(json.dumps(_roster(key)))
        (self.folder / "hub.toml").write_text(
            f'data_dir = "hub"\nsite = "{SITE}"\nroster = "roster.json"\n'
            f"[broker]\nport = {self.broker_port}\n[http]\nport = 0\n"
        )
        devices = "".join(
            f'[[device]]\nkey = "board-{index + 1}"\nlink = "bytes"\n'
            f'driver = "lepu_kiosk"\naddress = "{path}"\n'
            for index, path in enumerate(paths)
        )
        (self.folder / "station.toml").write_text(
            f'station = "{STATION}"\nsite = "{SITE}"\nsetting = "home"\n'
            f'data_dir = "station"\nhub_public_key = "{hub_key.hex()}"\n'
            f'[mqtt]\nhosts = ["127.0.0.1:{proxy_port}"]\n'
            f'password_file = "mqtt.password"\ntls = false\n'
            "[radio]\nenabled = false\n[serial]\nonly_configured = true\n" + devices
        )


def owner_by_device() -> dict[str, str]:
    """Residents by device id; a board late with its name goes by its configured key."""
    owners = {}
    for index in range(BOARDS):
        named = Identified(model="PC-300SNT", serial=serial(index))
        owners[identified_id(named, "")] = resident(index)
        owners[device_id(f"board-{index + 1}")] = resident(index)
    return owners


def _roster(key: bytes) -> dict[str, object]:
    people = range(BOARDS)
    return {
        "residents": [{"id": resident(i), "name": f"示例居民{i + 1}"} for i in people],
        "teams": [
            {
                "id": "team-a",
                "name": "示例团队",
                "members": [{"account": "doctor", "role": "family-doctor"}],
            }
        ],
        "contracts": [
            {
                "id": f"contract-{i + 1}",
                "resident": resident(i),
                "team": "team-a",
                "package": "basic",
                "starts": "2020-01-01",
            }
            for i in people
        ],
        "stations": [
            {
                "id": STATION,
                "site": SITE,
                "setting": "home",
                "public_key": base64.b64encode(key).decode(),
            }
        ],
        "devices": [
            {"id": device, "station": STATION, "slots": [{"resident": owner}]}
            for device, owner in owner_by_device().items()
        ],
        "accounts": [{"id": "doctor", "name": "示例医生", "roles": ["doctor"]}],
    }


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Rows of a database that another process writes; none while it is not there."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


async def ready(plant: Plant) -> None:
    """Until the station knows whose device is whose and every board is heard."""
    async with asyncio.timeout(READY_S):
        wanted = resident(BOARDS - 1).encode()
        while not any(
            isinstance(value, bytes) and wanted in value
            for (value,) in _rows(plant.journal, "SELECT value FROM station_state")
        ):
            await asyncio.sleep(0.2)
        await asyncio.sleep(3)


async def kill_all(plant: Plant, kills: int, rng: random.Random) -> None:
    """Kill each of the three ``kills`` times, in random order at random instants."""
    targets = {
        "station": plant.station.kill,
        "hub": plant.hub.kill,
        "broker": plant.kill_broker,
    }
    order = [name for name in targets for _ in range(kills)]
    rng.shuffle(order)
    for number, name in enumerate(order):
        await asyncio.sleep(rng.uniform(*KILL_GAP_S))
        async with asyncio.timeout(READY_S):
            while not await targets[name]():
                await asyncio.sleep(0.1)
        say(f"kill {number + 1}/{len(order)}: {name}")


async def cut_always(plant: Plant, rng: random.Random) -> None:
    while True:
        await asyncio.sleep(rng.uniform(*CUT_GAP_S))
        await plant.proxy.cut(rng.uniform(*CUT_S))


async def inject(
    plant: Plant, readings: int, seconds: float, injected: Injected, rng: random.Random
) -> None:
    for _ in range(readings):
        await asyncio.sleep(rng.expovariate(readings / seconds))
        rng.choice(plant.patients).measure(injected)


async def drained(plant: Plant) -> set[bytes]:
    """Keys ever committed, once nothing waits and the hub has judged everything."""
    async with asyncio.timeout(DRAIN_S):
        while True:
            await asyncio.sleep(1)
            keys = _rows(
                plant.journal,
                "SELECT key, (SELECT COUNT(*) FROM entry) FROM held_key",
            )
            behind = _rows(
                plant.database,
                "SELECT (SELECT MAX(seq) FROM log) - MIN(cursor), COUNT(*)"
                " FROM consumer WHERE name IN ('rules', 'series')",
            )
            if keys and not keys[0][1] and behind and behind[0][0] == 0:
                return {key for key, _ in keys if isinstance(key, bytes)}


@dataclass
class Balance:
    """The books compared."""

    injected: int
    committed: int
    held: int
    duplicates: int
    lost: int
    alerts_expected: int
    alerts_raised: int
    faults: tuple[str, ...]

    @property
    def good(self) -> bool:
        wrong = self.duplicates or self.lost or self.faults or not self.held
        return not wrong and self.alerts_expected == self.alerts_raised

    def __str__(self) -> str:
        return (
            f"injected={self.injected} committed={self.committed} held={self.held}"
            f" duplicates={self.duplicates} lost={self.lost}"
            f" alerts_expected={self.alerts_expected}"
            f" alerts_raised={self.alerts_raised}"
        )


def compare(plant: Plant, injected: Injected, keys: set[bytes]) -> Balance:
    """The journal's keys against the hub's database."""
    log = {
        id_: (type_, body)
        for id_, type_, body in _rows(plant.database, "SELECT id, type, body FROM log")
    }
    lost = keys - log.keys()
    held = {
        id_: decode_body(EntryType.READING, body)
        for id_, (type_, body) in log.items()
        if type_ == EntryType.READING and isinstance(body, bytes)
    }
    owners = owner_by_device()
    sent: Counter[tuple[str, bytes]] = Counter()
    faults: list[str] = []
    with_hi: set[str] = set()
    for id_, reading in held.items():
        if not isinstance(reading, Observation):
            faults.append("a reading that is none")
            continue
        owner = owners.get(reading.device, "")
        sent[owner, reading.raw] += 1
        if id_ not in keys:
            faults.append(f"{reading.id}: held, and never committed")
        if not owner or reading.subject != owner:
            faults.append(f"{reading.id}: not of {owner or 'a known device'}")
        if reading.components[0].quantity.absent is Absent.ABOVE_RANGE:
            with_hi.add(owner)
    # An id is unique in the table: the same bytes more often than they were sent, or
    # one reading twice in the series, is what a duplicate would look like.
    duplicates = (sent - injected.frames).total() + len(
        _rows(
            plant.database,
            "SELECT 1 FROM point GROUP BY observation, metric HAVING COUNT(*) > 1",
        )
    )
    series = {id_ for (id_,) in _rows(plant.database, "SELECT observation FROM point")}
    faults += [f"{UUID(bytes=id_)}: not in the series" for id_ in _ids(held, series)]
    raised = Counter(
        alert.resident
        for (body,) in _rows(plant.database, "SELECT body FROM alert")
        if isinstance(body, bytes)
        and (alert := msgspec.json.decode(body, type=Alert)).rule == RULE
    )
    if raised.keys() != with_hi:
        faults.append("alerts of other residents than expected")
    return Balance(
        injected=injected.total,
        committed=len(held.keys() & keys) + len(lost),
        held=len(held),
        duplicates=duplicates,
        lost=len(lost),
        alerts_expected=len(with_hi),
        alerts_raised=raised.total(),
        faults=tuple(faults),
    )


def _ids(held: Iterable[object], series: set[object]) -> list[bytes]:
    return [id_ for id_ in held if isinstance(id_, bytes) and id_ not in series]


async def run(folder: Path, *, seed: int, readings: int, kills: int) -> Balance:
    """One run in an empty folder.

    Raises:
        LedgerError: it did not come to an end in time.
    """
    rng = random.Random(seed)  # noqa: S311 - a repeatable run
    plant, injected = Plant(folder, seed), Injected()
    seconds = 3 * kills * sum(KILL_GAP_S) / 2 or 10.0
    stage = "start"
    if task := asyncio.current_task():  # to be stopped is to stop the processes
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        async with plant.running():
            await ready(plant)
            stage = "run"
            say(f"ready; {readings} readings within about {seconds:.0f} s")
            cutting = asyncio.create_task(cut_always(plant, random.Random(seed + 1)))  # noqa: S311 - as above
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(kill_all(plant, kills, random.Random(seed + 2)))  # noqa: S311 - as above
                    tasks.create_task(inject(plant, readings, seconds, injected, rng))
            finally:
                cutting.cancel()
                await asyncio.gather(cutting, return_exceptions=True)
                plant.proxy.mend()
            stage = "drain"
            say(
                f"killed station {plant.station.kills}, hub {plant.hub.kills}, broker"
                f" {plant.broker_kills} times; cut the line {plant.proxy.cuts} times;"
                f" ended by itself: station {plant.station.ended_itself}, hub"
                f" {plant.hub.ended_itself}"
            )
            keys = await drained(plant)
            return compare(plant, injected, keys)
    except (TimeoutError, ExceptionGroup) as error:
        raise LedgerError(f"{stage}: not done in time; see {folder}") from error


def main() -> int:
    """Exit status 1 when the books do not agree."""
    parser = argparse.ArgumentParser(prog="ledger", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--readings", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=20, help="of each process")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vitalgate-ledger-"))
    try:
        balance = asyncio.run(
            run(
                folder,
                seed=options.seed,
                readings=options.readings,
                kills=options.kills,
            )
        )
    except LedgerError as error:
        say(str(error))
        return 1
    for fault in balance.faults[:20]:
        say(fault)
    if balance.good:
        shutil.rmtree(folder)
    else:
        say(f"{len(balance.faults)} faults; kept: {folder}")
    sys.stdout.write(f"{balance}\n")
    return 0 if balance.good else 1


if __name__ == "__main__":
    sys.exit(main())
