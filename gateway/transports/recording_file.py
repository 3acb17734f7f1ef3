"""A device session in a file: every byte with its time, for support and for replay.

One JSON object a line (RFC 8259, UTF-8). The first line is the header; each further
line is one thing that happened::

    {"vitalgate_recording": 1, "link": "gatt", "driver": "blood-pressure/1",
     "started": "2026-11-24T04:47:11.380000+00:00",
     "peer": {"address_hash": "9f2c…", "name": "EX-CUFF", "services": ["0000…"]}}
    {"t": 0.012, "dir": "sub",  "channel": "00002a35-…"}
    {"t": 0.020, "dir": "read", "channel": "00002a29-…", "hex": "4578…"}
    {"t": 0.034, "dir": "rx",   "channel": "00002a35-…", "hex": "168d…"}
    {"t": 3.040, "dir": "close", "error": "LinkClosedError", "detail": "…"}

``dir`` is rx, tx (with ``"response": false`` where it was so), read, sub, has (``hex``
is 01 or 00) or close. An operation that failed carries ``error`` and ``detail`` in
place of its data. ``t`` is in seconds from the start.

A recording holds health data. ``strip`` takes out what identifies the device (name,
serial numbers, System ID, which contains the radio address); it cannot take out the
readings, which are what a recording is for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from gateway.errors import ConfigurationError
from gateway.ports.devices import LinkKind

SCHEMA: Final = 1
MAX_RECORDING_BYTES: Final = 64 * 1024 * 1024
"""A kiosk board sends 150 ECG samples a second: 64 MiB are 10 hours of lines. Beyond
that the file ends with a line that says so, and the session goes on unrecorded."""

IDENTIFYING: Final = frozenset(
    f"0000{short}-0000-1000-8000-00805f9b34fb" for short in ("2a00", "2a23", "2a25")
)
"""Device Name, System ID, Serial Number String: masked by ``strip``."""

MAX_LINE_BYTES: Final = 16_384
"""The longest line holds one value of 512 octets, or a chunk of 4 KiB, as hex."""

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
Direction = Literal["rx", "tx", "read", "sub", "has", "close", "full"]


class RecordedPeer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The peer as far as a recording may tell it; the address only as a hash."""

    address_hash: str = ""
    name: str = ""
    services: tuple[str, ...] = ()
    usb: tuple[int, int] | None = None
    serial_number: str = ""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    vitalgate_recording: int
    link: LinkKind
    driver: str
    started: str
    peer: RecordedPeer
    stripped: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened; see the module's docstring."""

    t: float
    dir: Direction
    channel: str = ""
    hex: str = ""
    response: bool = True
    error: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, read and checked.

    Attributes:
        header: the first line.
        started: when it began, UTC.
        lines: what happened, in order.
        cut_off: the last line was not whole, as after a loss of power.
    """

    header: Header
    started: datetime
    lines: tuple[Line, ...]
    cut_off: bool = False

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Read a file.

        Raises:
            ConfigurationError: It is no recording, or of an unknown version.
            OSError: It cannot be read.
        """
        if path.stat().st_size > MAX_RECORDING_BYTES + MAX_LINE_BYTES:
            raise _invalid(0, "is too large")
        with path.open("rb") as file:
            return cls.parse(file)

    @classmethod
    def parse(cls, rows: Iterable[bytes]) -> "Recording":
        """Read lines of UTF-8; only the last may be damaged.

        Raises:
            ConfigurationError: As ``load``.
        """
        numbered = [(n, row) for n, row in enumerate(rows, start=1) if row.strip()]
        if not numbered:
            raise _invalid(1, "is empty")
        header = _decoded(numbered[0], Header)
        if header.vitalgate_recording != SCHEMA:
            raise _invalid(1, "is of a version that is not known here")
        try:
            started = datetime.fromisoformat(header.started)
        except ValueError as error:
            raise _invalid(1, "has no valid start") from error
        if started.tzinfo is None:
            raise _invalid(1, "has a start without a zone")
        lines: list[Line] = []
        cut_off = False
        for numbered_row in numbered[1:]:
            try:
                line = _decoded(numbered_row, Line)
                bytes.fromhex(line.hex)
            except (ConfigurationError, ValueError) as error:
                whole = numbered_row[1].endswith(b"\n")
                if numbered_row is not numbered[-1] or whole:
                    raise _invalid(numbered_row[0], "is damaged") from error
                cut_off = True
            else:
                lines.append(line)
        return cls(header, started, tuple(lines), cut_off)


def _decoded(numbered: tuple[int, bytes], kind: type[_Struct]) -> _Struct:
    number, row = numbered
    if len(row) > MAX_LINE_BYTES:
        raise _invalid(number, "is too long")
    try:
        return msgspec.json.decode(row, type=kind)
    except msgspec.MsgspecError as error:
        raise _invalid(number, "is no line of a recording") from error


def _invalid(number: int, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"recording, line {number}: {what}",
        remedy="Take a file that `vitalgate record` wrote.",
    )
