"""A session recorded over the real bleak, and played back byte for byte."""

import asyncio
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import ManualClock
from gateway.errors import (
    ConfigurationError,
    LinkClosedError,
    LinkRefusedError,
    LinkTimeoutError,
)
from gateway.ports.devices import GattLink, LinkKind, Peer, Received
from gateway.transports.recording import (
    Recorder,
    RecordingByteLink,
    RecordingGattLink,
)
from gateway.transports.recording_file import MAX_RECORDING_BYTES, Recording
from gateway.transports.replay import (
    MAX_WAITS_FOR_A_WRITE,
    ReplayByteLink,
    ReplayGattLink,
    replay_link,
)
from simulators.radio.behaviour import Behaviour
from simulators.radio.blood_pressure import SimulatedCuff
from tests.transports.room import Room, running, sighting_of, uuid

BPM, SERIAL, SYSTEM_ID, MODEL = (uuid(n) for n in (0x2A35, 0x2A25, 0x2A23, 0x2A24))
CLOCK, RACP = uuid(0x2A2B), uuid(0x2A52)
PEER = Peer(address="C0:DE:00:00:00:01", name="EX-CUFF", serial_number="USB-7")
START = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Script:
    """A link that plays what a test wrote down."""

    peer = PEER

    def __init__(self, *values: Received | Exception | None) -> None:
        self.values = list(values)

    def has(self, characteristic: str) -> bool:
        return characteristic != RACP

    async def read(self, characteristic: str) -> bytes:
        if characteristic == RACP:
            raise LinkRefusedError("read: refused")
        return b"EX-000001" if characteristic == SERIAL else b"\x01\x02"

    async def write(self, *_what: str | bytes, response: bool = True) -> None:
        del response

    async def subscribe(self, characteristic: str) -> None:
        if characteristic == RACP:
            raise LinkTimeoutError("subscribe: no answer in time")

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        del timeout
        value = self.values.pop(0)
        if isinstance(value, Exception):
            raise value
        return value


def recorder(
    file: io.StringIO,
    clock: ManualClock,
    *,
    link: LinkKind = LinkKind.GATT,
    strip: bool = False,
    limit: int = MAX_RECORDING_BYTES,
) -> Recorder:
    return Recorder(
        file,
        peer=PEER,
        link=link,
        driver="blood-pressure/1",
        clock=clock,
        salt=b"station secret",
        strip=strip,
        limit=limit,
    )


class Kept(io.StringIO):
    """A text file whose content outlives its closing."""

    content = ""

    def close(self) -> None:
        self.content = self.getvalue()
        super().close()

    def text(self) -> str:
        return self.content if self.closed else self.getvalue()


def rows(file: Kept) -> list[dict[str, Any]]:
    return [json.loads(row) for row in file.text().splitlines()]


