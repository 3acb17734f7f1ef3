"""MQTT as the rest of the gateway sees it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An incoming message."""

    topic: str
    payload: bytes
    retained: bool = False


class Delivery(Protocol):
    """A message that stays unacknowledged at the broker until ``done`` is called."""

    @property
    def message(self) -> Message:
        """What came."""

    def done(self) -> None:
        """Acknowledge to the broker (PUBACK). Call after the effect is committed."""


class MessageBus(Protocol):
    """A connection to an MQTT 3.1.1 broker that reconnects by itself."""

    @property
    def connected(self) -> bool:
        """Whether a broker has accepted us."""

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish and, at QoS 1, wait for the broker's PUBACK.

        Raises:
            LinkClosedError: not connected, or the connection broke before the PUBACK.
        """

    async def wait_connected(self) -> None:
        """Return once connected."""

    def deliveries(self) -> AsyncIterator[Delivery]:
        """Messages of the subscriptions given at construction, in order."""


class Inbox(Protocol):
    """Where the hub takes messages from; an MQTT subscription, or another queue."""

    def deliveries(self) -> AsyncIterator[Delivery]:
        """Messages in order; each must be ``done`` after its effect is committed."""
