"""A hub that is killed at any instant has what it acknowledged, and nothing twice."""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from gateway.wire.batch import Acknowledgement
from gateway.wire.seal import Signer, unseal
from tests.hub.build import Hub, StationModel, blood_pressure
from tests.hub.intake_process import FRAME

ROOT = Path(__file__).parents[2]
ROUNDS = 6
READINGS = 6_000
BATCH = 5


async def feed(process: Process, model: StationModel, random_: random.Random) -> None:
    """Send what is not acknowledged, over and over, partly twice, out of order."""
    assert process.stdin is not None
    while model.unacknowledged:
        open_ = model.unacknowledged
        start = random_.choice([0, random_.randrange(len(open_))])
        message = model.batch(open_[start : start + BATCH])
        topic = message.topic.encode()
        frame = FRAME.pack(len(topic), len(message.payload)) + topic + message.payload
        process.stdin.write(frame * random_.choice([1, 1, 2]))
        await process.stdin.drain()


async def hear(process: Process, models: dict[str, StationModel], key: bytes) -> None:
    """Take acknowledgements until the pipe ends."""
    assert process.stdout is not None
    while True:
        head = await process.stdout.readexactly(FRAME.size)
        topic, payload = [
            await process.stdout.readexactly(length) for length in FRAME.unpack(head)
        ]
        body = unseal(topic.decode(), payload, key)
        acknowledgement = msgspec.json.decode(body, type=Acknowledgement)
        models[acknowledgement.station].take(acknowledgement)


@pytest.mark.timeout(120)
async def test_kill_9_loses_nothing_acknowledged_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    random_ = random.Random(20260302)  # noqa: S311 - where to kill, not a secret
    path, key = tmp_path / "hub.db", tmp_path / "hub.key"
    public = Signer.from_file(key).public_key
    models = {id_: StationModel(id_) for id_ in ("station-a", "station-b")}
    hub = Hub(path)
    await hub.open()
    for number, model in enumerate(models.values()):
        await hub.enrol(model)
        first = number * READINGS
        model.record(
            *(blood_pressure(first + n, station=model.id) for n in range(READINGS))
        )
    hub.database.close()

    progress: list[int] = []
    for _ in range(ROUNDS):
        before = sum(len(model.acknowledged) for model in models.values())
        target = before + random_.randint(1, 900)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "tests/hub/intake_process.py"),
            str(path),
            str(key),
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        heard = asyncio.create_task(hear(process, models, public))
        fed = [
            asyncio.create_task(feed(process, model, random_))
            for model in models.values()
        ]
        while sum(len(model.acknowledged) for model in models.values()) < target:
            assert not heard.done()
            await asyncio.sleep(0)
        process.send_signal(signal.SIGKILL)
        with suppress(asyncio.IncompleteReadError):
            await heard
        for task in fed:
            task.cancel()
        await asyncio.gather(*fed, return_exceptions=True)
        assert process.stdin is not None
        process.stdin.close()
        with suppress(ConnectionError):
            await process.stdin.wait_closed()
        assert await process.wait() == -signal.SIGKILL
        progress.append(sum(len(m.acknowledged) for m in models.values()) - before)

        hub = Hub(path)
        held = await hub.logged()
        assert await hub.letters.counts() == {}
        hub.database.close()
        assert len(held) == len(set(held))
        acknowledged = {
            model.journal[seq][1]
            for model in models.values()
            for seq in model.acknowledged
        }
        assert acknowledged <= set(held)
    assert all(progress)
    assert sum(len(model.unacknowledged) for model in models.values()) > 0
