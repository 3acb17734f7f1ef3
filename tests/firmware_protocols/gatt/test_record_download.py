"""The download of stored records against scripted meters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocols.gatt import record_download
from firmware_protocols.gatt.record_access import (
    RecordRequest,
    ResponseValue,
    decode_record_access,
)
from firmware_protocols.gatt.record_download import (
    ABORT_TIMEOUT,
    CONTEXT_WAIT,
    IDLE_TIMEOUT,
    MAX_WAITING,
    RecordDownload,
)
from firmware_protocols.gatt.record_events import (
    Finished,
    LateContext,
    Outcome,
    Received,
    Unexpected,
    Write,
)
from firmware_protocols.gatt.record_requests import (
    ABORT,
    LARGEST_MEMORY,
    SEQUENCES,
    is_after,
    request_after,
    request_all,
    request_last,
)
from tests.firmware_protocols.gatt.meter import (
    ABORT_WRITE,
    ABORTED,
    BUSY,
    NO_RECORDS,
    NOT_SUPPORTED,
    SUCCESS,
    Meal,
    Reading,
    download,
    running,
)


def received(
    reading: Reading, meal: Meal | None = None, *, missing: bool = False
) -> Received[Reading, Meal]:
    return Received(record=reading, context=meal, context_missing=missing)


def finished(outcome: Outcome, records: int, response: int | None = None) -> Finished:
    value = None if response is None else ResponseValue(response)
    return Finished(outcome=outcome, records=records, response=value)


@pytest.mark.parametrize(
    ("last", "octets"),
    [
        (None, "0101"),
        (0, "0103010100"),
        (44, "0103012d00"),
        (SEQUENCES - LARGEST_MEMORY - 1, "01030100f0"),
        (SEQUENCES - LARGEST_MEMORY, "0101"),
        (SEQUENCES - 1, "0101"),
    ],
)
def test_it_starts_after_the_last_known_record(last: int | None, octets: str) -> None:
    assert download(last=last).start(0.0) == [Write(data=bytes.fromhex(octets))]


def test_requests_never_delete_and_are_checked() -> None:
    assert request_all().to_bytes().hex() == "0101"
    assert request_last().to_bytes().hex() == "0106"
    with pytest.raises(ValueError, match="16 bits"):
        request_after(SEQUENCES)
    for octets in ("0201", "0401", "0300"):
        request = decode_record_access(bytes.fromhex(octets))
        assert isinstance(request, RecordRequest)
        with pytest.raises(ValueError, match="only reports"):
            RecordDownload(
                request=request,
                record_key=lambda reading: reading,
                context_key=lambda meal: meal,
                expects_context=lambda _: False,
            )


@pytest.mark.parametrize("limit", ["idle_timeout", "context_wait"])
def test_time_limits_are_positive(limit: str) -> None:
    limits = {"idle_timeout": 1.0, "context_wait": 1.0, limit: 0.0}
    with pytest.raises(ValueError, match="positive"):
        RecordDownload(
            request=request_all(),
            record_key=lambda reading: reading,
            context_key=lambda meal: meal,
            expects_context=lambda _: False,
            idle_timeout=limits["idle_timeout"],
            context_wait=limits["context_wait"],
        )


def test_it_runs_once() -> None:
    machine = running()
    with pytest.raises(RuntimeError):
        machine.start(1.0)


@pytest.mark.parametrize(
    ("sequence", "last", "after"),
    [
        (1, 0, True),
        (0, 0, False),
        (0, 1, False),
        (0, 65535, True),
        (5, 65530, True),
        (65535, 3, False),
    ],
)
def test_order_across_the_wrap(sequence: int, last: int, *, after: bool) -> None:
    assert is_after(sequence, last) is after


def test_records_without_context_come_out_at_once() -> None:
    machine = running()
    assert machine.record(Reading(1), 1.0) == [received(Reading(1))]
    assert machine.record(Reading(2), 2.0) == [received(Reading(2))]
    end = machine.control_point(SUCCESS, 3.0)
    assert end == [finished(Outcome.COMPLETED, 2, 1)]
    assert machine.is_finished
    assert machine.next_deadline() is None


def test_no_records_is_a_normal_end() -> None:
    machine = running()
    assert machine.control_point(NO_RECORDS, 1.0) == [finished(Outcome.EMPTY, 0, 6)]


def test_a_context_that_comes_behind_the_next_record_is_joined() -> None:
    machine = running()
    first, second = Reading(1, context_follows=True), Reading(2, context_follows=True)
    assert machine.record(first, 1.0) == []
    assert machine.record(second, 1.1) == []
    assert machine.context(Meal(1), 1.2) == [received(first, Meal(1))]
    assert machine.control_point(SUCCESS, 1.3) == []
    assert machine.context(Meal(2), 1.4) == [
        received(second, Meal(2)),
        finished(Outcome.COMPLETED, 2, 1),
    ]


def test_a_promised_context_that_never_comes_holds_nothing_back() -> None:
    machine = running()
    reading = Reading(65535, context_follows=True)
    assert machine.record(reading, 1.0) == []
    assert machine.next_deadline() == 1.0 + CONTEXT_WAIT
    assert machine.tick(1.0 + CONTEXT_WAIT - 0.1) == []
    assert machine.tick(1.0 + CONTEXT_WAIT) == [received(reading, missing=True)]
    late = machine.context(Meal(65535), 8.0)
    assert late == [LateContext(context=Meal(65535))]


def test_the_end_waits_for_contexts_but_not_for_ever() -> None:
    machine = running()
    reading = Reading(7, context_follows=True)
    machine.record(reading, 1.0)
    assert machine.control_point(SUCCESS, 2.0) == []
    assert not machine.is_finished
    assert machine.tick(1.0 + CONTEXT_WAIT) == [
        received(reading, missing=True),
        finished(Outcome.COMPLETED, 1, 1),
    ]


def test_a_repeated_sequence_number_loses_no_record() -> None:
    machine = running()
    reading = Reading(1, context_follows=True)
    machine.record(reading, 1.0)
    assert machine.record(reading, 1.1) == [received(reading, missing=True)]
    assert machine.context(Meal(1), 1.2) == [received(reading, Meal(1))]


def test_a_flood_of_promises_flushes_the_oldest() -> None:
    machine = running()
    for sequence in range(MAX_WAITING):
        assert machine.record(Reading(sequence, context_follows=True), 1.0) == []
    flushed = machine.record(Reading(MAX_WAITING, context_follows=True), 1.0)
    assert flushed == [received(Reading(0, context_follows=True), missing=True)]


def test_silence_aborts_and_the_abort_is_not_waited_for_for_ever() -> None:
    machine = running()
    machine.record(Reading(1), 5.0)
    assert machine.tick(5.0 + IDLE_TIMEOUT - 0.1) == []
    silent = 5.0 + IDLE_TIMEOUT
    assert machine.next_deadline() == silent
    assert machine.tick(silent) == [ABORT_WRITE]
    assert machine.record(Reading(2), silent + 1) == [received(Reading(2))]
    assert machine.tick(silent + ABORT_TIMEOUT) == [finished(Outcome.TIMED_OUT, 2)]


def test_the_answer_to_an_abort_ends_it() -> None:
    machine = running()
    assert machine.tick(IDLE_TIMEOUT) == [ABORT_WRITE]
    ended = machine.control_point(ABORTED, IDLE_TIMEOUT + 1)
    assert ended == [finished(Outcome.TIMED_OUT, 0, 1)]


def test_a_report_that_ends_while_it_is_aborted_is_complete() -> None:
    machine = running()
    assert machine.abort(1.0) == [ABORT_WRITE]
    assert machine.control_point(SUCCESS, 1.1) == [finished(Outcome.COMPLETED, 0, 1)]
    assert machine.control_point(ABORTED, 1.2) == [Unexpected(data=ABORTED, error=None)]


def test_our_own_abort() -> None:
    machine = running()
    assert machine.abort(1.0) == [ABORT_WRITE]
    assert machine.abort(1.1) == []
    assert machine.control_point(NOT_SUPPORTED, 1.2) == [
        finished(Outcome.ABORTED, 0, 2)
    ]
    assert download().abort(0.0) == [finished(Outcome.ABORTED, 0)]


@pytest.mark.parametrize(
    ("answer", "outcome", "response"),
    [(BUSY, Outcome.BUSY, 10), (NOT_SUPPORTED, Outcome.REFUSED, 2)],
)
def test_a_refusal_is_an_outcome(
    answer: bytes, outcome: Outcome, response: int
) -> None:
    assert running().control_point(answer, 1.0) == [finished(outcome, 0, response)]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0x05, Outcome.NOT_AUTHENTICATED),
        (0x0F, Outcome.NOT_AUTHENTICATED),
        (0x80, Outcome.BUSY),
        (0xFE, Outcome.BUSY),
        (0x81, Outcome.NOTIFICATIONS_OFF),
        (0xFD, Outcome.NOTIFICATIONS_OFF),
        (0x0E, Outcome.ATT_ERROR),
    ],
)
def test_a_failed_write_is_an_outcome(code: int, outcome: Outcome) -> None:
    end = Finished(outcome=outcome, records=0, att_error=code)
    machine = running()
    assert machine.att_error(code, 1.0) == [end]
    assert machine.att_error(code, 1.1) == []


def test_an_abort_that_cannot_be_written_keeps_its_reason() -> None:
    machine = running()
    machine.tick(IDLE_TIMEOUT)
    assert machine.att_error(0x0E, IDLE_TIMEOUT) == [
        Finished(outcome=Outcome.TIMED_OUT, records=0, att_error=0x0E)
    ]


def test_a_lost_link_flushes_everything() -> None:
    machine = running()
    reading = Reading(1, context_follows=True)
    machine.record(reading, 1.0)
    assert machine.disconnected(1.5) == [
        received(reading, missing=True),
        finished(Outcome.DISCONNECTED, 1),
    ]
    assert machine.disconnected(1.6) == []
    assert machine.record(reading, 1.7) == [received(reading, missing=True)]


def test_a_link_lost_after_the_answer_is_a_complete_download() -> None:
    machine = running()
    reading = Reading(1, context_follows=True)
    machine.record(reading, 1.0)
    machine.control_point(SUCCESS, 1.1)
    assert machine.disconnected(1.2) == [
        received(reading, missing=True),
        finished(Outcome.COMPLETED, 1, 1),
    ]


@pytest.mark.parametrize("octets", ["", "06", "060101", "0500030201"])
def test_an_unreadable_indication_is_reported(octets: str) -> None:
    data = bytes.fromhex(octets)
    (event,) = running().control_point(data, 1.0)
    assert isinstance(event, Unexpected)
    assert event.data == data
    assert event.error is not None


@pytest.mark.parametrize("octets", ["06000401", "0500" + "0100", "0101", "06000301"])
def test_an_answer_to_nothing_is_reported(octets: str) -> None:
    data = bytes.fromhex(octets)
    assert running().control_point(data, 1.0) == [Unexpected(data=data, error=None)]


def test_a_device_that_never_stops_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_download, "MAX_INPUTS", 3)
    machine = running()
    for sequence in range(3):
        assert machine.record(Reading(sequence), 1.0) == [received(Reading(sequence))]
    assert machine.context(Meal(9), 1.0) == [
        ABORT_WRITE,
        LateContext(context=Meal(9)),
    ]
    assert machine.tick(1.0 + ABORT_TIMEOUT) == [finished(Outcome.TOO_MANY_RECORDS, 3)]


@given(st.binary(max_size=8), st.sampled_from(["start", "abort", "no"]))
def test_any_indication_is_survived(data: bytes, state: str) -> None:
    machine = download()
    if state != "no":
        machine.start(0.0)
    if state == "abort":
        machine.abort(0.1)
    for event in machine.control_point(data, 1.0):
        assert isinstance(event, Unexpected | Finished)


def test_the_abort_is_the_specifications() -> None:
    assert ABORT.to_bytes() == ABORT_WRITE.data
