"""The pairing agent for BlueZ: who answers when a device wants to pair.

bleak registers none, and without one BlueZ 5.66 rejects the pairing, never answers the
read that caused it, and takes the disconnect along (measured). Linux only.

An agent that says yes to everybody would let any device in the street pair with the
station. This one answers only for devices that the station itself is connecting to.

Source: BlueZ ``doc/org.bluez.Agent.rst`` and ``doc/org.bluez.AgentManager.rst``.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from bleak.backends.bluezdbus.utils import get_dbus_authenticator
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import (
    DBusObjectPath,
    DBusStr,
    DBusUInt16,
    DBusUInt32,
)
from dbus_fast.constants import BusType
from dbus_fast.errors import DBusError
from dbus_fast.service import ServiceInterface, dbus_method

from gateway.errors import LinkError, LinkRefusedError
from gateway.ports.clock import Clock
from gateway.transports.ble_errors import deadline

AGENT_PATH: Final = "/org/vitalgate/agent"
REFRESH_S: Final = 30.0
"""How often the registration is renewed: bluetoothd forgets it when it restarts, and
pairing is rare enough for half a minute not to matter."""
CALL_S: Final = 5.0
"""bluetoothd answers at once, or is not there."""
PASSKEY_S: Final = 50.0
"""A person reads and types six digits; BlueZ gives up after 60 s."""
LARGEST_PASSKEY: Final = 999_999

_REJECTED: Final = "org.bluez.Error.Rejected"
_CANCELED: Final = "org.bluez.Error.Canceled"
_ALREADY: Final = "org.bluez.Error.AlreadyExists"
_DEVICE = re.compile(r"/dev_((?:[0-9A-F]{2}_){5}[0-9A-F]{2})$")

AskPasskey = Callable[[str], Awaitable[int | None]]
"""Asks the operator for the digits on the device with this address; None = gave up."""


@dataclass(slots=True)
class AgentCounts:
    """What the agent was asked."""

    accepted: int = 0
    rejected: int = 0
    registration_failures: int = 0


class PairingAgent(ServiceInterface):
    """``org.bluez.Agent1``.

    Args:
        expects: whether the station is connecting to the address.
        ask_passkey: None: only Just Works is possible.
    """

    def __init__(
        self,
        *,
        expects: Callable[[str], bool],
        ask_passkey: AskPasskey | None = None,
    ) -> None:
        super().__init__("org.bluez.Agent1")
        self.counts = AgentCounts()
        self._expects = expects
        self._ask_passkey = ask_passkey

    @property
    def capability(self) -> str:
        """What BlueZ is told that the station can do."""
        return "NoInputNoOutput" if self._ask_passkey is None else "KeyboardDisplay"

    def accept(self, path: str) -> str:
        """The address behind the path, when it may pair.

        Raises:
            DBusError: It may not.
        """
        found = _DEVICE.search(path)
        address = found[1].replace("_", ":") if found else ""
        if not found or not self._expects(address):
            self.counts.rejected += 1
            raise DBusError(_REJECTED, "the station is not connecting to it")
        self.counts.accepted += 1
        return address

    async def passkey(self, path: str) -> int:
        """The digits that the operator reads off the device.

        Raises:
            DBusError: It may not pair, or nobody gave the digits.
        """
        address = self.accept(path)
        digits: int | None = None
        if self._ask_passkey is not None:
            try:
                async with asyncio.timeout(PASSKEY_S):
                    digits = await self._ask_passkey(address)
            except TimeoutError:
                digits = None
        if digits is None or not 0 <= digits <= LARGEST_PASSKEY:
            raise DBusError(_CANCELED, "no passkey was given")
        return digits

    # The names below are BlueZ's.

    @dbus_method()
    def Release(self) -> None:  # noqa: N802 - D-Bus name
        """The registration is over; ``run`` renews it."""

    @dbus_method()
    async def RequestPasskey(self, device: DBusObjectPath) -> DBusUInt32:  # noqa: N802 - D-Bus name
        """The device shows digits, the station types them."""
        return await self.passkey(device)

    @dbus_method()
    def DisplayPasskey(  # noqa: N802 - D-Bus name
        self, device: DBusObjectPath, passkey: DBusUInt32, entered: DBusUInt16
    ) -> None:
        """Digits to be typed on the device: health devices have no keyboard."""
        del passkey, entered
        self.accept(device)

    @dbus_method()
    def RequestConfirmation(  # noqa: N802 - D-Bus name
        self, device: DBusObjectPath, passkey: DBusUInt32
    ) -> None:
        """Just Works, or a comparison of digits that the device cannot show."""
        del passkey
        self.accept(device)

    @dbus_method()
    def RequestAuthorization(self, device: DBusObjectPath) -> None:  # noqa: N802 - D-Bus name
        """An incoming pairing by Just Works."""
        self.accept(device)

    @dbus_method()
    def AuthorizeService(self, device: DBusObjectPath, uuid: DBusStr) -> None:  # noqa: N802 - D-Bus name
        """A service of a device that is not trusted."""
        del uuid
        self.accept(device)

    @dbus_method()
    def Cancel(self) -> None:  # noqa: N802 - D-Bus name
        """BlueZ has given up; ``PASSKEY_S`` ends the question to the operator."""


async def run_agent(agent: PairingAgent, *, clock: Clock) -> None:
    """Keep the agent registered until cancelled; a missing bus is tried again."""
    while True:
        try:
            await _register_until_lost(agent, clock)
        except LinkError:
            agent.counts.registration_failures += 1
        await clock.sleep(REFRESH_S)


async def _register_until_lost(agent: PairingAgent, clock: Clock) -> None:
    async with deadline("system bus", CALL_S):
        bus = await MessageBus(
            bus_type=BusType.SYSTEM, auth=get_dbus_authenticator()
        ).connect()
    try:
        bus.export(AGENT_PATH, agent)
        while bus.connected:
            await _call(bus, "RegisterAgent", "os", [AGENT_PATH, agent.capability])
            await _call(bus, "RequestDefaultAgent", "o", [AGENT_PATH])
            await clock.sleep(REFRESH_S)
    finally:
        bus.disconnect()


async def _call(bus: MessageBus, member: str, signature: str, body: list[str]) -> None:
    """Call the agent manager.

    Raises:
        LinkError: BlueZ is not there, or refuses.
    """
    async with deadline(member, CALL_S):
        reply = await bus.call(
            Message(
                destination="org.bluez",
                path="/org/bluez",
                interface="org.bluez.AgentManager1",
                member=member,
                signature=signature,
                body=body,
            )
        )
    if reply is None or reply.message_type is not MessageType.ERROR:
        return
    if reply.error_name != _ALREADY:
        raise LinkRefusedError(f"{member}: {reply.error_name}")
