"""What stations are told is sealed for their own topic."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway.errors import LinkClosedError, WireError
from gateway.model.people import Station
from gateway.ports.messaging import Delivery
from gateway.services.downlink import MqttStationLink
from gateway.wire.batch import SCHEMA, SessionCommand, StationCommand
from gateway.wire.seal import Signer, unseal
from tests.api.samples import NOW

PLACE = Station(id="kiosk-1", site="site-a")


class Bus:
    """Keeps what is published, unless it is cut off."""

    def __init__(self, *, connected: bool = True) -> None:
        self.connected = connected
        self.sent: list[tuple[str, bytes, int, bool]] = []

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        if not self.connected:
            raise LinkClosedError("broker: not connected.")
        self.sent.append((topic, payload, qos, retain))

    async def wait_connected(self) -> None:
        """Connected from the start."""

    async def deliveries(self) -> AsyncIterator[Delivery]:
        nothing: tuple[Delivery, ...] = ()
        for delivery in nothing:
            yield delivery


async def test_session_and_command() -> None:
    bus, signer = Bus(), Signer.generate()
    link = MqttStationLink(bus, signer)
    opened = SessionCommand(schema=SCHEMA, action="open", resident="r-1")
    inflate = StationCommand(
        schema=SCHEMA, id="1", device="d", name="start", by="op", expires_at=NOW
    )
    await link.session(PLACE, opened)
    await link.command(PLACE, inflate)
    (topic, payload, qos, retain), (other, command, _, _) = bus.sent
    assert topic == "vitalgate/v1/site-a/kiosk-1/down/session"
    assert other == "vitalgate/v1/site-a/kiosk-1/down/command"
    assert (qos, retain) == (1, False)
    body = unseal(topic, payload, signer.public_key)
    assert msgspec.json.decode(body, type=SessionCommand) == opened
    body = unseal(other, command, signer.public_key)
    assert msgspec.json.decode(body, type=StationCommand) == inflate
    with pytest.raises(WireError):
        unseal(other, payload, signer.public_key)  # moved to another topic


async def test_a_cut_broker_is_told() -> None:
    link = MqttStationLink(Bus(connected=False), Signer.generate())
    with pytest.raises(LinkClosedError):
        await link.session(PLACE, SessionCommand(schema=SCHEMA, action="close"))
