import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from gateway.clock import ManualClock
from gateway.errors import ConflictError, NotFoundError, StorageError
from gateway.model.observation import Setting
from gateway.model.session import IdentifiedBy, SessionEnd, TechnicalEvent
from gateway.ports.devices import Battery, OperatorCommand
from gateway.ports.driving import EventSource
from gateway.ports.messaging import Message
from gateway.station.core import StationCore, open_core
from gateway.station.downlink import Downlink
from gateway.station.uplink import Uplink
from gateway.station.view import StationDesk, StatusReporter, last_will
from gateway.wire.batch import (
    SCHEMA,
    Acknowledgement,
    DeviceStatus,
    SessionCommand,
    StationCommand,
    StationConfig,
    StationStatus,
    decode_body,
)
from gateway.wire.seal import Signer, unseal
from tests.station.fake_hub import SIGNER, START, TOPICS, FakeBus, FakeHub
from tests.station.samples import DEVICE, reading_entry, spo2

HUB = Signer.generate()


@dataclass
class Commands:
    done: list[tuple[str, OperatorCommand]] = field(default_factory=list)

    def command(self, device: str, command: OperatorCommand) -> None:
        if device != DEVICE:
            raise NotFoundError("device: not known at this station.")
        self.done.append((device, command))


@dataclass
class Delivered:
    message: Message
    times_done: int = 0

    def done(self) -> None:
        self.times_done += 1


@dataclass
class Station:
    clock: ManualClock
    core: StationCore
    bus: FakeBus
    commands: Commands
    downlink: Downlink
    desk: StationDesk
    reporter: StatusReporter

    def message(self, name: str, body: object, *, by: Signer = HUB) -> Message:
        topic = TOPICS.down(name)
        payload = by.seal(topic, msgspec.json.encode(body))
        return Message(topic=topic, payload=payload)

    async def send(self, name: str, body: object) -> None:
        await self.downlink.handle(self.message(name, body))

    async def events(self) -> list[str]:
        entries = await self.core.journal.fresh(0, 1_000)
        found = [decode_body(e.type, e.body) for e in entries]
        return [e.code for e in found if isinstance(e, TechnicalEvent)]

    def session(self, action: str, **more: object) -> SessionCommand:
        values = {"at": self.clock.now(), "by": "op-1", **more}
        return msgspec.convert(
            {"schema": SCHEMA, "action": action, **values}, SessionCommand
        )

    def command(self, id_: str, seconds: float = 60) -> StationCommand:
        return StationCommand(
            schema=SCHEMA,
            id=id_,
            device=DEVICE,
            name="start-blood-pressure",
            by="op-1",
            expires_at=self.clock.now() + timedelta(seconds=seconds),
        )


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    clock = ManualClock(START)
    core = await open_core(
        tmp_path / "j.db",
        station=TOPICS.station,
        setting=Setting.KIOSK,
        zone=ZoneInfo("Asia/Shanghai"),
        clock=clock,
        quota_bytes=50_000_000,
        idle=timedelta(minutes=5),
    )
    bus = FakeBus(FakeHub(SIGNER.public_key))
    commands = Commands()
    uplink = Uplink(core.journal, bus, TOPICS, SIGNER, clock)
    downlink = Downlink(
        bus,
        TOPICS,
        core=core,
        uplink=uplink,
        commands=commands,
        hub_key=HUB.public_key,
    )
    await downlink.restore()
    desk = StationDesk(
        core,
        bus,
        downlink=downlink,
        uplink=uplink.figures,
        devices=lambda: [
            DeviceStatus(id=DEVICE, name="M1", driver="test", state="connected")
        ],
    )
    reporter = StatusReporter(core, bus, TOPICS, SIGNER, desk=desk, version="0.1.0")
    yield Station(clock, core, bus, commands, downlink, desk, reporter)
    core.close()


