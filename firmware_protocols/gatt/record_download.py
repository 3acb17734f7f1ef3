"""Client of the Record Access Control Point: fetch stored records, lose none.

The procedure of the glucose service, and of every service with the same control point::

    collector                                       meter
      | -- write 2A52: report, >= last + 1  --------> |
      | <------------- notify 2A18 sequence n ------- |   a record; it may announce
      | <------------- notify 2A18 sequence n + 1 --- |   a context that comes later,
      | <------------- notify 2A34 sequence n ------- |   interleaved with the next
      | <------------- indicate 2A52: 06 00 01 01 --- |   01 = done, 06 = none stored

``RecordDownload`` is that procedure without radio and clock. The caller feeds in what
arrives together with the time, writes what comes out, and calls ``tick`` at
``next_deadline``. It is generic over record and context, so that a caller can pass a
decoded record together with its raw bytes.

Guarantees: every record that was passed in comes out exactly once as a ``Received``, at
the latest ``CONTEXT_WAIT`` after it came, with or without its context; ``Finished``
comes exactly once, after the last waiting record; nothing is ever deleted on the meter.

Source: Bluetooth SIG Glucose Service 1.0.1, sections 3.4 and 4; meters that stay silent
or never send a promised context are from field reports.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Generic

from firmware_protocols.errors import ProtocolError
from firmware_protocols.gatt.octets import Octets
from firmware_protocols.gatt.record_access import (
    OpCode,
    RecordRequest,
    RecordResponse,
    ResponseValue,
    decode_record_access,
)
from firmware_protocols.gatt.record_events import (
    ATT_OUTCOMES,
    ContextT,
    Event,
    Finished,
    LateContext,
    Outcome,
    Received,
    RecordT,
    Unexpected,
    Write,
)
from firmware_protocols.gatt.record_requests import ABORT

IDLE_TIMEOUT = 20.0
"""Seconds of silence after which the download is aborted.

Meters answer within a second or two; 10 to 30 s is the usual guard, because some read
their memory first.
"""

ABORT_TIMEOUT = 5.0
"""Seconds to wait for the answer to an abort before giving up without it."""

CONTEXT_WAIT = 5.0
"""Seconds a record waits for the context it announced.

The context follows its record within one connection interval or two; a reading must
not be held back because a meter never sends it.
"""

MAX_WAITING = 64
"""Records that may wait for a context at once; the oldest goes out when it is full.

Meters interleave one or two; the bound keeps a hostile device from filling memory.
"""

MAX_INPUTS = 131_072
"""Records and contexts of one download: two for each of the 65,536 sequence numbers.

