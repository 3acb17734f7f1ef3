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
from firmware_protocols.lepu.pc300.settings import SetTime
from tests.vectors.adapters.base import Adapter, Decoded, Plain, Vector

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
    values = {key: plain(value) for key, value in readings(record).items()}
    match record:
        case Command(name=name):
            values["command"] = name
            if record.data:
                values["arg"] = record.data[0]
        case SetTime(name=name):
            values["command"] = name
        case NibpError():
            values["meaning"] = record.fault
        case NibpResult():
            # The vectors write these as the wire does: 0 where the module gives none.
            values["map_mmhg"] = record.map_mmhg or 0
            values["pulse_bpm"] = record.pulse_bpm or 0
        case EcgWave():
            values["sample_rate_hz"] = ECG_HZ
            values["hr_bpm"] = record.hr_bpm or 0
        case EcgResult():
            values["meaning"] = record.finding
            values["hr_bpm"] = record.hr_bpm or 0
        case _:
            if record.kind == "command":
                values["command"] = getattr(record, "name", None)
    return values


ADAPTERS: Final[Mapping[str, Adapter]] = {"lepu-pc300": decode_pc300}
