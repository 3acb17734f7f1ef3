"""Batches of journal entries, the hub's acknowledgement, status and session messages.

JSON on every topic but ``waveforms``, which is MessagePack. A batch is decoded in two
steps, so that one bad entry costs one dead letter and not the batch.
"""

import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.errors import WireError
from gateway.model.instant import Instant
from gateway.model.observation import Observation
from gateway.model.session import MeasurementSession, TechnicalEvent
from gateway.model.waveform import WaveformChunk

SCHEMA: Final = 1

# A batch larger than this is refused unread: the largest legal one (256 readings or
# 16 ten-second ECG chunks) stays under 512 KiB; brokers commonly refuse above 1 MiB.
MAX_PAYLOAD_BYTES: Final = 1_000_000
MAX_ENTRIES_PER_BATCH: Final = 256


# What a journal can number, and every database can store.
Sequence = Annotated[int, Meta(ge=1, le=2**63 - 1)]
# Printable and without spaces: it is a key in the hub's tables.
Epoch = Annotated[str, Meta(max_length=64, pattern=r"^[!-~]+\Z")]


class BatchEntry(Struct, frozen=True, kw_only=True, gc=False):
    """One journal entry; ``type`` as in ``gateway.ports.journal.EntryType``."""

    seq: Sequence
    type: str
    body: Raw


class Batch(Struct, frozen=True, kw_only=True):
    """What a station publishes to ``up/readings`` and ``up/waveforms``."""

    schema: int
    station: str
    epoch: Epoch
    sent_at: Instant
    entries: list[BatchEntry]


class Acknowledgement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``down/ack``: the hub's log holds every entry up to ``upto`` and in ``ranges``.

    ``ranges`` are inclusive, ascending and lie above ``upto``: fresh readings overtake
    the backlog, so what is held need not be contiguous.
    """

    schema: int
    station: str
    epoch: str
    upto: int
    ranges: list[tuple[int, int]] = []


class DeviceStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A device at a station, as its operator sees it.

    ``state`` is searching, connecting, connected, idle, backing-off, unsupported or
    failed; ``reason`` is a stable token for what went wrong.
    """

    id: str
    name: str
    driver: str
    state: str
    reason: str = ""
    battery: int | None = None
    last_reading_at: Instant | None = None


class StationStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``up/status``, retained; the last will has only ``online=False``."""

    schema: int
    station: str
    online: bool
    at: Instant | None = None
    version: str = ""
    epoch: str = ""
    depth: int = 0
    oldest_at: Instant | None = None
    dead_letters: int = 0
    bytes_used: int = 0
    bytes_quota: int = 0
    refused_readings: int = 0
    refused_waveforms: int = 0
    conditions: list[str] = []
    devices: list[DeviceStatus] = []
    session: str = ""


class SessionCommand(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``down/session``: open a session for a resident, or close the open one."""

    schema: int
    action: str  # "open" | "close" | "abort"
    session: str = ""
    resident: str = ""
    identified_by: str = "operator"
    by: str = ""
    at: Instant | None = None


class StationConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``down/config``: persons of device slots and cards, sent on connection.

    ``slots`` maps ``device-id#slot`` (slot empty for the whole device) to a resident;
    ``cards`` maps a salted card hash to a resident.
    """

    schema: int
    version: int
    slots: dict[str, str] = {}
    cards: dict[str, str] = {}


class StationCommand(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``down/command``: an operator's audited command to one device."""

    schema: int
    id: str
    device: str
    name: str
    by: str
    expires_at: Instant


_BODIES: dict[str, Any] = {
    "reading": Observation,
    "waveform": WaveformChunk,
    "session": MeasurementSession,
    "event": TechnicalEvent,
}
_JSON = {name: msgspec.json.Decoder(type_) for name, type_ in _BODIES.items()}
_PACK = {name: msgspec.msgpack.Decoder(type_) for name, type_ in _BODIES.items()}
_BATCH_JSON = msgspec.json.Decoder(Batch)
_BATCH_PACK = msgspec.msgpack.Decoder(Batch)

# What a decoder raises about bytes that it cannot read: too deep a nesting is a
# ``RecursionError``, bad UTF-8 a ``ValueError``.
UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)
_QUOTED = re.compile("'.*'", re.DOTALL)

Body = Observation | WaveformChunk | MeasurementSession | TechnicalEvent


def fault(error: Exception) -> str:
    """What was wrong, without a value: msgspec quotes an unknown token of an enum."""
    if isinstance(error, msgspec.DecodeError):
        return _QUOTED.sub("…", str(error))
    return "nested too deeply" if isinstance(error, RecursionError) else "not UTF-8"


def encode_body(body: Body) -> bytes:
    """The journal and wire form of a body: MessagePack for waveforms, else JSON."""
    if isinstance(body, WaveformChunk):
        return msgspec.msgpack.encode(body)
    return msgspec.json.encode(body)


def decode_body(type_: str, data: bytes | Raw) -> Body:
    """A body from its bytes.

    Raises:
        WireError: ``entry-type`` for an unknown type, ``entry`` for a malformed body.
    """
    decoders = _PACK if type_ == "waveform" else _JSON
    decoder = decoders.get(type_)
    if decoder is None:
        raise WireError("type: unknown entry type.", reason="entry-type")
    try:
        body: Body = decoder.decode(data)
    except UNREADABLE as error:
        raise WireError(f"body: {fault(error)}.", reason="entry") from error
    return body


def encode_batch(batch: Batch, *, waveforms: bool) -> bytes:
    """The bytes of a batch, before sealing."""
    return msgspec.msgpack.encode(batch) if waveforms else msgspec.json.encode(batch)


def decode_batch(data: bytes | Raw, *, waveforms: bool) -> Batch:
    """A batch whose bodies are still raw.

    Raises:
        WireError: ``batch`` when malformed, ``schema-version`` for another schema,
            ``batch-size`` for too many entries.
    """
    try:
        batch = (_BATCH_PACK if waveforms else _BATCH_JSON).decode(data)
    except UNREADABLE as error:
        raise WireError(f"batch: {fault(error)}.", reason="batch") from error
    if batch.schema != SCHEMA:
        raise WireError(
            f"schema: version {batch.schema} is not {SCHEMA}.",
            reason="schema-version",
            remedy="Upgrade the older side.",
        )
    if len(batch.entries) > MAX_ENTRIES_PER_BATCH:
        raise WireError("entries: too many in one batch.", reason="batch-size")
    return batch
