"""A scripted meter for the download of stored records: its answers and stand-ins."""

from dataclasses import dataclass
from typing import TypeAlias

from firmware_protocols.gatt.record_download import RecordDownload
from firmware_protocols.gatt.record_events import Event, Write
from firmware_protocols.gatt.record_requests import request_after

SUCCESS = bytes.fromhex("06000101")
NO_RECORDS = bytes.fromhex("06000106")
BUSY = bytes.fromhex("0600010A")
NOT_SUPPORTED = bytes.fromhex("06000102")
ABORTED = bytes.fromhex("06000301")
ABORT_WRITE = Write(data=bytes.fromhex("0300"))


@dataclass(frozen=True)
class Reading:
    """A stand-in for a measurement: the machine is generic."""

    sequence: int
    context_follows: bool = False


@dataclass(frozen=True)
class Meal:
    """A stand-in for a context."""

    sequence: int


Download: TypeAlias = RecordDownload[Reading, Meal]
Events: TypeAlias = list[Event[Reading, Meal]]


def download(*, last: int | None = None) -> Download:
    return RecordDownload(
        request=request_after(last),
        record_key=lambda reading: reading.sequence,
        context_key=lambda meal: meal.sequence,
        expects_context=lambda reading: reading.context_follows,
    )


def running() -> Download:
    machine = download()
    machine.start(0.0)
    return machine
