"""The download of stored records against a meter that does anything in any order."""

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from firmware_protocols.gatt.record_access import OpCode
from firmware_protocols.gatt.record_download import CONTEXT_WAIT, IDLE_TIMEOUT
from firmware_protocols.gatt.record_events import (
    Finished,
    LateContext,
    Received,
    Unexpected,
    Write,
)
from tests.firmware_protocols.gatt.meter import (
    ABORTED,
    BUSY,
    NO_RECORDS,
    SUCCESS,
    Events,
    Meal,
    Reading,
    download,
)


class AnyMeter(RuleBasedStateMachine):
    """Any order of inputs: each record comes out once, the end once and in time."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = download()
        self.now = 0.0
        self.sent: list[Reading] = []
        self.seen: list[Reading] = []
        self.contexts_sent = 0
        self.contexts_seen = 0
        self.ends = 0

    def take(self, events: Events) -> None:
        for event in events:
            match event:
                case Received():
                    self.seen.append(event.record)
                    self.contexts_seen += event.context is not None
                case LateContext():
                    self.contexts_seen += 1
                case Finished():
                    self.ends += 1
                    assert event.records == len(self.seen)
                case Write():
                    assert event.data[0] != OpCode.DELETE_STORED_RECORDS
                case Unexpected():
                    assert event.error is not None or event.data

    @initialize()
    def start(self) -> None:
        self.take(self.machine.start(self.now))

    @rule(sequence=st.integers(0, 3), context=st.booleans())
    def send_record(self, sequence: int, *, context: bool) -> None:
        reading = Reading(sequence, context)
        self.sent.append(reading)
        self.take(self.machine.record(reading, self.now))

    @rule(sequence=st.integers(0, 3))
    def send_context(self, sequence: int) -> None:
        self.contexts_sent += 1
        self.take(self.machine.context(Meal(sequence), self.now))

    @rule(data=st.sampled_from([SUCCESS, NO_RECORDS, BUSY, ABORTED, b"", b"\x06"]))
    def indicate(self, data: bytes) -> None:
        self.take(self.machine.control_point(data, self.now))

    @rule(seconds=st.sampled_from([0.1, 1.0, CONTEXT_WAIT, IDLE_TIMEOUT]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.machine.tick(self.now))

    @rule(code=st.sampled_from([0x05, 0x0E, 0x81]))
    def fail_write(self, code: int) -> None:
        self.take(self.machine.att_error(code, self.now))

    @precondition(lambda self: not self.machine.is_finished)
    @rule()
    def abort(self) -> None:
        self.take(self.machine.abort(self.now))

    @rule()
    def lose_link(self) -> None:
        self.take(self.machine.disconnected(self.now))

    @invariant()
    def there_is_at_most_one_end(self) -> None:
        assert self.ends == self.machine.is_finished

    @invariant()
    def contexts_are_neither_lost_nor_invented(self) -> None:
        assert self.contexts_seen == self.contexts_sent

    @invariant()
    def an_open_download_has_a_deadline(self) -> None:
        deadline = self.machine.next_deadline()
        assert self.machine.is_finished or deadline is not None
        assert deadline is None or deadline > self.now

    def teardown(self) -> None:
        # Only ticks from here on: everything must come out by itself.
        for _ in range(4):
            deadline = self.machine.next_deadline()
            if deadline is None:
                break
            self.now = deadline
            self.take(self.machine.tick(self.now))
        assert self.machine.is_finished
        assert self.ends == 1
        assert sorted(map(hash, self.seen)) == sorted(map(hash, self.sent))


TestAnyMeter = AnyMeter.TestCase
