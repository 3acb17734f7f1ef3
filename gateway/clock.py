"""The only module that reads a clock.

Everything else takes ``now`` as an argument or a ``Clock`` (see ``gateway.ports``).
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's clocks: UTC wall clock and a monotonic one."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place

    def monotonic(self) -> float:
        """Seconds since an arbitrary instant; never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; negative means not at all."""
        await asyncio.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that moves when told, for tests and simulations.

    ``sleep`` returns when ``advance`` has moved the clock far enough.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The present simulated instant, aware, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Simulated seconds since the clock was made."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move both clocks forward and wake who has slept long enough."""
        self._elapsed += seconds
        self._now += timedelta(seconds=seconds)
        due = [s for s in self._sleepers if s[0] <= self._elapsed]
        self._sleepers = [s for s in self._sleepers if s[0] > self._elapsed]
        for _, future in due:
            if not future.done():
                future.set_result(None)

    def step_wall_clock(self, seconds: float) -> None:
        """Move only the wall clock, as an operator or NTP does."""
        self._now += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait until the simulated clock has advanced that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed + seconds, future))
        await future
