"""The agent's decisions. BlueZ itself is the system test's."""

import asyncio
import sys

import pytest

if sys.platform != "linux":
    pytest.skip("BlueZ is Linux only", allow_module_level=True)

from dbus_fast.errors import DBusError
from dbus_fast.service import ServiceInterface

from gateway.transports.pairing_agent import PairingAgent

CUFF = "/org/bluez/hci0/dev_C0_DE_00_00_00_01"
STREET = "/org/bluez/hci0/dev_C0_DE_00_00_00_02"


def expects(address: str) -> bool:
    return address == "C0:DE:00:00:00:01"


async def ask(address: str) -> int | None:
    assert expects(address)
    return 271_828


def test_a_device_that_is_connected_to_may_pair() -> None:
    agent = PairingAgent(expects=expects)
    assert agent.accept(CUFF) == "C0:DE:00:00:00:01"
    assert agent.counts.accepted == 1


@pytest.mark.parametrize(
    "path", [STREET, "", "/", "/org/bluez/hci0", CUFF + "/service0001", "dev_C0_DE"]
)
def test_nobody_else_may(path: str) -> None:
    agent = PairingAgent(expects=expects)
    with pytest.raises(DBusError) as refused:
        agent.accept(path)
    assert refused.value.type == "org.bluez.Error.Rejected"
    assert agent.counts.rejected == 1


async def test_the_passkey_is_the_operators() -> None:
    agent = PairingAgent(expects=expects, ask_passkey=ask)
    assert agent.capability == "KeyboardDisplay"
    assert await agent.passkey(CUFF) == 271_828
    with pytest.raises(DBusError):
        await agent.passkey(STREET)


@pytest.mark.parametrize("answer", [None, -1, 1_000_000])
async def test_no_digits_no_pairing(answer: int | None) -> None:
    async def shrug(_address: str) -> int | None:
        return answer

    agent = PairingAgent(expects=expects, ask_passkey=shrug)
    with pytest.raises(DBusError) as refused:
        await agent.passkey(CUFF)
    assert refused.value.type == "org.bluez.Error.Canceled"


async def test_an_operator_who_does_not_answer_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(_address: str) -> int | None:
        await asyncio.Event().wait()
        return None

    monkeypatch.setattr("gateway.transports.pairing_agent.PASSKEY_S", 0.05)
    agent = PairingAgent(expects=expects, ask_passkey=away)
    with pytest.raises(DBusError):
        await agent.passkey(CUFF)


async def test_without_an_operator_there_is_only_just_works() -> None:
    agent = PairingAgent(expects=expects)
    assert agent.capability == "NoInputNoOutput"
    with pytest.raises(DBusError):
        await agent.passkey(CUFF)


def test_the_interface_is_bluezs() -> None:
    """Names and signatures as in BlueZ's org.bluez.Agent."""
    agent = PairingAgent(expects=expects)
    methods = {
        method.name: (method.in_signature, method.out_signature)
        for method in ServiceInterface._get_methods(agent)
    }
    assert methods == {
        "Release": ("", ""),
        "RequestPasskey": ("o", "u"),
        "DisplayPasskey": ("ouq", ""),
        "RequestConfirmation": ("ou", ""),
        "RequestAuthorization": ("o", ""),
        "AuthorizeService": ("os", ""),
        "Cancel": ("", ""),
    }
