"""Peripherals that store readings and send them all at the next connection.

Cuffs, thermometers, scales and spot-check oximeters: a measurement wakes the radio, the
first central that subscribes gets everything stored as a burst of indications, oldest
first, and a reading leaves the memory when its indication is confirmed.
"""

from collections import deque
from collections.abc import Sequence

from simulators.radio.attributes import Need, OctetCharacteristic
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.clock_service import ClockService
from simulators.radio.peripheral import SimulatedPeripheral

MEMORY = 200
"""Readings that fit; the oldest is overwritten then, as cuffs do."""


class StoringPeripheral(SimulatedPeripheral):
    """Base of the families with one indicated measurement characteristic."""

    def __init__(
        self,
        identity: Identity,
        *,
        services: Sequence[int],
        measurement: OctetCharacteristic,
        clock: ClockService,
        behaviour: Behaviour | None = None,
        need: Need = Need.NOTHING,
        passkey: int | None = None,
    ) -> None:
        super().__init__(
            identity,
            services=services,
            behaviour=behaviour,
            need=need,
            passkey=passkey,
        )
        self.measurement = measurement
        self.clock_service = clock
        self.clock = clock.clock
        self.delivered: list[bytes] = []
        self._memory: deque[bytes] = deque(maxlen=MEMORY)

    @property
    def stored(self) -> tuple[bytes, ...]:
        """What is still in the memory, oldest first."""
        return tuple(self._memory)

    async def store(self, value: bytes) -> bytes:
        """Put a value into the memory and wake the radio; returns the value."""
        self._memory.append(value)
        self.stir()
        await self.refresh()
        return value

    def has_something(self) -> bool:
        """Whether there are readings to send."""
        return bool(self._memory)

    async def serve(self) -> None:
        """Send everything stored to a central that has subscribed."""
        while self._memory and await self.push(self.measurement, self._memory[0]):
            self.delivered.append(self._memory.popleft())
