"""Nothing leaves the gateway that a driver has not declared."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import ManualClock
from gateway.errors import CommandRefusedError
from gateway.ports.devices import (
    Allowed,
    DriverSpec,
    LinkKind,
    OperatorCommand,
    Peer,
    Received,
)
from gateway.transports.guard import (
    ARMED_FOR_S,
    GuardedByteLink,
    GuardedGattLink,
    LinkGuards,
    Refusal,
    Release,
    SendGuard,
)
from tests.transports.room import uuid

RACP, CLOCK = uuid(0x2A52), uuid(0x2A2B)
START = bytes.fromhex("aa5540020129")  # PC-300: start of a pressure measurement
PING = bytes.fromhex("aa55ff0201c1")
SET_CLOCK = bytes.fromhex("aa55ff0803")
START_COMMAND = OperatorCommand(name="start-blood-pressure", by="op-1")


class FakeLink:
    """A link that keeps what it was given."""

    peer = Peer(address="x", name="EX")

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def has(self, characteristic: str) -> bool:
        return characteristic == RACP

    async def read(self, characteristic: str) -> bytes:
        return characteristic.encode()

    async def write(self, *what: str | bytes, response: bool = True) -> None:
        del response
        *channel, data = what
        self.sent.append((str(channel[0]) if channel else "", bytes(data)))  # type: ignore[arg-type] # the last is bytes

    async def subscribe(self, characteristic: str) -> None:
        self.sent.append((characteristic, b"subscribed"))

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        del timeout
        return None


def spec(kind: LinkKind, *entries: Allowed) -> DriverSpec:
    return DriverSpec(
        name="example",
        version=3,
        link=kind,
        matches=(),
        produces=(),
        may_send=entries,
    )


METER = spec(
    LinkKind.GATT,
    Allowed(name="report-all", prefix=b"\x01\x01", length=2, channel=RACP),
    Allowed(name="report-after", prefix=b"\x01\x03\x01", length=5, channel=RACP),
    Allowed(name="set-clock", length=10, channel=CLOCK),
)
KIOSK = spec(
    LinkKind.BYTES,
    Allowed(name="ping", prefix=PING, length=len(PING)),
    Allowed(name="set-clock", prefix=SET_CLOCK, length=12),
    Allowed(name="text", prefix=b"T"),
    Allowed(
        name="start-blood-pressure",
        prefix=START,
        length=len(START),
        operator_only=True,
    ),
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, tzinfo=UTC))


class Bench:
    """A guarded kiosk board with its refusals and releases."""

    def __init__(self, clock: ManualClock, declared: DriverSpec = KIOSK) -> None:
        self.link = FakeLink()
        self.refusals: list[Refusal] = []
        self.releases: list[Release] = []
        self.guards = LinkGuards(
            clock=clock,
            on_refusal=self.refusals.append,
            on_release=self.releases.append,
        )
        self.guarded = self.guards.bytes(self.link, declared)

    async def refused(self, data: bytes) -> str:
        sent = list(self.link.sent)
        with pytest.raises(CommandRefusedError):
            await self.guarded.write(data)
        assert self.link.sent == sent
        return self.refusals[-1].reason


@pytest.mark.parametrize(
    ("channel", "data"),
    [
        (RACP, b"\x01\x01"),
        (RACP, b"\x01\x03\x01\x07\x00"),
        (CLOCK, bytes(10)),
        (RACP.upper(), b"\x01\x01"),
    ],
)
async def test_what_is_declared_passes(
    clock: ManualClock, channel: str, data: bytes
) -> None:
    link = FakeLink()
    guarded = LinkGuards(clock=clock).gatt(link, METER)
    await guarded.write(channel, data)
    assert link.sent == [(channel, data)]


@pytest.mark.parametrize(
    ("channel", "data"),
    [
        (RACP, b"\x02\x01"),  # delete all records
        (RACP, b"\x02\x03\x01\x00\x00"),
        (RACP, b"\x01\x01\x00"),  # too long
        (RACP, b"\x01"),  # a part
        (RACP, b""),
        (CLOCK, bytes(9)),
        (CLOCK, b"\x01\x01"),  # right bytes, other characteristic
        (uuid(0x2A39), b"\x01"),
        ("", b"\x01\x01"),
        ("2a52", b"\x01\x01"),  # a short name is no name
    ],
)
async def test_what_is_not_declared_never_leaves(
    clock: ManualClock, channel: str, data: bytes
) -> None:
    link = FakeLink()
    refusals: list[Refusal] = []
    guards = LinkGuards(clock=clock, on_refusal=refusals.append)
    guarded = guards.gatt(link, METER)
    with pytest.raises(CommandRefusedError, match="example/3"):
        await guarded.write(channel, data)
    assert link.sent == []
    assert guards.refused == guarded.guard.refused == 1
    assert refusals == [
        Refusal(
            driver="example/3",
            reason="not-allowed",
            channel=channel.lower(),
            data=data,
            at=clock.now(),
        )
    ]


async def test_an_operator_command_lets_its_frame_pass_once(
    clock: ManualClock,
) -> None:
    bench = Bench(clock)
    assert await bench.refused(START) == "not-armed"
    bench.guarded.arm(START_COMMAND)
    await bench.guarded.write(START)
    assert bench.link.sent == [("", START)]
    assert [r.command for r in bench.releases] == [START_COMMAND]
    assert await bench.refused(START) == "not-armed"
    assert (bench.guards.released, bench.guards.refused) == (1, 2)


async def test_arming_twice_is_one_passage(clock: ManualClock) -> None:
    bench = Bench(clock)
    bench.guarded.arm(START_COMMAND)
    bench.guarded.arm(START_COMMAND)
    await bench.guarded.write(START)
    assert await bench.refused(START) == "not-armed"


async def test_an_arming_runs_out(clock: ManualClock) -> None:
    bench = Bench(clock)
    bench.guarded.arm(START_COMMAND)
    clock.advance(ARMED_FOR_S + 0.1)
    assert await bench.refused(START) == "arming-expired"
    # It is spent, even if the clock could go back.
    assert await bench.refused(START) == "not-armed"


async def test_the_wall_clock_does_not_lengthen_an_arming(clock: ManualClock) -> None:
    bench = Bench(clock)
    bench.guarded.arm(START_COMMAND)
    clock.step_wall_clock(-3600)
    clock.advance(ARMED_FOR_S + 0.1)
    assert await bench.refused(START) == "arming-expired"


async def test_disarming_takes_it_back(clock: ManualClock) -> None:
    bench = Bench(clock)
    bench.guarded.arm(START_COMMAND)
    bench.guarded.disarm()
    assert await bench.refused(START) == "not-armed"


async def test_another_command_arms_nothing_here(clock: ManualClock) -> None:
    bench = Bench(clock)
    bench.guarded.arm(OperatorCommand(name="ping", by="op-1"))
    bench.guarded.arm(OperatorCommand(name="start", by="op-1"))
    assert await bench.refused(START) == "not-armed"


async def test_other_writes_do_not_use_the_arming_up(clock: ManualClock) -> None:
    bench = Bench(clock)
    bench.guarded.arm(START_COMMAND)
    await bench.guarded.write(PING)
    await bench.refused(b"\x00")
    await bench.guarded.write(START)
    assert bench.link.sent == [("", PING), ("", START)]


@pytest.mark.parametrize("armed", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        b"T" + START,  # behind an allowed beginning
        b"T" * 40 + START + b"T",
        START + START,
        START + PING,
        PING + START,
        (SET_CLOCK + START + b"\0")[:12],
    ],
)
async def test_a_start_hidden_in_other_bytes_never_leaves(
    clock: ManualClock, data: bytes, *, armed: bool
) -> None:
    bench = Bench(clock)
    if armed:
        bench.guarded.arm(START_COMMAND)
    assert await bench.refused(data) == "not-allowed"


async def test_a_broader_entry_does_not_open_a_narrower_one(
    clock: ManualClock,
) -> None:
    declared = spec(
        LinkKind.BYTES,
        Allowed(name="anything-lepu", prefix=b"\xaa\x55"),
        Allowed(name="start-blood-pressure", prefix=START, operator_only=True),
    )
    bench = Bench(clock, declared)
    await bench.guarded.write(PING)
    assert await bench.refused(START) == "not-armed"


def test_a_list_that_allows_every_frame_is_our_fault(clock: ManualClock) -> None:
    declared = spec(
        LinkKind.BYTES,
        Allowed(name="anything"),
        Allowed(name="start", prefix=START, operator_only=True),
    )
    with pytest.raises(ValueError, match="every frame"):
        SendGuard(declared, clock=clock)


async def test_a_characteristic_for_operators_only(clock: ManualClock) -> None:
    declared = spec(
        LinkKind.GATT,
        Allowed(name="calibrate", channel=RACP, operator_only=True),
        Allowed(name="report-all", prefix=b"\x01\x01", channel=RACP),
    )
    link = FakeLink()
    guarded = LinkGuards(clock=clock).gatt(link, declared)
    with pytest.raises(CommandRefusedError, match="not-armed"):
        await guarded.write(RACP, b"\x01\x01")
    guarded.arm(OperatorCommand(name="calibrate", by="op-1"))
    await guarded.write(RACP, b"\x01\x01")
    assert link.sent == [(RACP, b"\x01\x01")]


async def test_what_was_checked_is_what_is_sent(clock: ManualClock) -> None:
    link = FakeLink()

    class Shifty(bytearray):
        """Bytes that change after they were looked at."""

        looked = 0

        def __bytes__(self) -> bytes:
            self.looked += 1
            return PING if self.looked == 1 else START

    guarded = LinkGuards(clock=clock).bytes(link, KIOSK)
    await guarded.write(Shifty())  # type: ignore[arg-type] # what a careless driver passes
    assert link.sent == [("", PING)]


async def test_everything_but_writing_passes_through(clock: ManualClock) -> None:
    link = FakeLink()
    gatt: GuardedGattLink = LinkGuards(clock=clock).gatt(link, METER)
    stream: GuardedByteLink = LinkGuards(clock=clock).bytes(link, KIOSK)
    assert gatt.peer == stream.peer == link.peer
    assert gatt.has(RACP)
    assert not gatt.has(CLOCK)
    assert await gatt.read(RACP) == RACP.encode()
    await gatt.subscribe(CLOCK)
    assert link.sent == [(CLOCK, b"subscribed")]
    assert await gatt.receive(0) is None
    assert await stream.receive(0) is None


@given(st.binary(max_size=40))
def test_no_bytes_without_a_command_contain_a_start(data: bytes) -> None:
    guard = SendGuard(KIOSK, clock=ManualClock(datetime(2026, 3, 1, tzinfo=UTC)))
    for position in {0, len(data) // 2, len(data)}:
        candidate = data[:position] + START + data[position:]
        with pytest.raises(CommandRefusedError):
            guard.check("", candidate)


@given(st.lists(st.sampled_from(["arm", "disarm", "start", 1.0, 9.0, 20.0])))
def test_starts_never_outnumber_commands(steps: list[str | float]) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    guard = SendGuard(KIOSK, clock=clock)
    commands = starts = 0
    for step in steps:
        if step == "arm":
            guard.arm(START_COMMAND)
            commands += 1
        elif step == "disarm":
            guard.disarm()
        elif isinstance(step, float):
            clock.advance(step)
        else:
            try:
                guard.check("", START)
            except CommandRefusedError:
                continue
            starts += 1
    assert starts <= commands
    assert starts == guard.released