async def test_an_acknowledgement_frees_the_journal(station: Station) -> None:
    await station.core.journal.append([reading_entry(n, START)[1] for n in range(1, 4)])
    ack = Acknowledgement(
        schema=SCHEMA,
        station=TOPICS.station,
        epoch=station.core.journal.epoch,
        upto=1,
        ranges=[(3, 3)],
    )
    await station.send("ack", ack)
    assert [e.seq for e in await station.core.journal.fresh(0, 9)] == [2]


async def test_sessions_open_close_and_abort(station: Station) -> None:
    await station.send("session", station.session("open", session="s1", resident="r1"))
    current = station.core.sessions.current
    assert current is not None
    assert (current.id, current.resident, current.opened_by) == ("s1", "r1", "op-1")
    await station.send("session", station.session("close", session="s1"))
    await station.send("session", station.session("open", session="s2", resident="r2"))
    await station.send("session", station.session("abort"))
    entries = await station.core.journal.fresh(0, 9)
    assert SessionEnd.ABORTED.value in entries[-1].body.decode()


@pytest.mark.parametrize("late", [121, -121, None])
async def test_a_session_asked_for_too_long_ago_is_not_opened(
    station: Station, late: float | None
) -> None:
    at = None if late is None else station.clock.now() - timedelta(seconds=late)
    await station.send("session", station.session("open", resident="r1", at=at))
    assert station.core.sessions.current is None
    assert await station.events() == ["session-command-refused"]


async def test_configuration_comes_into_force(station: Station) -> None:
    await station.send(
        "config", StationConfig(schema=SCHEMA, version=4, cards={"h": "res-a"})
    )
    assert station.core.sessions.config_version == 4
    opened = await station.desk.open_session_by_card("h", by="op-1")
    assert opened.resident == "res-a"


async def test_a_command_is_carried_out_once_and_audited(station: Station) -> None:
    command = station.command("c-1")
    await station.send("command", command)
    await station.send("command", command)
    expected = OperatorCommand(name="start-blood-pressure", by="op-1")
    assert station.commands.done == [(DEVICE, expected)]
    assert await station.events() == ["command-accepted"]
    # Not after a restart either.
    again = Downlink(
        station.bus,
        TOPICS,
        core=station.core,
        uplink=Uplink(station.core.journal, station.bus, TOPICS, SIGNER, station.clock),
        commands=station.commands,
        hub_key=HUB.public_key,
    )
    await again.restore()
    await again.handle(station.message("command", command))
    assert len(station.commands.done) == 1


async def test_an_expired_command_is_refused(station: Station) -> None:
    await station.send("command", station.command("c-1", seconds=-121))
    assert station.commands.done == []
    assert await station.events() == ["command-refused"]


async def test_a_command_for_an_unknown_device_is_audited(station: Station) -> None:
    command = msgspec.structs.replace(station.command("c-1"), device="dev-none")
    await station.send("command", command)
    assert await station.events() == ["command-accepted", "command-refused"]
    with pytest.raises(ConflictError, match="not known"):
        await station.desk.command("dev-none", "start-blood-pressure", by="op-1")


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("ack", {"schema": SCHEMA}, "message"),
        ("ack", [], "message"),
        (
            "ack",
            {"schema": 9, "station": TOPICS.station, "epoch": "e", "upto": 1},
            "schema-version",
        ),
        (
            "ack",
            {"schema": SCHEMA, "station": "other", "epoch": "e", "upto": 1},
            "station-mismatch",
        ),
        ("gossip", {}, "topic"),
        ("session", {"schema": SCHEMA, "action": "open", "at": START}, "message"),
        ("session", {"schema": SCHEMA, "action": "dance", "at": START}, "message"),
    ],
)
async def test_what_cannot_be_read_is_set_aside(
    station: Station, name: str, body: object, reason: str
) -> None:
    await station.send(name, body)
    (letter,) = await station.core.journal.dead_letters(limit=9)
    assert letter.reason == reason
    assert station.downlink.refused == 1


