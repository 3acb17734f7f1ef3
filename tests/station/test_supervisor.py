"""The supervisor in simulated time: states, back-off, deadlines, identity, faults."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.clock import ManualClock
from gateway.errors import (
    CommandRefusedError,
    ConflictError,
    LinkClosedError,
    LinkRefusedError,
    LinkTimeoutError,
    NotFoundError,
    StorageError,
)
from gateway.ports.devices import (
    Allowed,
    Battery,
    Bookmark,
    Condition,
    DriverContext,
    DriverEvent,
    Identified,
    LinkKind,
    Live,
    OperatorCommand,
    Peer,
    Reading,
)
from gateway.registry import Registry
from gateway.station.supervisor import CONNECTION_SLOTS, DeviceSupervisor
from gateway.station.supervisor_devices import MAX_DEVICES
from gateway.station.supervisor_state import (
    BACKOFF_CAP_S,
    REMEDIES,
    ConfiguredDevice,
    backoff,
    device_id,
)
from gateway.transports.guard import GuardedByteLink, GuardedGattLink, SendGuard
from gateway.wire.batch import DeviceStatus
from tests.station.supervised import (
    START,
    Change,
    FakePipeline,
    FakePorts,
    FakeRadio,
    Run,
    ScriptedDriver,
    Seen,
    peer,
    settle,
)

WHO = Identified(manufacturer="Invented", model="IM-1", serial="7")
WHO_ID = device_id("Invented", "IM-1", "7")


def reading() -> Reading:
    return Reading(kind="spo2", components=(), raw=b"\x01", received_at=START)


async def one_reading(_link: object, _ctx: DriverContext) -> AsyncIterator[DriverEvent]:
    yield WHO
    yield reading()


async def for_ever(_link: object, _ctx: DriverContext) -> AsyncIterator[DriverEvent]:
    yield WHO
    await asyncio.Event().wait()


@dataclass
class Station:
    clock: ManualClock
    radio: FakeRadio
    ports: FakePorts
    pipeline: FakePipeline
    supervisor: DeviceSupervisor
    resets: list[float]

    def see(self, device: Peer) -> None:
        self.radio.heard.put_nowait(Seen(device))

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step
            await settle()

    @property
    def status(self) -> DeviceStatus:
        (status,) = self.supervisor.statuses()
        return status

    @property
    def conditions(self) -> list[tuple[str, bool]]:
        return [
            (e.code, e.active) for e in self.pipeline.events if isinstance(e, Condition)
        ]


@asynccontextmanager
async def station(
    run: Run,
    *,
    configured: Sequence[ConfiguredDevice] = (),
    accept_unlisted: bool = True,
    **spec: Any,
) -> AsyncIterator[Station]:
    clock = ManualClock(START)
    radio, ports, pipeline = FakeRadio(), FakePorts(), FakePipeline()
    resets: list[float] = []

    async def reset() -> None:
        resets.append(clock.monotonic())

    supervisor = DeviceSupervisor(
        registry=Registry([ScriptedDriver(run, **spec)]),
        sink=pipeline,
        bookmarks=pipeline,
        clock=clock,
        zone=ZoneInfo("Asia/Shanghai"),
        station="st-1",
        guard_gatt=lambda link, spec: GuardedGattLink(
            link, SendGuard(spec, clock=clock)
        ),
        guard_bytes=lambda link, spec: GuardedByteLink(
            link, SendGuard(spec, clock=clock)
        ),
        radio=radio,
        ports=ports,
        open_port=ports.open,
        configured=configured,
        accept_unlisted=accept_unlisted,
        rng=random.Random(1),  # noqa: S311 - jitter
        reset_radio=reset,
    )
    task = asyncio.create_task(supervisor.run())
    try:
        yield Station(clock, radio, ports, pipeline, supervisor, resets)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled(), task.exception()
    assert all(link.closed for link in radio.links + ports.links)


async def test_a_device_is_heard_read_and_rested() -> None:
    async with station(one_reading) as st:
        st.see(peer())
        await settle()
        assert st.pipeline.events == [WHO, reading()]
        assert {source.device for source, _ in st.pipeline.taken} == {WHO_ID}
        assert {source.driver for source, _ in st.pipeline.taken} == {"scripted/3"}
        status = st.status
        assert (status.id, status.state, status.reason) == (WHO_ID, "idle", "")
        assert status.name == "Invented IM-1"
        assert status.last_reading_at == START
        assert st.radio.links[0].closed
        assert [source.link for source in st.pipeline.ended] == [1]
        # It keeps advertising: it is left alone while it cools down.
        st.see(peer())
        await settle()
        assert st.radio.attempts == 1
        await st.pass_time(11)
        st.see(peer())
        await settle()
        assert st.radio.attempts == 2
        assert st.pipeline.ended[-1].link == 2


async def test_next_event_waits_for_the_commit() -> None:
    asked: list[str] = []

    async def run(_link: object, _ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        asked.append("first")
        yield reading()
        asked.append("second")
        yield Bookmark(key="k", value="v")

    async with station(run) as st:
        st.pipeline.gate = asyncio.Event()
        st.see(peer())
        await settle()
        assert asked == ["first"]
        st.pipeline.gate.set()
        await settle()
        assert asked == ["first", "second"]


async def test_identity_never_holds_an_address() -> None:
    async def anonymous(
        _link: object, _ctx: DriverContext
    ) -> AsyncIterator[DriverEvent]:
        yield Identified(model="IM-2")
        yield reading()

    config = ConfiguredDevice(
        key="ward-1", link=LinkKind.GATT, address="00:00:00:00:00:02"
    )
    async with station(anonymous, configured=[config]) as st:
        st.see(peer(1))
        st.see(peer(2))
        await settle()
        ids = {s.id for s in st.supervisor.statuses()}
        assert ids == {
            device_id("st-1", "00:00:00:00:00:01"),
            device_id("ward-1"),
        }
        assert all(len(i) == 20 and "00:00" not in i for i in ids)


async def test_bookmarks_and_quirks_come_with_the_identity() -> None:
    found: list[tuple[dict[str, str], object]] = []

    async def run(_link: object, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        found.append((dict(ctx.bookmarks), ctx.quirks.get("linger_s")))
        yield WHO
        found.append((dict(ctx.bookmarks), ctx.quirks.get("linger_s")))

    config = ConfiguredDevice(
        key="k", link=LinkKind.GATT, name="Invented", quirks={"linger_s": 7}
    )
    async with station(run, configured=[config]) as st:
        st.pipeline.marks[WHO_ID] = {"newest": "5"}
        st.see(peer())
        await settle()
        assert found == [({}, 7), ({"newest": "5"}, 7)]
        assert st.radio.quirks["linger_s"] == 7


async def test_driver_fault_ends_its_own_session_only() -> None:
    async def faulty(link: Any, _ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        if link.peer.address.endswith("01"):
            raise ZeroDivisionError
        yield WHO
        await asyncio.Event().wait()

    async with station(faulty) as st:
        st.see(peer(2))
        st.see(peer(1))
        await settle()
        states = {s.name: (s.state, s.reason) for s in st.supervisor.statuses()}
        assert states == {
            "Invented": ("backing-off", "driver-fault"),
            "Invented IM-1": ("connected", ""),
        }
        assert st.conditions == [("driver-fault", True)]
        (fault,) = [e for e in st.pipeline.events if isinstance(e, Condition)]
        assert fault.detail == "ZeroDivisionError"
        assert st.supervisor.counts.driver_faults == 1


async def test_driver_that_sends_what_it_may_not_is_a_faulty_driver() -> None:
    async def greedy(link: Any, _ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        yield WHO
        await link.write("0000ffff-0000-1000-8000-00805f9b34fb", b"\x02\x01")

    async with station(greedy) as st:
        st.see(peer())
        await settle()
        assert st.status.reason == "driver-fault"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LinkClosedError("x"), "link-closed"),
        (LinkTimeoutError("x"), "timeout"),
        (LinkRefusedError("x"), "refused"),
        (CommandRefusedError("x"), "driver-fault"),
        (StorageError("x"), "driver-fault"),
        (asyncio.CancelledError(), "driver-fault"),
    ],
)
async def test_every_end_has_a_reason_and_a_remedy(
    error: BaseException, reason: str
) -> None:
    async def run(_link: object, _ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        yield WHO
        raise error

    async with station(run) as st:
        st.see(peer())
        await settle()
        assert (st.status.state, st.status.reason) == ("backing-off", reason)
        assert REMEDIES[reason].en
        assert REMEDIES[reason].zh


async def test_device_that_hangs_up_after_its_reading_did_its_work() -> None:
    async def run(_link: object, _ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        yield reading()
        raise LinkClosedError("gone")

    async with station(run) as st:
        st.see(peer())
        await settle()
        assert st.status.state == "idle"


async def test_full_disk_is_not_the_drivers_fault() -> None:
    async with station(one_reading) as st:
        st.pipeline.fault = StorageError("full")
        st.see(peer())
        await settle()
        assert st.status.reason == "storage"
        assert st.supervisor.counts.driver_faults == 0
        st.pipeline.fault = None
        await st.pass_time(5)
        st.see(peer())
        await settle()
        assert st.status.state == "idle"


async def test_failures_back_off_and_are_told_once() -> None:
    async with station(one_reading) as st:
        st.radio.fault = LinkTimeoutError("no answer")
        attempts: list[float] = []
        for _ in range(400):
            before = st.radio.attempts
            st.see(peer())
            await settle()
            if st.radio.attempts > before:
                attempts.append(st.clock.monotonic())
            await st.pass_time(1)
        waits = [b - a for a, b in itertools.pairwise(attempts)]
        assert waits == sorted(waits[:5]) + waits[5:]
        assert max(waits) <= BACKOFF_CAP_S + 1
        assert st.conditions.count(("device-unreachable", True)) == 1
        # One device alone does not make the radio a suspect.
        assert st.resets == []
        st.radio.fault = None
        await st.pass_time(BACKOFF_CAP_S)
        st.see(peer())
        await settle()
        assert st.conditions[-1] == ("device-unreachable", False)


async def test_refused_pairing_asks_for_a_person() -> None:
    async with station(one_reading) as st:
        st.radio.fault = LinkRefusedError("pairing failed")
        st.see(peer())
        await settle()
        assert st.status.state == "backing-off"
        await st.pass_time(5)
        st.see(peer())
        await settle()
        assert (st.status.state, st.status.reason) == ("failed", "refused")
        # Somebody pairs it again: it is tried again, and works.
        st.radio.fault = None
        await st.pass_time(10)
        st.see(peer())
        await settle()
        assert st.status.state == "idle"


async def test_many_failing_devices_make_the_radio_a_suspect() -> None:
    async with station(one_reading) as st:
        st.radio.fault = LinkTimeoutError("no answer")
        for _ in range(60):
            for number in range(3):
                st.see(peer(number))
            await st.pass_time(5, step=5)
        assert len(st.resets) == 1
        assert ("radio-failing", True) in st.conditions
        for _ in range(20):
            st.see(peer(1))
            await st.pass_time(5, step=5)
        st.radio.fault = None
        await st.pass_time(BACKOFF_CAP_S, step=5)
        st.see(peer(1))
        await settle()
        assert ("radio-failing", False) in st.conditions


async def test_session_that_says_nothing_is_ended() -> None:
    async with station(for_ever) as st:
        st.see(peer())
        await settle()
        assert st.status.state == "connected"
        await st.pass_time(239)
        assert st.status.state == "connected"
        await st.pass_time(2)
        assert (st.status.state, st.status.reason) == ("backing-off", "not-answering")
        assert st.radio.links[0].closed


@pytest.mark.parametrize(("works", "state"), [(True, "idle"), (False, "backing-off")])
async def test_every_gatt_session_has_a_total_deadline(
    *, works: bool, state: str
) -> None:
    proceed = asyncio.Event()

    async def chatty(_link: object, _ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        while True:
            yield reading() if works else Live(name="x", value="1")
            await proceed.wait()
            proceed.clear()

    async with station(chatty) as st:
        st.see(peer())
        await settle()
        for _ in range(60):
            assert st.status.state == "connected"
            await st.pass_time(10, step=10)
            proceed.set()
            await settle()
        assert st.status.state == state
        assert st.radio.links[0].closed


async def test_slow_commit_is_not_a_silent_device() -> None:
    async with station(one_reading) as st:
        st.pipeline.gate = asyncio.Event()
        st.see(peer())
        await settle()
        await st.pass_time(400, step=10)
        assert st.status.state == "connected"
        st.pipeline.gate.set()
        await settle()
        assert st.status.state == "idle"


async def test_a_connected_device_is_not_connected_again() -> None:
    async with station(for_ever) as st:
        for _ in range(5):
            st.see(peer())
            await settle()
        assert st.radio.attempts == 1


async def test_a_command_that_was_not_sent_does_not_stay_armed() -> None:
    start = Allowed(name="start", prefix=b"\x01\x02", length=2, operator_only=True)
    proceed = asyncio.Event()
    taken: list[OperatorCommand | None] = []

    async def run(link: Any, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        yield WHO
        await proceed.wait()
        taken.extend((ctx.next_command(), ctx.next_command()))
        await link.write(b"\x01\x02")

    async with station(
        run,
        configured=[PORT_DEVICE],
        link=LinkKind.BYTES,
        matches=(),
        may_send=(start,),
    ) as st:
        st.ports.changes.put_nowait(Change(PORT, present=True))
        await settle()
        command = OperatorCommand(name="start", by="operator-1")
        st.supervisor.command(WHO_ID, command)
        proceed.set()
        await settle()
        assert taken == [command, None]
        assert st.status.reason == "driver-fault"


async def test_slots_are_bounded() -> None:
    async with station(for_ever) as st:
        for number in range(CONNECTION_SLOTS + 4):
            st.see(peer(number))
        await settle()
        assert st.radio.attempts == CONNECTION_SLOTS


async def test_strangers_are_nobodys_business() -> None:
    async with station(one_reading) as st:
        for number in range(50):
            st.see(Peer(address=f"phone-{number}", name="Phone"))
        await settle()
        assert st.supervisor.statuses() == []


async def test_unsupported_models_are_shown_with_a_reason() -> None:
    async with station(one_reading) as st:
        st.see(Peer(address="x", name="RBP-2207000001"))
        await settle()
        assert (st.status.state, st.status.reason) == (
            "unsupported",
            "proprietary-protocol",
        )
        assert st.radio.attempts == 0


async def test_only_enrolled_devices_are_taken_when_so_configured() -> None:
    config = ConfiguredDevice(
        key="k", link=LinkKind.GATT, driver="scripted", address="00:00:00:00:00:02"
    )
    async with station(one_reading, configured=[config], accept_unlisted=False) as st:
        assert st.status.state == "searching"
        st.see(peer(1))
        await settle()
        assert st.radio.attempts == 0
        st.see(peer(2))
        await settle()
        assert st.radio.attempts == 1
        assert st.status.id == WHO_ID


async def test_radio_that_breaks_is_watched_again() -> None:
    async with station(one_reading) as st:
        st.radio.heard.put_nowait(RuntimeError("adapter pulled out"))
        await settle()
        assert st.supervisor.counts.watcher_restarts == 1
        await st.pass_time(3)
        st.see(peer())
        await settle()
        assert st.pipeline.events == [WHO, reading()]


PORT = Peer(address="/dev/ttyINVENTED")
PORT_DEVICE = ConfiguredDevice(
    key="kiosk-1", link=LinkKind.BYTES, driver="scripted", address="/dev/ttyINVENTED"
)


async def test_port_is_served_while_it_is_plugged_in() -> None:
    async with station(
        for_ever, configured=[PORT_DEVICE], link=LinkKind.BYTES, matches=()
    ) as st:
        st.ports.changes.put_nowait(Change(PORT, present=True))
        await settle()
        assert st.status.state == "connected"
        # A board may be silent for hours: no deadline ends it.
        await st.pass_time(3600, step=60)
        assert st.status.state == "connected"
        st.ports.changes.put_nowait(Change(PORT, present=False))
        await settle()
        assert (st.status.state, st.status.reason) == ("searching", "unplugged")
        assert st.ports.links[0].closed
        st.ports.changes.put_nowait(Change(PORT, present=True))
        await settle()
        assert st.status.state == "connected"
        assert st.ports.attempts == 2


async def test_port_that_fails_is_tried_again_with_backoff() -> None:
    async with station(
        for_ever, configured=[PORT_DEVICE], link=LinkKind.BYTES, matches=()
    ) as st:
        st.ports.fault = LinkRefusedError("in use by another program")
        st.ports.changes.put_nowait(Change(PORT, present=True))
        await st.pass_time(120)
        assert 3 <= st.ports.attempts <= 12
        st.ports.fault = None
        await st.pass_time(BACKOFF_CAP_S)
        assert st.status.state == "connected"


async def test_port_without_a_configured_driver_says_so() -> None:
    async with station(for_ever, link=LinkKind.BYTES, matches=()) as st:
        st.ports.changes.put_nowait(Change(PORT, present=True))
        await settle()
        assert (st.status.state, st.status.reason) == (
            "unsupported",
            "port-not-configured",
        )
        assert st.ports.attempts == 0


async def test_operator_command_reaches_the_driver_armed() -> None:
    start = Allowed(name="start", prefix=b"\x01\x02", length=2, operator_only=True)
    proceed = asyncio.Event()
    refused: list[str] = []

    async def run(link: Any, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        yield WHO
        await proceed.wait()
        for expected in ("armed", "not armed"):
            command = ctx.next_command()
            assert (command is None) == (expected == "not armed")
            try:
                await link.write(b"\x01\x02")
            except CommandRefusedError:
                refused.append(expected)
        yield Battery(percent=50)
        await asyncio.Event().wait()

    async with station(
        run,
        configured=[PORT_DEVICE],
        link=LinkKind.BYTES,
        matches=(),
        may_send=(start,),
    ) as st:
        command = OperatorCommand(name="start", by="operator-1")
        with pytest.raises(NotFoundError):
            st.supervisor.command(WHO_ID, command)
        st.ports.changes.put_nowait(Change(PORT, present=True))
        await settle()
        with pytest.raises(NotFoundError):
            st.supervisor.command(WHO_ID, OperatorCommand(name="other", by="x"))
        st.supervisor.command(WHO_ID, command)
        proceed.set()
        await settle()
        assert refused == ["not armed"]
        assert st.status.battery == 50
        for _ in range(4):
            st.supervisor.command(WHO_ID, command)
        with pytest.raises(ConflictError):
            st.supervisor.command(WHO_ID, command)
        st.ports.changes.put_nowait(Change(PORT, present=False))
        await settle()
        with pytest.raises(ConflictError):
            st.supervisor.command(WHO_ID, command)


async def test_table_of_devices_is_bounded() -> None:
    async with station(one_reading) as st:
        for number in range(MAX_DEVICES + 20):
            st.see(Peer(address=f"cuff-{number}", name="RBP-1"))
            await asyncio.sleep(0)
        st.see(peer())
        await settle()
        statuses = st.supervisor.statuses()
        assert len(statuses) == MAX_DEVICES
        assert WHO_ID in {status.id for status in statuses}


async def test_full_disk_at_the_end_of_a_link_stops_nothing() -> None:
    async def run(_link: object, _ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        yield WHO
        raise ZeroDivisionError

    async with station(run) as st:
        st.pipeline.ended = Refusing()
        st.see(peer())
        await settle()
        assert st.status.reason == "driver-fault"
        assert st.supervisor.counts.sink_failures == 1
        st.pipeline.fault = StorageError("full")
        await st.pass_time(5)
        st.see(peer())
        await settle()
        assert st.status.reason == "storage"
        st.pipeline.fault = None


class Refusing(list[Any]):
    """A list that takes nothing."""

    def append(self, _item: object) -> None:
        raise StorageError("full")


def test_backoff_grows_to_its_cap_and_never_overflows() -> None:
    rng = random.Random(2)  # noqa: S311 - jitter
    for failures in (1, 2, 3, 10, 100_000):
        ceiling = min(BACKOFF_CAP_S, 2.0 * 2.0 ** min(failures - 1, 10))
        for _ in range(50):
            assert ceiling / 2 <= backoff(failures, rng) <= ceiling
