"""Glucose meters with the Bluetooth SIG service 0x1808 and its record access.

Every record that is new since the last connection is fetched, joined with its meal
context, and yielded; only then is the position remembered (``Bookmark``). Nothing is
ever deleted on the meter. A meter that was reset, or whose numbers wrapped, answers "no
records" to "after the last one": then its newest record is asked for, and when that is
not the one we know, everything is fetched again (a record that comes twice is
harmless, one that is left out is not).

Source: Bluetooth SIG Glucose Service 1.0.1, sections 3.4 and 4; the order of steps is
the one that Accu-Chek, Contour and i-SENS meters accept. TaiDoc numbers backwards
(quirk ``record_order = "newest-first"``): everything is fetched each time.
"""

from collections.abc import AsyncIterator
from typing import Final

from drivers.device_clock import MAY_SET_CLOCK, DeviceClock
from drivers.gatt_session import Conversation, introduce, subscribe
from drivers.glucose_mapping import (
    KINDS,
    StoredContext,
    StoredRecord,
    glucose_reading,
)
from drivers.quirk_values import token
from firmware_protocols.errors import ProtocolError
from firmware_protocols.gatt.glucose import GlucoseMeasurement
from firmware_protocols.gatt.glucose_context import GlucoseContext
from firmware_protocols.gatt.record_access import (
    OpCode,
    Operator,
    RecordRequest,
    ResponseValue,
)
from firmware_protocols.gatt.record_download import RecordDownload
from firmware_protocols.gatt.record_events import (
    Event,
    Finished,
    LateContext,
    Outcome,
    Unexpected,
    Write,
)
from firmware_protocols.gatt.record_events import Received as Fetched
from firmware_protocols.gatt.record_requests import (
    is_after,
    request_after,
    request_all,
    request_last,
)
from gateway.errors import LinkClosedError, LinkRefusedError
from gateway.ports.devices import (
    Allowed,
    Bookmark,
    Condition,
    DriverContext,
    DriverEvent,
    DriverSpec,
    GattLink,
    LinkKind,
    Match,
    Reading,
    Received,
    Undecodable,
)

SERVICE: Final = "00001808-0000-1000-8000-00805f9b34fb"
MEASUREMENT: Final = "00002a18-0000-1000-8000-00805f9b34fb"
CONTEXT: Final = "00002a34-0000-1000-8000-00805f9b34fb"
RECORD_ACCESS: Final = "00002a52-0000-1000-8000-00805f9b34fb"

_REPORT: Final = bytes((OpCode.REPORT_STORED_RECORDS,))
_ABORT: Final = bytes((OpCode.ABORT_OPERATION, Operator.NULL))

SPEC: Final = DriverSpec(
    name="glucose",
    version=1,
    link=LinkKind.GATT,
    matches=(Match(service=SERVICE),),
    produces=KINDS,
    may_send=(
        *MAY_SET_CLOCK,
        # Op code 1 only: op code 2 would delete. Longest: a range of two numbers.
        Allowed(
            name="report-records",
            prefix=_REPORT + bytes((Operator.ALL,)),
            length=2,
            channel=RECORD_ACCESS,
        ),
        Allowed(
            name="report-last-record",
            prefix=_REPORT + bytes((Operator.LAST,)),
            length=2,
            channel=RECORD_ACCESS,
        ),
        Allowed(
            name="report-records-after",
            prefix=_REPORT + bytes((Operator.GREATER_OR_EQUAL,)),
            length=5,
            channel=RECORD_ACCESS,
        ),
        Allowed(name="abort-report", prefix=_ABORT, length=2, channel=RECORD_ACCESS),
    ),
    title="Glucose meter",
)

CONVERSATION: Final = Conversation(
    # Indications first: some meters refuse a request whose answer cannot be sent.
    required=(RECORD_ACCESS, MEASUREMENT),
    optional=(CONTEXT,),
    first_value_s=0.0,  # the download has its own idle limit
    linger_s=0.0,
)

BOOKMARK: Final = "newest-record"
"""Value: sequence number and base time of the newest record, with a blank between."""

NEWEST_FIRST: Final = "newest-first"

MAX_WAIT_S: Final = 1.0
"""Longest single wait for a value, so that deadlines are kept on the driver's clock."""

_Download = RecordDownload[StoredRecord, StoredContext]
_DownloadEvent = Event[StoredRecord, StoredContext]


