"""Tables and records of the station's journal file.

    entry          what the hub does not yet hold, by sequence number
    held_key       keys of recent entries, beyond their acknowledgement
    dead_letter    bytes that no decoder accepted
    bookmark       what a driver remembers for a device
    station_state  open session, configuration, executed commands
    meta           epoch and counters

``held_key`` has no index on the key: the recent keys live in memory and are loaded when
the file is opened. An index on random keys would dirty one page per reading.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.ports.journal import EntryType

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

SCHEMA_VERSION: Final = 1

SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY, type INTEGER NOT NULL, at_us INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE held_key (seq INTEGER PRIMARY KEY, key BLOB NOT NULL);
CREATE TABLE bookmark (
    device TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (device, key)
) WITHOUT ROWID;
CREATE TABLE station_state (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, device TEXT NOT NULL,
    driver TEXT NOT NULL, channel TEXT NOT NULL, reason TEXT NOT NULL,
    first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, count INTEGER NOT NULL,
    replayed_us INTEGER, raw BLOB NOT NULL
);
"""

# The order is the stored number: only ever append to it.
ENTRY_TYPES: Final = (
    EntryType.READING,
    EntryType.WAVEFORM,
    EntryType.SESSION,
    EntryType.EVENT,
)
TYPE_NUMBERS: Final = {name: number for number, name in enumerate(ENTRY_TYPES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeadLetter:
    """Bytes to be set aside, with the reason why nothing accepted them."""

    device: str
    driver: str
    reason: str
    raw: bytes
    at: datetime
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Bytes set aside. The same bytes again raise ``count`` and ``last_at``."""

    id: int
    device: str
    driver: str
    channel: str
    reason: str
    raw: bytes
    first_at: datetime
    last_at: datetime
    count: int
    replayed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The journal file in numbers, as of the last commit.

    Attributes:
        first_seq: oldest entry held; ``last_seq + 1`` when none is.
        dead_letters: set aside and not replayed.
        dead_letters_evicted: removed to stay within the limit, oldest first.
        wrong_epoch: acknowledgements for another epoch, ignored.
        epochs_started: 1, and one more for each roll-back of the disk found out.
    """

    epoch: str
    depth: int = 0
    first_seq: int = 1
    last_seq: int = 0
    oldest_at: datetime | None = None
    bytes_used: int = 0
    bytes_quota: int = 0
    refused_waveforms: int = 0
    refused_readings: int = 0
    refused_events: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    dead_letters_evicted: int = 0
    wrong_epoch: int = 0
    epochs_started: int = 1

    @property
    def fill(self) -> float:
        """Part of the quota used, 0 to 1 and above."""
        return self.bytes_used / self.bytes_quota


def to_microseconds(at: datetime) -> int:
    """Microseconds since 1970 of an aware instant."""
    return (at - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """The instant of ``to_microseconds``."""
    return _EPOCH + timedelta(microseconds=value)