async def test_only_the_hub_is_obeyed(station: Station) -> None:
    opening = station.session("open", resident="r1")
    forged = station.message("session", opening, by=Signer.generate())
    await station.downlink.handle(forged)
    # A message of the hub for another station, moved to this one's topic.
    other = TOPICS.down("session").replace("kiosk-7", "kiosk-8")
    moved = HUB.seal(other, msgspec.json.encode(opening))
    await station.downlink.handle(Message(topic=TOPICS.down("session"), payload=moved))
    await station.downlink.handle(Message(topic=other, payload=moved))
    await station.downlink.handle(
        Message(topic=TOPICS.down("session"), payload=b"\xff{")
    )
    assert station.core.sessions.current is None
    letters = await station.core.journal.dead_letters(limit=9)
    reasons = [letter.reason for letter in reversed(letters)]
    assert reasons == ["signature", "signature", "topic", "seal"]


async def test_a_delivery_is_done_after_its_effect(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True
    handle = station.downlink.handle

    async def failing(message: Message) -> None:
        if broken:
            raise StorageError("journal: disk I/O error.")
        await handle(message)

    monkeypatch.setattr(station.downlink, "handle", failing)
    message = station.message("session", station.session("open", resident="r1"))
    delivery = Delivered(message)
    task = asyncio.ensure_future(station.downlink.run())
    station.bus.incoming.put_nowait(delivery)
    for _ in range(5):
        await asyncio.sleep(0)
    assert delivery.times_done == 0
    broken = False
    station.clock.advance(1)
    while delivery.times_done == 0:
        await asyncio.sleep(0)
    assert station.core.sessions.current is not None
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_the_operator_sees_the_station(station: Station) -> None:
    source = EventSource(device=DEVICE, driver="test/1", link=1)
    await station.desk.open_session(
        resident="res-a", identified_by=IdentifiedBy.OPERATOR, by="op-1"
    )
    station.clock.advance(30)
    await station.core.pipeline.take(source, spo2(station.clock.now()))
    await station.core.pipeline.take(source, Battery(percent=80))
    view = await station.desk.snapshot()
    assert view.session is not None
    assert view.session.resident == "res-a"
    assert view.journal.depth == 2
    assert view.journal.oldest_at == START
    assert [o.kind for o in view.recent] == ["spo2"]
    assert view.attention == []
    (device,) = view.devices
    assert (device.battery, device.last_reading_at) == (80, station.clock.now())
    closed = await station.desk.close_session(abort=True)
    assert closed is not None
    assert closed.end is SessionEnd.ABORTED


async def test_the_status_is_published_on_change_and_now_and_then(
    station: Station,
) -> None:
    task = asyncio.ensure_future(station.reporter.run())

    async def tick(seconds: int) -> list[StationStatus]:
        station.bus.published.clear()
        for _ in range(seconds):
            station.clock.advance(1)
            for _ in range(8):
                await asyncio.sleep(0)
        found = []
        for topic, payload, retain in station.bus.published:
            assert retain
            assert topic == TOPICS.up("status")
            body = unseal(topic, payload, SIGNER.public_key)
            found.append(msgspec.json.decode(body, type=StationStatus))
        return found

    await tick(3)
    station.bus.connect()
    (first,) = await tick(10)
    assert first.online
    assert first.epoch == station.core.journal.epoch
    assert [d.id for d in first.devices] == [DEVICE]
    await station.core.sessions.open(
        resident="res-a", identified_by=IdentifiedBy.OPERATOR
    )
    (second,) = await tick(10)
    assert second.session
    assert "res-a" not in msgspec.json.encode(second).decode()
    assert len(await tick(60)) == 2
    station.bus.disconnect()
    assert await tick(5) == []
    # The last will said offline: back again it says so at once.
    station.bus.connect()
    assert len(await tick(3)) == 1
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_the_last_will_says_offline_and_nothing_else() -> None:
    topic, payload = last_will(TOPICS)
    status = msgspec.json.decode(payload, type=StationStatus)
    assert topic == TOPICS.up("status")
    assert status == StationStatus(schema=SCHEMA, station=TOPICS.station, online=False)
