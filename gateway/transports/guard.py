"""The guard between a driver and a device: nothing leaves that was not declared.

Every write is held against ``DriverSpec.may_send``. What is not in the list never
leaves. An ``operator_only`` entry (a cuff's start) leaves once for each operator
command of the same name that was armed, and only within the life of the arming.

Operator-only entries win: bytes that one of them covers need a command even where a
broader entry would let them through. On a byte stream several frames can travel in one
write, so the beginning of an operator-only frame is looked for *inside* it as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from gateway.errors import CommandRefusedError
from gateway.ports.clock import Clock
from gateway.ports.devices import (
    Allowed,
    ByteLink,
    DriverSpec,
    GattLink,
    OperatorCommand,
    Peer,
    Received,
)

ARMED_FOR_S: Final = 15.0
"""Life of an arming. A driver sends within a second of taking the command; a person who
pressed a button a quarter of a minute ago no longer expects a cuff to inflate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A write that was refused, for the counters and the audit.

    Attributes:
        driver: label of the driver that tried it.
        reason: ``not-allowed``, ``not-armed`` or ``arming-expired``.
        channel: characteristic, empty on a byte link.
        data: what it tried to send.
        at: when.
    """

    driver: str
    reason: str
    channel: str
    data: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """An operator-only write that left the gateway, for the audit."""

    driver: str
    command: OperatorCommand
    at: datetime


OnRefusal = Callable[[Refusal], None]
OnRelease = Callable[[Release], None]


class SendGuard:
    """The rules and the armings of one driver on one link.

    Args:
        spec: the driver's declaration.
        clock: the armings' life.
        on_refusal: told of every refused write.
        on_release: told of every operator-only write that left.
        armed_for_s: life of an arming.

    Raises:
        ValueError: An entry allows anything on a byte stream on which another entry
            is for operators only: pieces of any frame could pass.
    """

    def __init__(
        self,
        spec: DriverSpec,
        *,
        clock: Clock,
        on_refusal: OnRefusal | None = None,
        on_release: OnRelease | None = None,
        armed_for_s: float = ARMED_FOR_S,
    ) -> None:
        stream = [e for e in spec.may_send if not e.channel]
        if any(e.operator_only for e in stream) and any(
            not e.prefix and not e.operator_only for e in stream
        ):
            raise ValueError(f"driver {spec.label}: an entry allows every frame")
        self.refused = 0
        self.released = 0
        self._spec = spec
        self._clock = clock
        self._on_refusal = on_refusal
        self._on_release = on_release
        self._armed_for_s = armed_for_s
        self._armed: dict[str, tuple[OperatorCommand, float]] = {}

    def arm(self, command: OperatorCommand) -> None:
        """Let the operator-only entry named as the command pass once.

        Arming again renews the life; it never adds a second passage.
        """
        self._armed[command.name] = (command, self._clock.monotonic())

    def disarm(self) -> None:
        """Take back whatever is armed."""
        self._armed.clear()

    def check(self, channel: str, data: bytes) -> None:
        """Let the bytes pass, or not.

        Raises:
            CommandRefusedError: They are not in the list, or need a command.
        """
        channel = channel.lower()
        entries = self._spec.may_send
        operator_only = [
            e for e in entries if e.operator_only and _touches(e, channel, data)
        ]
        if operator_only:
            self._spend(operator_only, channel, data)
        elif not any(e.permits(channel, data) for e in entries if not e.operator_only):
            self._refuse("not-allowed", channel, data)

    def _spend(self, entries: list[Allowed], channel: str, data: bytes) -> None:
        """Use up one arming; the bytes must be exactly one armed entry's."""
        exact = [e for e in entries if e.permits(channel, data)]
        # More than one entry, or one buried in other bytes, is not what anybody
        # ordered: one command is one frame in one write.
        if len(exact) != 1 or len(entries) != 1 or _repeats(exact[0], data):
            self._refuse("not-allowed", channel, data)
        command, since = self._armed.get(exact[0].name, (None, 0.0))
        if command is None:
            self._refuse("not-armed", channel, data)
        del self._armed[exact[0].name]
        if self._clock.monotonic() - since > self._armed_for_s:
            self._refuse("arming-expired", channel, data)
        self.released += 1
        if self._on_release is not None:
            self._on_release(
                Release(driver=self._spec.label, command=command, at=self._clock.now())
            )

    def _refuse(self, reason: str, channel: str, data: bytes) -> NoReturn:
        self.refused += 1
        if self._on_refusal is not None:
            self._on_refusal(
                Refusal(
                    driver=self._spec.label,
                    reason=reason,
                    channel=channel,
                    data=data,
                    at=self._clock.now(),
                )
            )
        raise CommandRefusedError(
            f"driver {self._spec.label} may not send these {len(data)} bytes: {reason}"
        )


