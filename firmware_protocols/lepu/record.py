"""What the records of all Lepu ``AA 55`` families share.

A record mirrors the data of one frame. ``kind`` names it the way the protocol's notes
do; ``from_frame`` reads it and ``to_frame`` writes the very bytes again. Bits that no
source gives a meaning are not kept. Data longer than the layout is taken and its
surplus ignored, as the vendor's own host does; data that is too short is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final, Protocol, TypeVar

from firmware_protocols.errors import FieldError, TruncatedError
from firmware_protocols.lepu.aa55 import Frame

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Direction(StrEnum):
    """Who sent a frame; the same token and type mean different things each way."""

    HOST_TO_DEVICE = "host->device"
    DEVICE_TO_HOST = "device->host"


class Record(Protocol):
    """One frame's meaning."""

    kind: ClassVar[str]

    def to_frame(self) -> Frame:
        """The frame that says this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A valid frame that this project has no meaning for."""

    kind: ClassVar[str] = "unknown"

    token: int
    type: int
    data: bytes

    @classmethod
    def from_frame(cls, frame: Frame) -> "Unknown":
        """Keep the frame's parts as they are."""
        return cls(token=frame.token, type=frame.type, data=frame.data)

    def to_frame(self) -> Frame:
        """The same frame again."""
        return Frame.build(token=self.token, type=self.type, data=self.data)


TENTHS: Final = tuple(Decimal(n) / 10 for n in range(256))
"""Every byte as tenths; making a Decimal for each frame costs three times as much."""


def readings(record: Record) -> dict[str, object]:
    """Everything a record says: its kind, its fields, and what follows from them."""
    said: dict[str, object] = {"type": record.kind}
    for field in fields(record):  # type: ignore[arg-type] # all records are dataclasses
        name = "frame_type" if field.name == "type" else field.name
        said[name] = getattr(record, field.name)
    for name in getattr(record, "derived", ()):
        said[name] = getattr(record, name)
    return said


def data_of(frame: Frame, kind: str, size: int) -> bytes:
    """The frame's data, at least ``size`` bytes of it.

    Raises:
        TruncatedError: It has fewer.
    """
    data = frame.data
    if len(data) < size:
        raise TruncatedError(kind, f"{len(data)} data bytes of {size}", frame.raw)
    return data


def named(frame: Frame, field: str, code: int, names: Mapping[int, T]) -> T:
    """What ``code`` stands for.

    Raises:
        FieldError: Nothing.
    """
    try:
        return names[code]
    except KeyError:
        raise FieldError(field, "code without a meaning", frame.raw) from None


def code_of(value: E, names: Mapping[int, E]) -> int:
    """The code which stands for ``value``.

    Raises:
        ValueError: None does; the caller's mistake.
    """
    for code, name in names.items():
        if name is value:
            return code
    msg = f"{value!r} has no code here"
    raise ValueError(msg)