A device that never stops sending would otherwise never let the download end.
"""


_ENDINGS: dict[int, Outcome] = {
    ResponseValue.SUCCESS: Outcome.COMPLETED,
    ResponseValue.NO_RECORDS_FOUND: Outcome.EMPTY,
    ResponseValue.SERVER_BUSY: Outcome.BUSY,
}


class _State(Enum):
    READY = "ready"
    RUNNING = "running"
    ABORTING = "aborting"
    DRAINING = "draining"
    DONE = "done"


@dataclass(slots=True, kw_only=True)
class _Waiting(Generic[RecordT]):
    record: RecordT
    deadline: float


class RecordDownload(Generic[RecordT, ContextT]):
    """One "report stored records" procedure; see the module docstring.

    Args:
        request: What to ask for; only reports are allowed.
        record_key: What joins a record to its context, such as the sequence number.
        context_key: The same of a context.
        expects_context: Whether a record announces a context.
        idle_timeout: Seconds of silence before the download is aborted.
        context_wait: Seconds a record waits for its context.

    Raises:
        ValueError: ``request`` is not a report, or a time is not positive.
    """

    def __init__(
        self,
        *,
        request: RecordRequest,
        record_key: Callable[[RecordT], Hashable],
        context_key: Callable[[ContextT], Hashable],
        expects_context: Callable[[RecordT], bool],
        idle_timeout: float = IDLE_TIMEOUT,
        context_wait: float = CONTEXT_WAIT,
    ) -> None:
        if request.op_code != OpCode.REPORT_STORED_RECORDS:
            raise ValueError("a download only reports records")
        if idle_timeout <= 0 or context_wait <= 0:
            raise ValueError("time limits are positive")
        self._request = request
        self._record_key = record_key
        self._context_key = context_key
        self._expects_context = expects_context
        self._idle_timeout = idle_timeout
        self._context_wait = context_wait
        self._state = _State.READY
        self._deadline: float | None = None
        # In order of arrival, so the first has the earliest deadline.
        self._waiting: dict[Hashable, _Waiting[RecordT]] = {}
        self._records = 0
        self._inputs = 0
        self._finish: Finished | None = None

    @property
    def is_finished(self) -> bool:
        """Return whether ``Finished`` has come out."""
        return self._state is _State.DONE

    def start(self, now: float) -> list[Event[RecordT, ContextT]]:
        """Begin: subscriptions are on, the link is encrypted.

        Raises:
            RuntimeError: It was started before.
        """
        if self._state is not _State.READY:
            raise RuntimeError("a download runs once")
        self._state = _State.RUNNING
        self._deadline = now + self._idle_timeout
        return [Write(data=self._request.to_bytes())]

    def next_deadline(self) -> float | None:
        """Return when ``tick`` must be called, or None if there is nothing to await."""
        deadlines = [waiting.deadline for waiting in self._waiting.values()]
        if self._deadline is not None:
            deadlines.append(self._deadline)
        return min(deadlines, default=None)

    def record(self, record: RecordT, now: float) -> list[Event[RecordT, ContextT]]:
        """Take a record, also one that comes before the start or after the end."""
        events = self.tick(now) + self._heard(now)
        announced = self._expects_context(record)
        if not announced or self._state in (_State.DRAINING, _State.DONE):
            events.append(self._emit(record, missing=announced))
        else:
            key = self._record_key(record)
            if key in self._waiting:
                events.append(self._flush(key))
            if len(self._waiting) >= MAX_WAITING:
                events.append(self._flush(next(iter(self._waiting))))
            self._waiting[key] = _Waiting(
                record=record, deadline=now + self._context_wait
            )
        return events

    def context(self, context: ContextT, now: float) -> list[Event[RecordT, ContextT]]:
        """Take a context and join it to its record if that still waits."""
        events = self.tick(now) + self._heard(now)
        waiting = self._waiting.pop(self._context_key(context), None)
        if waiting is None:
            events.append(LateContext(context=context))
        else:
            events.append(self._emit(waiting.record, context=context))
        return events + self._drained()

    def control_point(self, data: Octets, now: float) -> list[Event[RecordT, ContextT]]:
        """Take an indication of 2A52."""
        events = self.tick(now)
        try:
            answer = decode_record_access(data)
        except ProtocolError as error:
            return [*events, Unexpected(data=bytes(data), error=error)]
        if isinstance(answer, RecordResponse):
            outcome = self._outcome(answer)
            if outcome is not None:
                return events + self._end(outcome, response=answer.response)
        return [*events, Unexpected(data=bytes(data), error=None)]

    def abort(self, now: float) -> list[Event[RecordT, ContextT]]:
        """Stop the download on our own wish."""
        events = self.tick(now)
        if self._state is _State.READY:
            return events + self._end(Outcome.ABORTED)
        return events + self._begin_abort(Outcome.ABORTED, now)

    def att_error(self, code: int, now: float) -> list[Event[RecordT, ContextT]]:
        """Take the error of a write to 2A52: an ATT error code, 0 .. 255."""
        events = self.tick(now)
        if self._state is _State.RUNNING:
            outcome = ATT_OUTCOMES.get(code, Outcome.ATT_ERROR)
            events += self._end(outcome, att_error=code)
        elif self._state is _State.ABORTING and self._finish is not None:
            # The abort could not be written: what led to it stays the outcome.
            events += self._end(self._finish.outcome, att_error=code)
        return events

    def disconnected(self, now: float) -> list[Event[RecordT, ContextT]]:
        """Take the loss of the link: everything that waits goes out."""
        events = self.tick(now)
        events += [self._flush(key) for key in tuple(self._waiting)]
        if self._state in (_State.DRAINING, _State.DONE):
            return events + self._drained()
        return events + self._end(Outcome.DISCONNECTED)

    def tick(self, now: float) -> list[Event[RecordT, ContextT]]:
        """Let time pass: flush what waited too long, abort what is silent."""
        late = [key for key, item in self._waiting.items() if item.deadline <= now]
        events: list[Event[RecordT, ContextT]] = [self._flush(key) for key in late]
        if self._deadline is not None and self._deadline <= now:
            if self._state is _State.RUNNING:
                events += self._begin_abort(Outcome.TIMED_OUT, now)
            elif self._finish is not None:
                events += self._end(self._finish.outcome)
        return events + self._drained()

    def _heard(self, now: float) -> list[Event[RecordT, ContextT]]:
        """Restart the idle timer: the meter is alive; stop it if it never stops."""
        self._inputs += 1
        if self._state is not _State.RUNNING:
            return []
        if self._inputs > MAX_INPUTS:
            return self._begin_abort(Outcome.TOO_MANY_RECORDS, now)
        self._deadline = now + self._idle_timeout
        return []

    def _outcome(self, answer: RecordResponse) -> Outcome | None:
        """Return what a response ends the procedure with, or None if it is not ours."""
        if self._state not in (_State.RUNNING, _State.ABORTING):
            return None
        aborted = self._finish.outcome if self._finish is not None else None
        if answer.request_op_code == OpCode.ABORT_OPERATION:
            return aborted
        if answer.request_op_code != OpCode.REPORT_STORED_RECORDS:
            return None
        # The report may have ended while our abort was on its way.
        ended = _ENDINGS.get(answer.response, Outcome.REFUSED)
        if aborted is None or ended in (Outcome.COMPLETED, Outcome.EMPTY):
            return ended
        return aborted

    def _begin_abort(
        self, outcome: Outcome, now: float
    ) -> list[Event[RecordT, ContextT]]:
        if self._state is not _State.RUNNING:
            return []
        self._state = _State.ABORTING
        self._deadline = now + ABORT_TIMEOUT
        self._finish = Finished(outcome=outcome, records=0)
        return [Write(data=ABORT.to_bytes())]

    def _end(
        self,
        outcome: Outcome,
        *,
        response: ResponseValue | None = None,
        att_error: int | None = None,
    ) -> list[Event[RecordT, ContextT]]:
        """Go into the end, which waits for the contexts that are still to come."""
        self._state = _State.DRAINING
        self._deadline = None
        self._finish = Finished(
            outcome=outcome, records=0, response=response, att_error=att_error
        )
        return self._drained()

    def _drained(self) -> list[Event[RecordT, ContextT]]:
        """Finish once, when nothing waits any more."""
        if self._state is not _State.DRAINING or self._waiting or self._finish is None:
            return []
        self._state = _State.DONE
        self._deadline = None
        return [
            Finished(
                outcome=self._finish.outcome,
                records=self._records,
                response=self._finish.response,
                att_error=self._finish.att_error,
            )
        ]

    def _flush(self, key: Hashable) -> Received[RecordT, ContextT]:
        return self._emit(self._waiting.pop(key).record, missing=True)

    def _emit(
        self,
        record: RecordT,
        *,
        context: ContextT | None = None,
        missing: bool = False,
    ) -> Received[RecordT, ContextT]:
        self._records += 1
        return Received(record=record, context=context, context_missing=missing)
