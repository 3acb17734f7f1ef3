"""Record Access Control Point 0x2A52 of the glucose, CGM and oximeter services.

::

    +---------+----------+-------------+------------------------------+
    | op code | operator | filter type | operand, or two for a range  |   request
    |    8    |    8     |      8      | u16, or date time 7 octets   |
    +---------+----------+-------------+------------------------------+
                           with operators <=, >= and range

    +----+---+------------------+
    | 05 | 0 | number of records|   u16; u8 and u32 occur too
    +----+---+------------------+
    +----+---+----------------+----------------+
    | 06 | 0 | request op code| response value |
    +----+---+----------------+----------------+

Filter type 1 is the sequence number (in CGM the time offset in minutes), 2 the user
facing time. Op code 2 deletes records: it can be decoded, because a simulated meter
must understand it, but nothing of ours sends it.

Source: Bluetooth SIG Glucose Service 1.0.1, section 3.4.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from firmware_protocols.codes import Code
from firmware_protocols.errors import FieldError
from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.octets import OctetReader, Octets, OctetWriter

COUNT_SIZES = (1, 2, 4)
"""Octets of a number of records: u16 by the specification, u8 and u32 in the field."""


class OpCode(Code):
    """What the control point is asked, or answers."""

    __slots__ = ()

    REPORT_STORED_RECORDS: Final = 1
    DELETE_STORED_RECORDS: Final = 2
    ABORT_OPERATION: Final = 3
    REPORT_NUMBER_OF_RECORDS: Final = 4
    NUMBER_OF_RECORDS_RESPONSE: Final = 5
    RESPONSE_CODE: Final = 6
    COMBINED_REPORT: Final = 7
    COMBINED_REPORT_RESPONSE: Final = 8


class Operator(Code):
    """Which records are meant."""

    __slots__ = ()

    NULL: Final = 0
    ALL: Final = 1
    LESS_OR_EQUAL: Final = 2
    GREATER_OR_EQUAL: Final = 3
    RANGE: Final = 4
    FIRST: Final = 5
    LAST: Final = 6


class FilterType(Code):
    """What the operands of an operator are."""

    __slots__ = ()

    SEQUENCE_NUMBER: Final = 1
    USER_FACING_TIME: Final = 2


class ResponseValue(Code):
    """How a request ended; 6 is the normal end where nothing is stored."""

    __slots__ = ()

    SUCCESS: Final = 1
    OP_CODE_NOT_SUPPORTED: Final = 2
    INVALID_OPERATOR: Final = 3
    OPERATOR_NOT_SUPPORTED: Final = 4
    INVALID_OPERAND: Final = 5
    NO_RECORDS_FOUND: Final = 6
    ABORT_UNSUCCESSFUL: Final = 7
    PROCEDURE_NOT_COMPLETED: Final = 8
    OPERAND_NOT_SUPPORTED: Final = 9
    SERVER_BUSY: Final = 10


_OPERANDS = {Operator.LESS_OR_EQUAL: 1, Operator.GREATER_OR_EQUAL: 1, Operator.RANGE: 2}
_NULL_ONLY = (
    OpCode.ABORT_OPERATION,
    OpCode.NUMBER_OF_RECORDS_RESPONSE,
    OpCode.RESPONSE_CODE,
)
_NEVER_NULL = (
    OpCode.REPORT_STORED_RECORDS,
    OpCode.DELETE_STORED_RECORDS,
    OpCode.REPORT_NUMBER_OF_RECORDS,
)

FilterValue: TypeAlias = int | DateTime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRequest:
    """A request: report, count, delete or abort.

    Attributes:
        filter_type: None with operators that take no operand.
        filter_values: One operand, or two for a range, both inclusive.
    """

    op_code: OpCode
    operator: Operator
    filter_type: FilterType | None = None
    filter_values: tuple[FilterValue, ...] = ()
    trailing: bytes = b""

    def to_bytes(self) -> bytes:
        """Encode the request.

        Raises:
            ValueError: Operator and operands do not fit each other.
            OverflowError: A sequence number does not fit.
        """
        if len(self.filter_values) != _OPERANDS.get(self.operator, 0):
            raise ValueError("this operator takes another number of operands")
        if (self.filter_type is None) != (not self.filter_values):
            raise ValueError("operands need a filter type, and the other way round")
        writer = OctetWriter().u8(self.op_code).u8(self.operator)
        if self.filter_type is not None:
            writer.u8(self.filter_type)
        timed = self.filter_type == FilterType.USER_FACING_TIME
        for value in self.filter_values:
            if isinstance(value, DateTime) is not timed:
                raise ValueError("an operand is not of its filter type")
            if isinstance(value, DateTime):
                writer.date_time(value)
            else:
                writer.u16(value)
        return writer.octets(self.trailing).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCount:
    """The answer to a count: op code 5.

    Attributes:
        number_of_records: How many records the request would report.
        size: Octets of the number on the wire: 1, 2 or 4.
    """

    number_of_records: int
    size: int = 2

    op_code: ClassVar[OpCode] = OpCode(OpCode.NUMBER_OF_RECORDS_RESPONSE)
    operator: ClassVar[Operator] = Operator(Operator.NULL)

    def to_bytes(self) -> bytes:
        """Encode the answer.

        Raises:
            ValueError: The size is none of those in use.
            OverflowError: The number does not fit.
        """
        if self.size not in COUNT_SIZES:
            raise ValueError("a number of records has 1, 2 or 4 octets")
        writer = OctetWriter().u8(self.op_code).u8(self.operator)
        return writer.unsigned(self.number_of_records, self.size).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResponse:
    """The end of a request: op code 6."""

    request_op_code: OpCode
    response: ResponseValue
    trailing: bytes = b""

    op_code: ClassVar[OpCode] = OpCode(OpCode.RESPONSE_CODE)
    operator: ClassVar[Operator] = Operator(Operator.NULL)

    def to_bytes(self) -> bytes:
        """Encode the answer."""
        writer = OctetWriter().u8(self.op_code).u8(self.operator)
        writer.u8(self.request_op_code).u8(self.response)
        return writer.octets(self.trailing).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownProcedure:
    """An op code whose operands this service does not define (7, 8 and above)."""

    op_code: OpCode
    operator: Operator
    operand: bytes

    def to_bytes(self) -> bytes:
        """Encode the procedure."""
        writer = OctetWriter().u8(self.op_code).u8(self.operator)
        return writer.octets(self.operand).value()


ControlPointValue: TypeAlias = (
    RecordRequest | RecordCount | RecordResponse | UnknownProcedure
)


def decode_record_access(data: Octets) -> ControlPointValue:
    """Decode a write to 2A52 or an indication from it.

    Raises:
        TruncatedError: A field is missing.
        FieldError: The operator is forbidden for the op code, the filter type is
            unknown, or a number of records has a size not in use.
    """
    reader = OctetReader(data)
    op_code = OpCode(reader.u8("op_code"))
    operator = Operator(reader.u8("operator"))
    if op_code in _NULL_ONLY and operator != Operator.NULL:
        raise FieldError("operator", "must be null for this op code", reader.data)
    if op_code in _NEVER_NULL and (operator == Operator.NULL or not operator.is_known):
        raise FieldError("operator", "is invalid for this op code", reader.data)
    if op_code == OpCode.NUMBER_OF_RECORDS_RESPONSE:
        return _read_count(reader)
    if op_code == OpCode.RESPONSE_CODE:
        return RecordResponse(
            request_op_code=OpCode(reader.u8("request_op_code")),
            response=ResponseValue(reader.u8("response_value")),
            trailing=reader.rest(),
        )
    if op_code not in _NEVER_NULL and op_code != OpCode.ABORT_OPERATION:
        return UnknownProcedure(
            op_code=op_code, operator=operator, operand=reader.rest()
        )
    return _read_request(reader, op_code, operator)


def _read_count(reader: OctetReader) -> RecordCount:
    size = reader.left()
    if not size:
        reader.u8("number_of_records")  # raises: the number is missing
    if size not in COUNT_SIZES:
        raise FieldError("number_of_records", "has a size not in use", reader.data)
    number = reader.unsigned("number_of_records", size)
    return RecordCount(number_of_records=number, size=size)


def _read_request(
    reader: OctetReader, op_code: OpCode, operator: Operator
) -> RecordRequest:
    count = _OPERANDS.get(operator, 0)
    filter_type: FilterType | None = None
    values: tuple[FilterValue, ...] = ()
    if count:
        filter_type = FilterType(reader.u8("filter_type"))
        if not filter_type.is_known:
            raise FieldError("filter_type", "is unknown", reader.data)
        timed = filter_type == FilterType.USER_FACING_TIME
        values = tuple(
            reader.date_time("operand") if timed else reader.u16("operand")
            for _ in range(count)
        )
    return RecordRequest(
        op_code=op_code,
        operator=operator,
        filter_type=filter_type,
        filter_values=values,
        trailing=reader.rest(),
    )
