"""``vitalgate decode``: one payload to JSON, for debugging in the field."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from firmware_protocols.errors import ProtocolError
from firmware_protocols.gatt import CHARACTERISTICS
from firmware_protocols.lepu.aa55 import Aa55Framer, Frame
from firmware_protocols.lepu.pc300 import Direction, Variant
from firmware_protocols.lepu.pc300.codec import decode as decode_pc300
from firmware_protocols.plain import to_plain
from gateway.cli.terminal import EXIT_BAD, fail, print_json, reporting

Decode = Callable[[bytes], object]


def _gatt(uuid: int) -> Decode:
    def decode(data: bytes) -> object:
        return to_plain(CHARACTERISTICS[uuid](data))

    return decode


def _lepu(direction: Direction, variant: Variant) -> Decode:
    def decode(data: bytes) -> object:
        framer = Aa55Framer()
        found: list[dict[str, Any]] = []
        for event in [*framer.receive(data, 0.0), *framer.close()]:
            if not isinstance(event, Frame):
                found.append({"noise": event.data.hex(), "reason": event.reason.value})
                continue
            record = decode_pc300(event, direction, variant)
            found.append({"record": type(record).__name__, **to_plain(record)})
        return found

    return decode


# Names people use for the characteristics, beside the UUIDs.
_NAMES: Final = {
    "blood-pressure": 0x2A35,
    "cuff-pressure": 0x2A36,
    "spo2-spot": 0x2A5E,
    "spo2-continuous": 0x2A5F,
    "glucose": 0x2A18,
    "glucose-context": 0x2A34,
    "record-access": 0x2A52,
    "heart-rate": 0x2A37,
    "temperature": 0x2A1C,
    "weight": 0x2A9D,
    "current-time": 0x2A2B,
    "battery": 0x2A19,
}


def protocols() -> dict[str, Decode]:
    """Every protocol by the names ``decode`` takes."""
    table: dict[str, Decode] = {f"{uuid:04x}": _gatt(uuid) for uuid in CHARACTERISTICS}
    table |= {name: _gatt(uuid) for name, uuid in _NAMES.items()}
    table["lepu-pc300"] = _lepu(Direction.DEVICE_TO_HOST, Variant.PC_300)
    table["lepu-pc100"] = _lepu(Direction.DEVICE_TO_HOST, Variant.PC_100)
    table["lepu-host"] = _lepu(Direction.HOST_TO_DEVICE, Variant.PC_300)
    return table


@reporting
def decode(
    protocol: Annotated[
        str, typer.Argument(help="A characteristic (2a35, blood-pressure) or family.")
    ] = "",
    payload: Annotated[
        str, typer.Argument(help="The bytes in hexadecimal; spaces and colons allowed.")
    ] = "",
    *,
    listing: Annotated[
        bool, typer.Option("--list", help="List the protocols and stop.")
    ] = False,
) -> None:
    """Decode one payload to JSON, as in: decode blood-pressure 0078004F005D00."""
    table = protocols()
    if listing:
        print_json(sorted(table))
        return
    chosen = table.get(protocol.lower().removeprefix("0x"))
    if chosen is None:
        raise fail(
            f"PROTOCOL: {protocol or 'nothing'} is not known.",
            "vitalgate decode --list names them all.",
        )
    digits = re.sub(r"[\s:,_-]|0x", "", payload, flags=re.IGNORECASE)
    try:
        data = bytes.fromhex(digits)
    except ValueError as error:
        raise fail(
            "HEX: not an even number of hexadecimal digits.",
            "Give the bytes as in 06 2C FE, or 062cfe.",
        ) from error
    try:
        print_json(chosen(data))
    except ProtocolError as error:
        raise fail(f"{protocol}: {error}", code=EXIT_BAD) from error
