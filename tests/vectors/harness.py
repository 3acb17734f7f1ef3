"""Reads vector files and judges what the codecs make of them.

A vector file is a JSON list of objects, or an object whose ``vectors`` is that list.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from firmware_protocols.errors import ProtocolError
from firmware_protocols.ieee11073.floats import Special
from tests.vectors.adapters.base import Adapter, Decoded, Spellings, Vector

RELATIVE_TOLERANCE = 1e-9
"""Vector files hold binary floats of decimal values."""

SPECIAL_NUMBERS = {
    Special.NAN: {"nan"},
    Special.NRES: {"nres"},
    Special.POSITIVE_INFINITY: {"+inf", "+infinity", "inf", "infinity"},
    Special.NEGATIVE_INFINITY: {"-inf", "-infinity"},
    Special.RESERVED: {"rfu", "reserved"},
}
"""How vector files spell what a number field can hold besides numbers."""


class VectorMismatchError(AssertionError):
    """A codec and a vector disagree."""


def load(path: Path) -> list[Vector]:
    """Read the vectors of one file.

    Raises:
        ValueError: The file, or an entry, is not of the schema.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    entries = content["vectors"] if isinstance(content, dict) else content
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path.name}: there is no list of vectors in it")
    return [
        parse(entry, name=f"{path.stem}-{number}")
        for number, entry in enumerate(entries)
    ]


def parse(entry: Mapping[str, Any], *, name: str) -> Vector:
    """Build a vector from one entry; ``name`` stands in for a missing id.

    Raises:
        ValueError: ``hex``, ``expected``, or the key of the adapter is missing.
    """
    vector_id = str(entry.get("id", name))
    key = entry.get("family") or entry.get("characteristic_uuid")
    expected = entry.get("expected")
    if not key or "hex" not in entry or not isinstance(expected, dict) or not expected:
        raise ValueError(f"{vector_id}: the entry is not of the schema")
    return Vector(
        id=vector_id,
        key=str(key),
        data=bytes.fromhex(entry["hex"]),
        expected=expected,
        conformant=bool(entry.get("conformant", True)),
        raw=entry,
    )


def check(vector: Vector, adapters: Mapping[str, Adapter]) -> None:
    """Judge one vector.

    Raises:
        VectorMismatchError: The codec disagrees, or there is no codec for it.
    """
    adapter = adapters.get(vector.key)
    if adapter is None:
        raise VectorMismatchError(
            f"{vector.id}: nothing decodes {vector.key}: no adapter is registered"
        )
    if not vector.conformant:
        _check_not_taken_silently(vector, adapter)
    if "error" in vector.expected:
        _check_rejected(vector, adapter)
        return
    try:
        decoded = adapter(vector)
    except ProtocolError as error:
        raise VectorMismatchError(f"{vector.id}: rejected: {error}") from error
    problems = list(differences(vector.expected, decoded.values))
    if problems:
        raise VectorMismatchError(f"{vector.id}: " + "; ".join(problems))
    _check_reencoding(vector, adapter, decoded)


def _check_rejected(vector: Vector, adapter: Adapter) -> None:
    try:
        decoded = adapter(vector)
    except ProtocolError:
        return
    raise VectorMismatchError(
        f"{vector.id}: accepted as {decoded.values!r},"
        f" must be rejected: {vector.expected['error']}"
    )


def _check_not_taken_silently(vector: Vector, adapter: Adapter) -> None:
    try:
        decoded = adapter(replace(vector, conformant=True))
    except ProtocolError:
        return
    if not decoded.values.get("trailing"):
        raise VectorMismatchError(
            f"{vector.id}: a vendor's layout, but the public one takes it silently"
        )


def _check_reencoding(vector: Vector, adapter: Adapter, decoded: Decoded) -> None:
    if decoded.reencode is None:
        return
    data = decoded.reencode()
    if decoded.canonical and data != vector.data:
        raise VectorMismatchError(
            f"{vector.id}: encodes as {data.hex()}, not as {vector.data.hex()}"
        )
    again = adapter(replace(vector, data=data)).values
    if again != decoded.values:
        raise VectorMismatchError(
            f"{vector.id}: decodes differently after encoding: {again!r}"
        )


def differences(
    expected: Mapping[str, Any], actual: Mapping[str, Any], path: str = ""
) -> Iterator[str]:
    """Name every key of ``expected`` that is unknown or has another value."""
    for key, value in expected.items():
        where = f"{path}{key}"
        if key not in actual:
            yield f"{where}: the adapter knows no such key"
        else:
            yield from _compare(value, actual[key], where)


def _compare(expected: object, actual: object, where: str) -> Iterator[str]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        yield from differences(expected, actual, f"{where}.")
    elif isinstance(expected, list) and isinstance(actual, list | tuple):
        if len(expected) != len(actual):
            yield f"{where}: {list(actual)!r} instead of {expected!r}"
            return
        for number, (left, right) in enumerate(zip(expected, actual, strict=True)):
            yield from _compare(left, right, f"{where}[{number}]")
    elif not _equal(expected, actual):
        yield f"{where}: {actual!r} instead of {expected!r}"


def _equal(expected: object, actual: object) -> bool:
    if isinstance(actual, Spellings):
        return any(_equal(expected, spelling) for spelling in actual)
    if isinstance(actual, Special):
        return isinstance(expected, str) and expected.lower() in SPECIAL_NUMBERS[actual]
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float | Decimal):
        return math.isclose(
            float(expected), float(actual), rel_tol=RELATIVE_TOLERANCE, abs_tol=0.0
        )
    if isinstance(expected, str) and isinstance(actual, str):
        return str(expected) == str(actual)
    return expected is None and actual is None
