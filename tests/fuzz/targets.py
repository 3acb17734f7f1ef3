"""What is fuzzed: every framer and every decoder, one line each in ``TARGETS``.

The invariant: a decoder gives a record or a ``ProtocolError``, and a record can be
written again; a framer neither loses nor invents a byte, holds back a bounded number of
them, and finds the same frames however its input is cut.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from firmware_protocols.errors import ProtocolError
from firmware_protocols.gatt import CHARACTERISTICS, Decoder
from firmware_protocols.lepu import oximeter
from firmware_protocols.lepu.aa55 import MAX_PENDING, Aa55Framer, Event, Frame
from firmware_protocols.lepu.pc300 import Variant, decode_device, decode_host
from firmware_protocols.lepu.record import Record, readings

VECTORS: Final = Path(__file__).parent.parent / "vectors"

MAX_STEP_SECONDS: Final = 0.3
"""Pauses between the pieces of a framer's input; some are long enough to expire."""


class ViolationError(AssertionError):
    """The invariant does not hold for an input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One framer or decoder.

    Attributes:
        name: As ``--only`` takes it.
        check: Raises for an input that breaks the invariant; true when the input gave
            at least one record.
        seeds: Valid inputs to mutate.
    """

    name: str
    check: Callable[[bytes, Random], bool]
    seeds: tuple[bytes, ...]


def _vector_bytes() -> dict[str, tuple[bytes, ...]]:
    """Inputs of all vector files, by family or characteristic."""
    found: dict[str, tuple[bytes, ...]] = {}
    for path in sorted(VECTORS.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for entry in content["vectors"] if isinstance(content, dict) else content:
            key = str(entry.get("family") or entry.get("characteristic_uuid")).lower()
            found[key] = (*found.get(key, ()), bytes.fromhex(entry["hex"]))
    return found


def check_gatt(decode: Decoder, data: bytes, _rng: Random) -> bool:
    """One characteristic's value."""
    try:
        record = decode(data)
    except ProtocolError:
        return False
    try:
        decode(record.to_bytes())
    except ProtocolError as error:
        raise ViolationError("its own encoding is refused") from error
    return True


def check_lepu(
    decoders: tuple[Callable[[Frame], Record], ...], data: bytes, rng: Random
) -> bool:
    """A stream of ``AA 55`` frames, whole and in pieces with pauses."""
    whole = Aa55Framer()
    events = whole.receive(data, 0.0) + whole.close()
    _conserved(data, events)
    cut = Aa55Framer()
    pieces: list[Event] = []
    timed = Aa55Framer()
    timed_events: list[Event] = []
    now = 0.0
    at = 0
    while at < len(data):
        size = rng.randint(1, 20)
        now += rng.random() * MAX_STEP_SECONDS
        pieces += cut.receive(data[at : at + size], 0.0)
        timed_events += timed.expire(now)
        timed_events += timed.receive(data[at : at + size], now)
        if max(len(cut.pending), len(timed.pending)) > MAX_PENDING:
            raise ViolationError("more bytes held back than the limit")
        at += size
    pieces += cut.close()
    timed_events += timed.close()
    _conserved(data, pieces)
    _conserved(data, timed_events)
    frames = [event for event in events if isinstance(event, Frame)]
    if frames != [event for event in pieces if isinstance(event, Frame)]:
        raise ViolationError("other frames when the input is cut")
    return sum(_read(decode, frame) for frame in frames for decode in decoders) > 0


def _conserved(data: bytes, events: list[Event]) -> None:
    octets = b"".join(
        event.raw if isinstance(event, Frame) else event.data for event in events
    )
    if octets != data:
        raise ViolationError("bytes lost, invented or out of order")


def _read(decode: Callable[[Frame], Record], frame: Frame) -> bool:
    Frame.from_bytes(frame.raw)
    try:
        record = decode(frame)
    except ProtocolError:
        return False
    readings(record)
    if decode(record.to_frame()) != record:
        raise ViolationError("another record after writing it again")
    return True


def _framed(bodies: tuple[bytes, ...], data: bytes, rng: Random) -> bytes:
    """Give a mutated body a good CRC, so that fuzzing gets past the framer."""
    body = data[:200] or rng.choice(bodies)
    padded = body + bytes(max(0, 2 - len(body)))
    return Frame.build(token=padded[0], type=padded[1], data=padded[2:]).raw


def check_lepu_bodies(
    decoders: tuple[Callable[[Frame], Record], ...],
    bodies: tuple[bytes, ...],
    data: bytes,
    rng: Random,
) -> bool:
    """Token, type and data of one frame, whose length and CRC are made to fit."""
    return check_lepu(decoders, _framed(bodies, data, rng), rng)


def _lepu_targets(
    name: str,
    decoders: tuple[Callable[[Frame], Record], ...],
    seeds: tuple[bytes, ...],
) -> list[Target]:
    bodies = tuple(raw[2:3] + raw[4:-1] for raw in seeds)
    return [
        Target(name=name, check=partial(check_lepu, decoders), seeds=seeds),
        Target(
            name=f"{name}-records",
            check=partial(check_lepu_bodies, decoders, bodies),
            seeds=bodies,
        ),
    ]


def _targets() -> Mapping[str, Target]:
    seeds = _vector_bytes()
    targets = _lepu_targets(
        "lepu-pc300",
        (
            decode_host,
            *(partial(decode_device, variant=variant) for variant in Variant),
        ),
        seeds.get("lepu-pc300", ()),
    )
    targets += _lepu_targets(
        "lepu-aa55-oximeter",
        (oximeter.decode_host, oximeter.decode_device),
        seeds.get("lepu-aa55-oximeter", ()),
    )
    targets += [
        Target(
            name=f"gatt-{uuid:04x}",
            check=partial(check_gatt, decode),
            seeds=seeds.get(f"0x{uuid:04x}", ()),
        )
        for uuid, decode in CHARACTERISTICS.items()
    ]
    return {target.name: target for target in targets}


TARGETS: Final = _targets()
