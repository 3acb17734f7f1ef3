"""Vectors of the PC-100/200/300 boards (family ``lepu-pc300``)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from firmware_protocols.errors import ChecksumError, LayoutError
from firmware_protocols.lepu.aa55 import Aa55Framer, Event, Frame, Noise, NoiseReason
from firmware_protocols.lepu.pc300 import Direction, Variant, decode, readings
from firmware_protocols.lepu.pc300.codec import DeviceRecord, HostCommand
from firmware_protocols.lepu.pc300.commands import Command
from firmware_protocols.lepu.pc300.ecg import ECG_HZ, EcgResult, EcgWave
from firmware_protocols.lepu.pc300.nibp import NibpError, NibpResult
from tests.vectors.adapters.base import Adapter, Decoded, Plain, Spellings, Vector

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "set_customer_id": ("write_customer_id",),
    "query_ecg_state": ("query_ecg_status",),
    "query_nibp_mode": ("get_nibp_mode",),
    "query_spo2_status": ("query_spo2_state",),
    "not_charging": ("no", "none"),
    "child_forehead": ("child",),
    "ecg_stopped": ("ecg_ended",),
}
"""Names that occur in no carried vector, as other sources might write them."""

FRAMING_KEYS: Final = frozenset(
    {"frames", "leading_garbage_bytes", "trailing_partial_bytes"}
)


def decode_pc300(vector: Vector) -> Decoded:
    """One frame, or several with what is around them."""
    events, pending = split_frames(vector.data)
    direction = Direction(vector.raw["direction"])
    variant = Variant(vector.raw.get("variant", Variant.PC_300))
    frames = [event for event in events if isinstance(event, Frame)]
    if FRAMING_KEYS & vector.expected.keys():
        return framed_values(
            events,
            pending,
            [_values(decode(frame, direction, variant)) for frame in frames],
        )
    frame = only_frame(vector.data)
    record = decode(frame, direction, variant)
    return Decoded(
        values=_values(record),
        reencode=lambda: record.to_frame().raw,
        canonical=direction is Direction.HOST_TO_DEVICE,
    )


def split_frames(data: bytes) -> tuple[list[Event], bytes]:
    """Frames and noise in ``data``, and what is still held back behind them."""
    framer = Aa55Framer()
    events = framer.receive(data, 0.0)
    return events, framer.pending


def only_frame(data: bytes) -> Frame:
    """The one frame that ``data`` is.

    Raises:
        ProtocolError: It is not exactly one good frame.
    """
    events, pending = split_frames(data)
    match events:
        case [Frame() as frame] if not pending:
            return frame
        case [Noise(reason=NoiseReason.BAD_CRC), *_]:
            raise ChecksumError("frame", "CRC-8 does not fit", data)
        case _:
            raise LayoutError("frame", "not exactly one frame", data)


def framed_values(
    events: list[Event], pending: bytes, frames: list[dict[str, Plain]]
) -> Decoded:
    """What stands between, before and behind the frames of a vector."""
    leading = 0
    for event in events:
        if isinstance(event, Frame):
            break
        leading += len(event.data)
    return Decoded(
        values={
            "frames": frames,
            "leading_garbage_bytes": leading,
            "trailing_partial_bytes": len(pending),
        }
    )


def plain(value: object) -> Plain:
    """A value in the vectors' terms."""
    match value:
        case tuple():
            return [plain(item) for item in value]
        case datetime():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return value


def _values(record: DeviceRecord | HostCommand) -> dict[str, Plain]:
    values = {key: _spelt(plain(value)) for key, value in readings(record).items()}
    match record:
        case Command():
            values["command"] = _spelt(record.name)
            if record.data:
                values["arg"] = record.data[0]
        case NibpError():
            values["meaning"] = record.fault
        case NibpResult():
            values["map_mmhg"] = _on_wire(record.map_mmhg)
            values["pulse_bpm"] = _on_wire(record.pulse_bpm)
        case EcgWave():
            values["sample_rate_hz"] = ECG_HZ
            values["hr_bpm"] = _on_wire(record.hr_bpm)
        case EcgResult():
            values["meaning"] = record.finding
            values["hr_bpm"] = _on_wire(record.hr_bpm)
        case _ if record.kind == "command":
            values["command"] = _spelt(getattr(record, "name", None))
    return values


def _on_wire(value: int | None) -> int:
    """This family's vectors write these values as the wire does: 0 where absent."""
    return value or 0


def _spelt(value: Plain) -> Plain:
    """A name with all its spellings, where no carried vector fixes one."""
    if isinstance(value, str) and value in SYNONYMS:
        return Spellings(str(value), *SYNONYMS[value])
    return value


ADAPTERS: Final[Mapping[str, Adapter]] = {"lepu-pc300": decode_pc300}