class _Meter:
    """One connection: downloads, and what they left behind."""

    def __init__(self, link: GattLink, ctx: DriverContext, clock: DeviceClock) -> None:
        self._link = link
        self._ctx = ctx
        self._clock = clock
        self._newest: str | None = None
        self._last_arrived: int | None = None
        self._ascending = True
        self._records = 0
        self._finished: Finished | None = None

    @property
    def finished(self) -> Finished | None:
        """How the last download ended; None while it runs."""
        return self._finished

    @property
    def newest(self) -> str | None:
        """The position to remember: nothing before it is missing."""
        return self._newest if self._complete or self._ascending else None

    @property
    def _complete(self) -> bool:
        return self.finished is not None and self.finished.outcome in (
            Outcome.COMPLETED,
            Outcome.EMPTY,
        )

    async def fetch(self, request: RecordRequest) -> AsyncIterator[DriverEvent]:
        """Run one download to its end.

        Raises:
            LinkRefusedError: the meter refuses the request (not bonded).
        """
        self._finished = None
        download = _Download(
            request=request,
            record_key=lambda record: record.measurement.sequence_number,
            context_key=lambda context: context.context.sequence_number,
            expects_context=lambda record: record.measurement.context_follows,
        )
        pending = download.start(self._ctx.monotonic())
        while True:
            for event in pending:
                async for result in self._handle(event):
                    yield result
            if self.finished is not None:
                return
            pending = await self._await(download)

    async def _await(self, download: _Download) -> list[_DownloadEvent]:
        """What the next value, or the passing of time, does to the download."""
        deadline = download.next_deadline()
        now = self._ctx.monotonic()
        wait = MAX_WAIT_S if deadline is None else min(deadline - now, MAX_WAIT_S)
        try:
            received = await self._link.receive(max(wait, 0.0))
        except LinkClosedError:
            return download.disconnected(self._ctx.monotonic())
        now = self._ctx.monotonic()
        if received is None:
            return download.tick(now)
        if received.channel == RECORD_ACCESS:
            return download.control_point(received.data, now)
        return self._value(received, download, now)

    def _value(
        self, received: Received, download: _Download, now: float
    ) -> list[_DownloadEvent]:
        try:
            if received.channel == CONTEXT:
                context = StoredContext(
                    context=GlucoseContext.from_bytes(received.data),
                    raw=received.data,
                    received_at=received.at,
                )
                return download.context(context, now)
            record = StoredRecord(
                measurement=GlucoseMeasurement.from_bytes(received.data),
                raw=received.data,
                received_at=received.at,
            )
        except ProtocolError as error:
            # Kept in line with the download's own unreadable values.
            return [Unexpected(data=received.data, error=error)]
        return download.record(record, now)

    async def _handle(self, event: _DownloadEvent) -> AsyncIterator[DriverEvent]:
        match event:
            case Write():
                await self._write(event.data)
            case Fetched():
                yield self._reading(event)
                if self._records == 1:
                    for change in await self._first_value():
                        yield change
            case LateContext():
                late = event.context
                reason = "context: its record does not wait for it"
                yield Undecodable(
                    raw=late.raw,
                    reason=reason,
                    received_at=late.received_at,
                    channel=CONTEXT,
                )
            case Unexpected():
                reason = "answers nothing asked" if event.error is None else ""
                yield Undecodable(
                    raw=event.data,
                    reason=reason or str(event.error),
                    received_at=self._ctx.now(),
                    channel=RECORD_ACCESS if event.error is None else "",
                )
            case Finished():
                self._finished = event

    async def _first_value(self) -> list[DriverEvent]:
        try:
            return await self._clock.first_value()
        except LinkClosedError:
            return []  # the records that came are still to be taken

    async def _write(self, data: bytes) -> None:
        try:
            await self._link.write(RECORD_ACCESS, data)
        except LinkClosedError:
            return  # receive says so too, once all values are taken
        except LinkRefusedError:
            if data != _ABORT:
                raise
            # An abort that is refused leaves it to the download's abort timeout.

    def _reading(self, fetched: Fetched[StoredRecord, StoredContext]) -> Reading:
        self._records += 1
        measurement = fetched.record.measurement
        sequence = measurement.sequence_number
        if self._last_arrived is not None and not is_after(
            sequence, self._last_arrived
        ):
            self._ascending = False
        if self._last_arrived is None or is_after(sequence, self._last_arrived):
            self._newest = f"{sequence} {measurement.base_time}"
            self._last_arrived = sequence
        return glucose_reading(
            fetched.record,
            fetched.context,
            context_missing=fetched.context_missing,
            stored=self._clock.is_stored(measurement.user_facing_time())
            if measurement.time_offset is not None
            else self._clock.is_stored(measurement.base_time.to_datetime()),
        )


def _known(bookmark: str | None) -> int | None:
    """The sequence number of a bookmark; None when there is none that makes sense."""
    number = (bookmark or "").partition(" ")[0]
    return int(number) if number.isascii() and number.isdecimal() else None


async def _download(meter: _Meter, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
    """All downloads of one connection."""
    backwards = token(ctx.quirks, "record_order", "") == NEWEST_FIRST
    bookmark = None if backwards else ctx.bookmarks.get(BOOKMARK)
    last = _known(bookmark)
    async for event in meter.fetch(request_all() if backwards else request_after(last)):
        yield event
    if last is None or meter.finished is None:
        return
    if meter.finished.outcome is Outcome.EMPTY:
        async for event in meter.fetch(request_last()):
            yield event
        if meter.newest in (bookmark, None):
            return  # nothing new
    elif meter.finished.response not in (
        ResponseValue.OPERATOR_NOT_SUPPORTED,
        ResponseValue.INVALID_OPERATOR,
        ResponseValue.OPERAND_NOT_SUPPORTED,
        ResponseValue.INVALID_OPERAND,
    ):
        return
    # The meter was reset, or cannot filter.
    async for event in meter.fetch(request_all()):
        yield event


class GlucoseDriver:
    """See the module's description."""

    spec = SPEC

    async def run(
        self, link: GattLink, ctx: DriverContext
    ) -> AsyncIterator[DriverEvent]:
        """One connection.

        Raises:
            LinkError: a subscription or the request was refused.
        """
        lacking = await subscribe(link, CONVERSATION)
        if lacking is not None:
            yield lacking
            if lacking.code == "service-missing":
                return
        clock = DeviceClock(link, ctx)
        async for event in introduce(link, clock):
            yield event
        meter = _Meter(link, ctx, clock)
        async for event in _download(meter, ctx):
            yield event
        if meter.newest is not None:
            yield Bookmark(key=BOOKMARK, value=meter.newest)
        if meter.finished is not None and meter.finished.outcome not in (
            Outcome.COMPLETED,
            Outcome.EMPTY,
        ):
            outcome = meter.finished.outcome.value.replace("_", "-")
            yield Condition(code="records-incomplete", detail=outcome)
        try:
            for event in await clock.quiet():
                yield event
        except LinkClosedError:
            return  # it went to sleep: the clock is set another time
