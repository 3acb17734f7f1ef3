"""What a session's end means: rest, back off, tell the operator, suspect the radio."""

import random
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.ports.clock import Clock
from gateway.ports.devices import Condition, LinkKind
from gateway.ports.driving import EventSink, EventSource
from gateway.station.supervisor_radio import RadioHealth, Verdict
from gateway.station.supervisor_session import SessionEnd
from gateway.station.supervisor_state import (
    FAILURES_BEFORE_UNREACHABLE,
    Device,
    SupervisorCounts,
)

COOL_DOWN_S: Final = 10.0
"""Default rest after a transfer (quirk ``cool_down_s``): devices keep advertising for a
while, and connecting again gives nothing or everything twice."""

PORT_REST_S: Final = 1.0
"""Rest of a serial port after a session that ended well: a board that was exchanged on
its cable answers at once."""

DRIVER_FAULT: Final = "driver-fault"
UNREACHABLE: Final = "device-unreachable"
FAILING: Final = "radio-failing"


class Outcomes:
    """Takes the end of every session.

    Args:
        sink: where conditions go.
        clock: for back-off and cool-down.
        counts: the supervisor's.
        rng: for jitter.
        reset_radio: last step of the ladder; None without.
        changed: called when a status changed.
    """

    def __init__(
        self,
        *,
        sink: EventSink,
        clock: Clock,
        counts: SupervisorCounts,
        rng: random.Random,
        reset_radio: Callable[[], Awaitable[None]] | None,
        changed: Callable[[], None],
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._counts = counts
        self._rng = rng
        self._reset_radio = reset_radio
        self._changed = changed
        self._health = RadioHealth()

    async def note(self, device: Device, end: SessionEnd) -> None:
        """Set the device's state, and tell what the operator must know."""
        self._counts.sessions += 1
        now = self._clock.monotonic()
        if end.reason:
            device.failed(now, end.reason, end.detail, self._rng)
        else:
            device.succeeded(now, _rest(device))
        self._changed()
        if end.reason == DRIVER_FAULT:
            self._counts.driver_faults += 1
            fault = Condition(code=DRIVER_FAULT, detail=end.detail)
            await self._tell(device.id, device.driver, fault)
        unreachable = device.failures >= FAILURES_BEFORE_UNREACHABLE
        if unreachable is not device.unreachable_told and (
            unreachable or not device.failures
        ):
            device.unreachable_told = unreachable
            condition = Condition(
                code=UNREACHABLE, active=unreachable, detail=end.reason
            )
            await self._tell(device.id, device.driver, condition)

    async def judge_radio(self, device: Device, end: SessionEnd) -> None:
        """Suspect the radio when the connections of several devices fail."""
        verdict = self._health.note(
            device.peer.address,
            # A refusal is an answer: the radio works.
            connected=end.connected or end.reason == "refused",
            now=self._clock.monotonic(),
        )
        if verdict is Verdict.UNCHANGED:
            return
        suspect = verdict is Verdict.SUSPECT
        await self._tell("", device.driver, Condition(code=FAILING, active=suspect))
        if suspect and self._reset_radio is not None:
            self._counts.radio_resets += 1
            try:
                await self._reset_radio()
            except Exception:  # noqa: BLE001 - counted; the next suspicion tries again
                self._counts.reset_failures += 1

    async def _tell(self, device: str, driver: str, condition: Condition) -> None:
        """A condition of the supervisor's own; a full disk must not stop it."""
        source = EventSource(device=device, driver=driver, link=0)
        try:
            await self._sink.take(source, condition)
        except Exception:  # noqa: BLE001 - counted; the status shows the state as well
            self._counts.sink_failures += 1


def _rest(device: Device) -> float:
    if device.link is LinkKind.BYTES:
        return PORT_REST_S
    rest = device.quirks.get("cool_down_s", COOL_DOWN_S)
    return float(rest) if isinstance(rest, int | float) else COOL_DOWN_S
