"""Reading one message from a station: what it holds, or why it is refused. Pure."""

import math
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.errors import WireError
from gateway.hub.dead_letters import Refused
from gateway.hub.log import NewLogEntry, log_id
from gateway.hub.stations import KnownStation
from gateway.model.observation import Observation
from gateway.model.session import MeasurementSession, TechnicalEvent
from gateway.model.waveform import MAX_SAMPLES_PER_CHUNK, WaveformChunk
from gateway.ports.messaging import Message
from gateway.wire.batch import (
    MAX_PAYLOAD_BYTES,
    SCHEMA,
    UNREADABLE,
    Body,
    StationStatus,
    decode_batch,
    decode_body,
    fault,
)
from gateway.wire.seal import unseal

# Columns of the hub's tables that an entry fills in the intake's own transaction.
MAX_ID_LENGTH: Final = 63
# Powers of ten of a quantity that anything here can calculate with. No physical value
# needs more, and a few bytes may say a number with a million digits.
MAX_EXPONENT: Final = 30
# Samples since a recording began; what every table can hold, with room for its end.
MAX_WAVEFORM_INDEX: Final = 2**62

_STATUS = msgspec.json.Decoder(StationStatus)

# Which entries may come on which topic.
_TYPES: Final = {
    "readings": frozenset({"reading", "session", "event"}),
    "waveforms": frozenset({"waveform"}),
}


@dataclass(slots=True, kw_only=True)
class Receipt:
    """One understood batch.

    ``seqs`` holds every entry's number, also of those that became dead letters: they
    are held too, so the station may free them.
    """

    station: KnownStation
    epoch: str
    seqs: list[int]
    entries: list[NewLogEntry] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReceipt:
    """One understood status message and its JSON."""

    status: StationStatus
    data: bytes


def read_batch(message: Message, station: KnownStation, name: str) -> Receipt:
    """The batch in a message on ``up/readings`` or ``up/waveforms``.

    Raises:
        WireError: the message as a whole is refused; see its ``reason``.
    """
    waveforms = name == "waveforms"
    body = unseal(
        message.topic, message.payload, station.public_key, waveforms=waveforms
    )
    batch = decode_batch(body, waveforms=waveforms)
    if batch.station != station.id:
        raise WireError(
            "station: the batch names another station than its topic.",
            reason="station-mismatch",
        )
    receipt = Receipt(station=station, epoch=batch.epoch, seqs=[])
    for entry in batch.entries:
        receipt.seqs.append(entry.seq)
        data = bytes(entry.body)
        try:
            decoded = read_entry(entry.type, data, name, station.id)
        except WireError as error:
            receipt.refused.append(
                Refused(
                    topic=message.topic,
                    station=station.id,
                    reason=error.reason,
                    detail=error.message,
                    payload=data,
                    entry_type=entry.type,
                )
            )
            continue
        receipt.entries.append(decoded)
    return receipt


def read_entry(type_: str, data: bytes, name: str, station: str) -> NewLogEntry:
    """One entry of a batch.

    Raises:
        WireError: ``entry-type``, ``entry`` or ``station-mismatch``.
    """
    if type_ not in _TYPES[name]:
        raise WireError(
            "type: this entry type does not belong on this topic.", reason="entry-type"
        )
    body = decode_body(type_, data)
    if body.station != station:
        raise WireError(
            "station: the entry names another station than its topic.",
            reason="station-mismatch",
        )
    _check(body, data)
    return NewLogEntry(
        id=log_id(body), type=type_, station=station, data=data, body=body
    )


def read_status(message: Message, station: KnownStation) -> StatusReceipt:
    """A status message; a last will is not sealed, since the broker sends it.

    An unsealed message can therefore only say that a station is offline.

    Raises:
        WireError: ``seal``, ``signature``, ``schema-version`` or ``station-mismatch``.
    """
    try:
        status = _STATUS.decode(message.payload)
    except UNREADABLE:
        body = unseal(message.topic, message.payload, station.public_key)
        try:
            status = _STATUS.decode(body)
        except UNREADABLE as error:
            raise WireError(f"status: {fault(error)}.", reason="batch") from error
        data = bytes(body)
    else:
        if status.online:
            raise WireError("status: not sealed.", reason="seal")
        # Nothing else in it is vouched for.
        status = StationStatus(
            schema=status.schema, station=status.station, online=False
        )
        data = msgspec.json.encode(status)
    if status.schema != SCHEMA:
        raise WireError(
            f"schema: version {status.schema} is not {SCHEMA}.",
            reason="schema-version",
        )
    if status.station != station.id:
        raise WireError(
            "station: the status names another station.", reason="station-mismatch"
        )
    return StatusReceipt(status=status, data=data)


def check_size(message: Message) -> None:
    """Refuse what no station may send.

    Raises:
        WireError: ``oversized``.
    """
    if len(message.payload) > MAX_PAYLOAD_BYTES:
        raise WireError(
            f"payload: {len(message.payload)} bytes, at most {MAX_PAYLOAD_BYTES}.",
            reason="oversized",
        )


def _check(body: Body, data: bytes) -> None:
    """Refuse what the tables or arithmetic behind the log could not take."""
    match body:
        case Observation():
            for component in body.components:
                value = component.quantity.value
                if value is not None and not (
                    value.is_finite() and abs(value.adjusted()) <= MAX_EXPONENT
                ):
                    raise WireError("value: not a usable number.", reason="entry")
            _check_ids(data, body.session)
        case WaveformChunk():
            if not (
                0 <= body.count <= MAX_SAMPLES_PER_CHUNK
                and 0 <= body.index <= MAX_WAVEFORM_INDEX
                and 0 < body.rate < math.inf
            ):
                raise WireError("count, index or rate: out of range.", reason="entry")
            _check_ids(b"", body.session, body.stream)
        case MeasurementSession():
            _check_ids(data, body.id, body.resident, body.opened_by)
        case TechnicalEvent():
            _check_ids(data)


def _check_ids(data: bytes, *ids: str | None) -> None:
    # PostgreSQL's text has no NUL; in JSON it can only be written like this.
    if b"\\u0000" in data:
        raise WireError("text: holds a NUL character.", reason="entry")
    for id_ in ids:
        if id_ is not None and (len(id_) > MAX_ID_LENGTH or "\0" in id_):
            raise WireError("an identifier is too long or not text.", reason="entry")