def _touches(entry: Allowed, channel: str, data: bytes) -> bool:
    """Whether the bytes are, or contain, what the entry covers."""
    if entry.permits(channel, data):
        return True
    # On GATT a write is one message; only a byte stream can hide a frame in another.
    return (
        not entry.channel and channel == "" and entry.prefix != b""
    ) and entry.prefix in data


def _repeats(entry: Allowed, data: bytes) -> bool:
    """Whether a byte stream would carry the entry's frame twice."""
    if entry.channel or not entry.prefix:
        return False
    return data.count(entry.prefix) > 1


class GuardedGattLink:
    """A ``GattLink`` whose writes are guarded; everything else passes through."""

    def __init__(self, link: GattLink, guard: SendGuard) -> None:
        self.guard = guard
        self._link = link

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._link.peer

    def arm(self, command: OperatorCommand) -> None:
        """Let an operator's command pass once; see ``SendGuard.arm``."""
        self.guard.arm(command)

    def disarm(self) -> None:
        """Take back whatever is armed."""
        self.guard.disarm()

    def has(self, characteristic: str) -> bool:
        """Whether the peripheral offers the characteristic."""
        return self._link.has(characteristic)

    async def read(self, characteristic: str) -> bytes:
        """Read; raises as the link does."""
        return await self._link.read(characteristic)

    async def write(
        self, characteristic: str, data: bytes, *, response: bool = True
    ) -> None:
        """Write what may be written.

        Raises:
            CommandRefusedError: The driver may not send it; nothing was sent.
            LinkError: As the link.
        """
        # A copy, so that what was checked is what is sent.
        data = bytes(data)
        self.guard.check(characteristic, data)
        await self._link.write(characteristic, data, response=response)

    async def subscribe(self, characteristic: str) -> None:
        """Subscribe; raises as the link does."""
        await self._link.subscribe(characteristic)

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        """The next value; raises as the link does."""
        return await self._link.receive(timeout)


class GuardedByteLink:
    """A ``ByteLink`` whose writes are guarded."""

    def __init__(self, link: ByteLink, guard: SendGuard) -> None:
        self.guard = guard
        self._link = link

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._link.peer

    def arm(self, command: OperatorCommand) -> None:
        """Let an operator's command pass once; see ``SendGuard.arm``."""
        self.guard.arm(command)

    def disarm(self) -> None:
        """Take back whatever is armed."""
        self.guard.disarm()

    async def write(self, data: bytes) -> None:
        """Write what may be written; raises as ``GuardedGattLink.write``."""
        data = bytes(data)
        self.guard.check("", data)
        await self._link.write(data)

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        """The next bytes; raises as the link does."""
        return await self._link.receive(timeout)


class LinkGuards:
    """Makes the guarded links of a station, which share the two listeners.

    ``refused`` and ``released`` count over all links.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        on_refusal: OnRefusal | None = None,
        on_release: OnRelease | None = None,
    ) -> None:
        self.refused = 0
        self.released = 0
        self._clock = clock
        self._on_refusal = on_refusal
        self._on_release = on_release

    def gatt(self, link: GattLink, spec: DriverSpec) -> GuardedGattLink:
        """Guard a GATT link for a driver."""
        return GuardedGattLink(link, self._guard(spec))

    def bytes(self, link: ByteLink, spec: DriverSpec) -> GuardedByteLink:
        """Guard a byte link for a driver."""
        return GuardedByteLink(link, self._guard(spec))

    def _guard(self, spec: DriverSpec) -> SendGuard:
        return SendGuard(
            spec,
            clock=self._clock,
            on_refusal=self._refused,
            on_release=self._released,
        )

    def _refused(self, refusal: Refusal) -> None:
        self.refused += 1
        if self._on_refusal is not None:
            self._on_refusal(refusal)

    def _released(self, release: Release) -> None:
        self.released += 1
        if self._on_release is not None:
            self._on_release(release)
