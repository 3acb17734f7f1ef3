"""The record access control point 2A52 as a meter answers it.

Filters by sequence number and by time, counts, aborts, and refuses to delete: what
asked for a deletion is counted, because nothing of a gateway ever may.

Source: Bluetooth SIG Glucose Service 1.0.1, section 3.4; error codes 0x80 and 0x81 of
its section 2.4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from bumble.att import ATT_Error

from firmware_protocols.errors import ProtocolError
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.record_access import (
    ControlPointValue,
    FilterType,
    OpCode,
    Operator,
    RecordCount,
    RecordRequest,
    RecordResponse,
    ResponseValue,
    decode_record_access,
)
from simulators.radio.attributes import OctetCharacteristic, Properties, written
from simulators.radio.peripheral import SimulatedPeripheral

if TYPE_CHECKING:
    from asyncio import Task

PROCEDURE_IN_PROGRESS = 0x80
CCCD_NOT_CONFIGURED = 0x81

_T = TypeVar("_T", int, datetime)
Frame = tuple[OctetCharacteristic, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record to be sent: its number, its time, one or two values."""

    sequence: int
    time: datetime | None
    first: Frame
    second: Frame | None = None


class RecordAccess:
    """The control point of one peripheral.

    Args:
        owner: pushes the values.
        select: all records, oldest first.
        ready: whether the record characteristic is subscribed to.
        interleaved: a record's second value follows the next record's first.
    """

    def __init__(
        self,
        owner: SimulatedPeripheral,
        select: Callable[[], list[StoredRecord]],
        *,
        ready: Callable[[], bool],
        interleaved: bool,
    ) -> None:
        self.requests: list[bytes] = []
        self.deletions_asked = 0
        self.characteristic = written(
            0x2A52,
            Properties.WRITE | Properties.INDICATE,
            self._on_write,
            need=owner.need,
        )
        self._owner = owner
        self._select = select
        self._ready = ready
        self._interleaved = interleaved
        self._running: Task[None] | None = None

    def _on_write(self, value: bytes) -> None:
        self.requests.append(value)
        if not self._owner.subscribed(self.characteristic) or not self._ready():
            raise ATT_Error(CCCD_NOT_CONFIGURED)
        try:
            request = decode_record_access(value)
        except ProtocolError:
            self._answer(value[0] if value else 0, ResponseValue.INVALID_OPERAND)
            return
        busy = self._running is not None and not self._running.done()
        if request.op_code == OpCode.ABORT_OPERATION:
            if busy and self._running is not None:
                self._running.cancel()
            self._answer(request.op_code, ResponseValue.SUCCESS)
            return
        if busy:
            raise ATT_Error(PROCEDURE_IN_PROGRESS)
        self._start(request)

    def _start(self, request: ControlPointValue) -> None:
        if request.op_code == OpCode.DELETE_STORED_RECORDS:
            self.deletions_asked += 1
        if not isinstance(request, RecordRequest) or request.op_code not in (
            OpCode.REPORT_STORED_RECORDS,
            OpCode.REPORT_NUMBER_OF_RECORDS,
        ):
            self._answer(request.op_code, ResponseValue.OP_CODE_NOT_SUPPORTED)
            return
        chosen = _chosen(self._select(), request)
        if request.op_code == OpCode.REPORT_NUMBER_OF_RECORDS:
            self._indicate(RecordCount(number_of_records=len(chosen)).to_bytes())
        elif not chosen:
            self._answer(request.op_code, ResponseValue.NO_RECORDS_FOUND)
        else:
            self._running = self._owner.spawn(self._report(chosen))

    async def _report(self, records: list[StoredRecord]) -> None:
        held: Frame | None = None
        for record in records:
            frames: list[Frame | None] = [record.first]
            if self._interleaved:
                frames.append(held)
                held = record.second
            else:
                frames.append(record.second)
            for frame in frames:
                if frame is not None and not await self._send(frame):
                    return
        if held is not None and not await self._send(held):
            return
        self._answer(OpCode.REPORT_STORED_RECORDS, ResponseValue.SUCCESS)

    async def _send(self, frame: Frame) -> bool:
        """Send a value; one that nobody wants (a context) is left out."""
        if not self._owner.connected:
            return False
        if self._owner.subscribed(frame[0]):
            return await self._owner.push(*frame)
        return True

    def _answer(self, op_code: int, response: int) -> None:
        self._indicate(
            RecordResponse(
                request_op_code=OpCode(op_code), response=ResponseValue(response)
            ).to_bytes()
        )

    def _indicate(self, value: bytes) -> None:
        async def indicate() -> None:
            await self._owner.push(self.characteristic, value)

        self._owner.spawn(indicate())


def _chosen(records: list[StoredRecord], request: RecordRequest) -> list[StoredRecord]:
    if request.operator == Operator.FIRST:
        return records[:1]
    if request.operator == Operator.LAST:
        return records[-1:]
    return [record for record in records if _within(record, request)]


def _within(record: StoredRecord, request: RecordRequest) -> bool:
    """Whether the operands cover the record; all without operands."""
    bounds = request.filter_values
    if not bounds:
        return True
    if request.filter_type == FilterType.USER_FACING_TIME:
        times = [b.to_datetime() for b in bounds if isinstance(b, DateTime)]
        known = [t for t in times if t is not None]
        if record.time is None or len(known) != len(bounds):
            return False
        return _between(record.time, known, request.operator)
    numbers = [b for b in bounds if isinstance(b, int)]
    return _between(record.sequence, numbers, request.operator)


def _between(value: _T, bounds: list[_T], operator: int) -> bool:
    if operator == Operator.LESS_OR_EQUAL:
        return value <= bounds[0]
    if operator == Operator.GREATER_OR_EQUAL:
        return value >= bounds[0]
    return bounds[0] <= value <= bounds[-1]
