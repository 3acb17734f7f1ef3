"""What the operator's screen shows of devices; kept in memory only."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from gateway.model.observation import Observation
from gateway.ports.devices import Identified

K = TypeVar("K")
V = TypeVar("V")

# Readings kept for the operator's screen: the visits of the last hour or so.
MAX_RECENT: Final = 100
# Passing values on the screen; devices times their live values.
MAX_LIVE: Final = 128
# Devices whose identity and battery are remembered; far above what a station has.
MAX_DEVICES: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveValue:
    """A passing value of a device, such as the cuff's pressure; not stored."""

    device: str
    name: str
    value: str
    unit: str
    at: datetime


class Seen:
    """Recent readings, passing values, identities and batteries, all bounded."""

    def __init__(self) -> None:
        self.recent: deque[Observation] = deque(maxlen=MAX_RECENT)
        self.identities: dict[str, Identified] = {}
        self.batteries: dict[str, int] = {}
        self.last_reading_at: dict[str, datetime] = {}
        self._live: dict[tuple[str, str], LiveValue] = {}

    @property
    def live(self) -> list[LiveValue]:
        """The passing values, the one that changed longest ago first."""
        return list(self._live.values())

    def reading(self, observation: Observation) -> None:
        """A reading was committed."""
        self.recent.append(observation)
        remember(
            self.last_reading_at,
            observation.device,
            observation.received_at,
            limit=MAX_DEVICES,
        )

    def identified(self, device: str, identity: Identified) -> None:
        """A device said what it is."""
        remember(self.identities, device, identity, limit=MAX_DEVICES)

    def battery(self, device: str, percent: int) -> None:
        """A device told its charge."""
        remember(self.batteries, device, percent, limit=MAX_DEVICES)

    def live_value(self, value: LiveValue) -> None:
        """A device told a passing value."""
        remember(self._live, (value.device, value.name), value, limit=MAX_LIVE)

    def device_gone(self, device: str) -> None:
        """Its passing values are no longer true."""
        for key in [key for key in self._live if key[0] == device]:
            del self._live[key]


def remember(held: dict[K, V], key: K, value: V, *, limit: int) -> None:
    """Set a value; the one set longest ago makes room."""
    held.pop(key, None)
    if len(held) >= limit:
        del held[next(iter(held))]
    held[key] = value
