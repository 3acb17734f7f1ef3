"""What a link has received and a driver has not yet taken: ordered and bounded."""

import asyncio
from collections import deque

from gateway.errors import LinkClosedError
from gateway.ports.devices import Received


class ReceiveQueue:
    """A bounded queue with an end.

    Everything received before the end is delivered before the end is told. The queue
    never drops: whether a full one closes the link or holds the sender back is decided
    by the link, which asks ``put``.
    """

    def __init__(self, *, max_values: int, max_bytes: int) -> None:
        self._max_values = max_values
        self._max_bytes = max_bytes
        self._values: deque[Received] = deque()
        self._bytes = 0
        self._end: str | None = None
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._values)

    @property
    def bytes_held(self) -> int:
        """Octets waiting."""
        return self._bytes

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""
        return self._end is not None

    @property
    def full(self) -> bool:
        """Whether a limit is reached."""
        return len(self._values) >= self._max_values or self._bytes >= self._max_bytes

    @property
    def half_empty(self) -> bool:
        """Whether half of each limit is free, so that a paused sender may go on."""
        return (
            len(self._values) * 2 <= self._max_values
            and self._bytes * 2 <= self._max_bytes
        )

    def put(self, value: Received) -> bool:
        """Append; False when it was refused because the queue is full or ended.

        An empty value is a value. One value may exceed the byte limit when the queue
        was below it, so that the limit never refuses a legal value outright.
        """
        if self._end is not None or self.full:
            return False
        self._values.append(value)
        self._bytes += len(value.data)
        self._changed.set()
        return True

    def end(self, reason: str) -> None:
        """Say why nothing more will come; the first reason stays."""
        if self._end is None:
            self._end = reason
            self._changed.set()

    async def next(self, timeout: float) -> Received | None:  # noqa: ASYNC109 - port
        """The oldest value; None after ``timeout`` seconds without one.

        Raises:
            LinkClosedError: The queue has ended and is empty.
        """
        if not self._values and self._end is None:
            self._changed.clear()
            try:
                async with asyncio.timeout(max(0.0, timeout)):
                    await self._changed.wait()
            except TimeoutError:
                return None
        if self._values:
            value = self._values.popleft()
            self._bytes -= len(value.data)
            return value
        raise LinkClosedError(self._end or "the link has ended")
