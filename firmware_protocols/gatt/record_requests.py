"""The requests which a collector makes of a Record Access Control Point.

Reports and the abort; there is none that deletes. Source: Bluetooth SIG Glucose Service
1.0.1, section 3.4; the order across the wrap is serial number arithmetic, RFC 1982.
"""

from firmware_protocols.gatt.record_access import (
    FilterType,
    OpCode,
    Operator,
    RecordRequest,
)

SEQUENCES = 1 << 16
"""Sequence numbers are 16 bits and wrap."""

LARGEST_MEMORY = 4_096
"""More records than any meter stores; this near to the wrap a meter may hold numbers
on both sides of it, and ">= last + 1" would miss those that wrapped."""


def request_all() -> RecordRequest:
    """Ask for every stored record."""
    return RecordRequest(
        op_code=OpCode(OpCode.REPORT_STORED_RECORDS), operator=Operator(Operator.ALL)
    )


def request_last() -> RecordRequest:
    """Ask for the newest record only; TaiDoc meters count backwards and need FIRST."""
    return RecordRequest(
        op_code=OpCode(OpCode.REPORT_STORED_RECORDS), operator=Operator(Operator.LAST)
    )


def request_after(last: int | None) -> RecordRequest:
    """Ask for the records after the last known sequence number.

    All records are asked for where nothing is known yet, and near the wrap of the
    sequence numbers: a record that comes twice is harmless, one that is left out is
    not.

    Raises:
        ValueError: ``last`` is no sequence number.
    """
    if last is None:
        return request_all()
    if not 0 <= last < SEQUENCES:
        raise ValueError("a sequence number has 16 bits")
    if last >= SEQUENCES - LARGEST_MEMORY:
        return request_all()
    return RecordRequest(
        op_code=OpCode(OpCode.REPORT_STORED_RECORDS),
        operator=Operator(Operator.GREATER_OR_EQUAL),
        filter_type=FilterType(FilterType.SEQUENCE_NUMBER),
        filter_values=(last + 1,),
    )


def is_after(sequence: int, last: int) -> bool:
    """Return whether a sequence number comes after another one, across the wrap."""
    return 0 < (sequence - last) % SEQUENCES < SEQUENCES // 2


ABORT = RecordRequest(
    op_code=OpCode(OpCode.ABORT_OPERATION), operator=Operator(Operator.NULL)
)
"""Stops a report."""
