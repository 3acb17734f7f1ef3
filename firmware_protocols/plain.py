"""Records as JSON: for the command line, logs of a bench and dead letters.

Decimals become text, because a float would not be what the device sent; octets become
hexadecimal; flags their names. The way back does not exist: records are stored as
their octets.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

from firmware_protocols.codes import BitField, Code
from firmware_protocols.gatt.date_time import DateTime

PlainValue: TypeAlias = (
    "bool | int | float | str | list[PlainValue] | dict[str, PlainValue] | None"
)


def to_plain(record: object) -> dict[str, PlainValue]:
    """Return a frozen record as a dictionary that ``json`` can write.

    Raises:
        TypeError: ``record`` is not an instance of a dataclass, or holds a value of a
            type which no record of the codecs has.
    """
    if not is_dataclass(record) or isinstance(record, type):
        raise TypeError("only records can be converted")
    return {field.name: _value(getattr(record, field.name)) for field in fields(record)}


def _value(value: object) -> PlainValue:  # noqa: PLR0911 - one return for each type
    match value:
        case Enum():
            named = value.value if isinstance(value.value, str) else value.name.lower()
            return str(named)
        case BitField():
            return {"raw": int(value), "flags": list(value.flags)}
        case Code():
            return value.label if value.is_known else f"reserved_{int(value)}"
        case None | bool() | int() | float() | str():
            return value
        case Decimal() | DateTime():
            return str(value)
        case datetime():
            return value.isoformat()
        case bytes():
            return value.hex()
        case tuple() | list():
            return [_value(item) for item in value]
        case Mapping():
            return {str(key): _value(item) for key, item in value.items()}
        case _:
            return to_plain(value)