def parsed(*lines: dict[str, Any], link: str = "gatt") -> Recording:
    header = {
        "vitalgate_recording": 1,
        "link": link,
        "driver": "d/1",
        "started": START.isoformat(),
        "peer": {},
    }
    return Recording.parse(
        [json.dumps(row).encode() + b"\n" for row in (header, *lines)]
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


async def test_everything_that_happens_is_a_line(clock: ManualClock) -> None:
    file = Kept()
    script = Script(
        Received(data=b"\x16\x8d", at=START, channel=BPM),
        Received(data=b"", at=START, channel=BPM),
        None,
        LinkClosedError("the device ended the link"),
    )
    link = RecordingGattLink(script, recorder(file, clock))
    assert link.has(BPM.upper())
    await link.subscribe(BPM)
    clock.advance(0.5)
    assert await link.read(MODEL) == b"\x01\x02"
    await link.write(CLOCK, b"\x01", response=False)
    for _ in range(3):
        await link.receive(1)
    clock.advance(2.25)
    with pytest.raises(LinkClosedError):
        await link.receive(1)
    header, *lines = rows(file)
    assert header["vitalgate_recording"] == 1
    assert header["driver"] == "blood-pressure/1"
    assert datetime.fromisoformat(header["started"]) == START
    assert PEER.address not in file.text()
    assert len(header["peer"]["address_hash"]) == 16
    assert lines == [
        {"t": 0.0, "dir": "has", "channel": BPM, "hex": "01"},
        {"t": 0.0, "dir": "sub", "channel": BPM},
        {"t": 0.5, "dir": "read", "channel": MODEL, "hex": "0102"},
        {"t": 0.5, "dir": "tx", "channel": CLOCK, "hex": "01", "response": False},
        {"t": 0.5, "dir": "rx", "channel": BPM, "hex": "168d"},
        {"t": 0.5, "dir": "rx", "channel": BPM},
        {
            "t": 2.75,
            "dir": "close",
            "error": "LinkClosedError",
            "detail": "the device ended the link",
        },
    ]


async def test_strip_takes_out_what_identifies_the_device(clock: ManualClock) -> None:
    file = Kept()
    link = RecordingGattLink(Script(), recorder(file, clock, strip=True))
    assert await link.read(SERIAL) == b"EX-000001"
    await link.read(SYSTEM_ID.upper())
    await link.read(MODEL)
    link.finish()
    text = file.text()
    assert "EX-CUFF" not in text
    assert "USB-7" not in text
    assert b"EX-000001".hex() not in text
    header, serial, system, model, end = rows(file)
    assert header["stripped"] is True
    assert serial["hex"] == "00" * 9
    assert system["hex"] == "0000"
    assert model["hex"] == "0102"
    assert end["dir"] == "close"


async def test_a_full_recording_says_so_and_the_session_goes_on(
    clock: ManualClock,
) -> None:
    file = Kept()
    script = Script(*(Received(data=bytes(20), at=START) for _ in range(50)))
    made = recorder(file, clock, link=LinkKind.BYTES, limit=1000)
    link = RecordingByteLink(script, made)
    for _ in range(50):
        assert await link.receive(1) is not None
    assert made.full
    assert rows(file)[-1]["dir"] == "full"
    assert len(file.text()) < 1200


def test_a_file_is_new_and_its_owners_only(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    options: dict[str, Any] = {
        "peer": PEER,
        "link": LinkKind.BYTES,
        "driver": "d/1",
        "clock": clock,
        "salt": b"s",
    }
    Recorder.create(path, **options).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert Recording.load(path).header.link is LinkKind.BYTES
    with pytest.raises(FileExistsError):
        Recorder.create(path, **options)


async def test_a_recorded_session_is_played_back_byte_for_byte(
    room: Room, tmp_path: Path
) -> None:
    cuff = SimulatedCuff(now=room.clock.now, behaviour=Behaviour(idle_disconnect_s=0.2))
    await room.virtual.add(cuff)
    for n in range(3):
        await cuff.measure(systolic=120 + n, diastolic=80)
    path = tmp_path / "cuff.jsonl"

    async def session(link: GattLink) -> list[Any]:
        seen: list[Any] = [link.has(BPM), await link.read(MODEL)]
        await link.subscribe(BPM)
        try:
            while (value := await link.receive(2)) is not None:
                seen.append((value.channel, value.data))
        except LinkClosedError as error:
            seen.append(str(error))
        return seen

    async with running(await room.radio()) as radio:
        real = await radio.connect(await sighting_of(radio, "EX-CUFF"))
        made = Recorder.create(
            path,
            peer=real.peer,
            link=LinkKind.GATT,
            driver="blood-pressure/1",
            clock=room.clock,
            salt=b"s",
        )
        live = await session(RecordingGattLink(real, made))
        await real.close()
    replay = replay_link(Recording.load(path))
    assert isinstance(replay, ReplayGattLink)
    assert await session(replay) == live
    assert len(live) == 6
    await replay.close()
    assert replay.differences == []


async def test_what_the_device_answered_waits_for_the_question() -> None:
    replay = ReplayGattLink(
        parsed(
            {"t": 0.1, "dir": "rx", "channel": BPM, "hex": "01"},
            {"t": 0.2, "dir": "tx", "channel": RACP, "hex": "0101"},
            {"t": 0.3, "dir": "rx", "channel": BPM, "hex": "02"},
        )
    )
    first = await replay.receive(1)
    assert first is not None
    assert first.at == START.replace(microsecond=100_000)
    assert await replay.receive(1) is None
    await replay.write(RACP.upper(), b"\x01\x01")
    second = await replay.receive(1)
    assert second is not None
    assert second.data == b"\x02"
    with pytest.raises(LinkClosedError):
        await replay.receive(1)
    assert replay.differences == []


async def test_a_write_that_never_comes_is_reported_and_passed_over() -> None:
    replay = ReplayByteLink(
        parsed(
            {"t": 0.2, "dir": "tx", "hex": "aa"},
            {"t": 0.3, "dir": "rx", "hex": "bb"},
            link="bytes",
        )
    )
    waits = [await replay.receive(1) for _ in range(MAX_WAITS_FOR_A_WRITE)]
    assert waits == [None] * MAX_WAITS_FOR_A_WRITE
    value = await replay.receive(1)
    assert value is not None
    assert value.data == b"\xbb"
    assert [(d.kind, d.recorded) for d in replay.differences] == [
        ("missing-write", "aa")
    ]


async def test_changed_extra_and_unread_are_differences() -> None:
    replay = ReplayGattLink(
        parsed(
            {"t": 0.1, "dir": "tx", "channel": CLOCK, "hex": "01"},
            {"t": 0.2, "dir": "rx", "channel": BPM, "hex": "02"},
            {"t": 0.3, "dir": "tx", "channel": RACP, "hex": "0101"},
        )
    )
    await replay.write(CLOCK, b"\x09")
    await replay.write(CLOCK, b"\x0a")
    with pytest.raises(LinkRefusedError):
        await replay.read(MODEL)
    await replay.close()
    assert [(d.kind, d.recorded, d.actual) for d in replay.differences] == [
        ("changed-write", "01", "09"),
        ("extra-write", "", "0a"),
        ("extra-read", "", ""),
        ("unread", "02", ""),
        ("missing-write", "0101", ""),
    ]


async def test_recorded_failures_fail_again(clock: ManualClock) -> None:
    file = Kept()
    link = RecordingGattLink(Script(), recorder(file, clock))
    with pytest.raises(LinkRefusedError):
        await link.read(RACP)
    with pytest.raises(LinkTimeoutError):
        await link.subscribe(RACP)
    link.finish()
    replay = ReplayGattLink(
        Recording.parse([row.encode() for row in file.text().splitlines(True)])  # noqa: FBT003 - keepends
    )
    with pytest.raises(LinkRefusedError, match="refused"):
        await replay.read(RACP)
    with pytest.raises(LinkTimeoutError, match="in time"):
        await replay.subscribe(RACP)


async def test_the_recorded_pauses_are_kept_on_a_clock(clock: ManualClock) -> None:
    replay = ReplayByteLink(
        parsed({"t": 10.0, "dir": "rx", "hex": "01"}, link="bytes"), clock=clock
    )
    waiting = asyncio.ensure_future(replay.receive(4))
    await asyncio.sleep(0)
    clock.advance(4)
    assert await waiting is None
    waiting = asyncio.ensure_future(replay.receive(30))
    await asyncio.sleep(0)
    clock.advance(5)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(1)
    value = await waiting
    assert value is not None
    assert value.data == b"\x01"


async def test_reads_come_in_their_recorded_order() -> None:
    replay = ReplayGattLink(
        parsed(
            {"t": 0.1, "dir": "read", "channel": CLOCK, "hex": "01"},
            {"t": 0.2, "dir": "read", "channel": CLOCK, "hex": "02"},
            {"t": 0.2, "dir": "has", "channel": RACP, "hex": "00"},
        )
    )
    assert [await replay.read(CLOCK) for _ in range(3)] == [b"\1", b"\2", b"\2"]
    assert replay.has(CLOCK)
    assert not replay.has(RACP)
    assert not replay.has(BPM)


GOOD = json.dumps(
    {
        "vitalgate_recording": 1,
        "link": "bytes",
        "driver": "d/1",
        "started": "2026-03-01T09:00:00+00:00",
        "peer": {},
    }
).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"hello\n",
        GOOD.replace(b'recording": 1', b'recording": 2') + b"\n",
        GOOD.replace(b"+00:00", b"") + b"\n",
        GOOD.replace(b"2026-03-01", b"yesterday") + b"\n",
        GOOD + b'\n{"t": 1, "dir": "up"}\n',
        GOOD + b'\n{"t": 1, "dir": "rx", "hex": "0"}\n',
        GOOD + b'\n{"t": 1}\n{"t": 1, "dir": "rx"}\n',
        GOOD + b"\n" + b"x" * 20_000,
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    if content.endswith(b"x" * 20_000):
        assert Recording.load(path).cut_off
        return
    with pytest.raises(ConfigurationError):
        Recording.load(path)


def test_a_last_line_cut_off_by_a_loss_of_power_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(GOOD + b'\n{"t": 1, "dir": "rx", "hex": "01"}\n{"t": 2, "di')
    recording = Recording.load(path)
    assert len(recording.lines) == 1
    assert recording.cut_off
