"""Time as a dependency."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """See ``gateway.clock`` for the real one and the manual one."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary instant; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait; zero and negative mean: let others run."""
