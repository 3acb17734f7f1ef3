"""Vectors of the Lepu fingertip oximeters (family ``lepu-aa55-oximeter``)."""

from collections.abc import Mapping
from typing import Final

from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.oximeter import (
    MAX_BATTERY_LEVEL,
    Battery,
    Command,
    DeviceRecord,
    HostCommand,
    decode,
)
from firmware_protocols.lepu.record import Direction, readings
from tests.vectors.adapters.base import Adapter, Decoded, Plain, Vector
from tests.vectors.adapters.lepu import (
    FRAMING_KEYS,
    framed_values,
    only_frame,
    plain,
    split_frames,
)


def decode_oximeter(vector: Vector) -> Decoded:
    """One frame, or several with what is around them."""
    direction = Direction(vector.raw["direction"])
    if FRAMING_KEYS & vector.expected.keys():
        events, pending = split_frames(vector.data)
        frames = [event for event in events if isinstance(event, Frame)]
        values = [_values(decode(frame, direction)) for frame in frames]
        return framed_values(events, pending, values)
    record = decode(only_frame(vector.data), direction)
    return Decoded(values=_values(record), reencode=lambda: record.to_frame().raw)


def _values(record: DeviceRecord | HostCommand) -> dict[str, Plain]:
    values = {key: plain(value) for key, value in readings(record).items()}
    match record:
        case Command(name=name):
            values["command"] = name
        case Battery():
            values["max"] = MAX_BATTERY_LEVEL
    return values


ADAPTERS: Final[Mapping[str, Adapter]] = {"lepu-aa55-oximeter": decode_oximeter}
