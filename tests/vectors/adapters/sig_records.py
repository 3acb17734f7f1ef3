"""What the adapters of the SIG characteristics share."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.octets import Octets
from tests.vectors.adapters.base import Adapter, Decoded, Plain, Vector


class Encodable(Protocol):
    def to_bytes(self) -> bytes: ...


RecordT = TypeVar("RecordT", bound=Encodable)


def adapter(
    decode: Callable[[Octets], RecordT],
    values_of: Callable[[RecordT], dict[str, Plain]],
) -> Adapter:
    """Make the adapter of a characteristic whose codec keeps everything it reads."""

    def adapt(vector: Vector) -> Decoded:
        record = decode(vector.data)
        values = values_of(record) | {"trailing": getattr(record, "trailing", b"")}
        return Decoded(values=values, reencode=record.to_bytes, canonical=True)

    return adapt


def time_text(date_time: DateTime | None) -> str | None:
    """Return a date and time as the vector files write it."""
    return None if date_time is None else str(date_time)
