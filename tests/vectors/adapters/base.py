"""The types between the vector harness and the adapters of the protocol families.

An adapter takes one vector and decodes its bytes with the real codec. What it returns
is compared by the harness:

* ``values``: a dictionary under the key names of the vector files. It holds *every*
  key that the layout can produce, with None for optional fields that these bytes do not
  have; the harness compares each key of ``expected`` with it and fails on a key which
  is not there.
* ``reencode``: gives the bytes of the decoded record again, or None where nothing can
  be re-encoded. The harness decodes them once more and compares both decodes.
* ``canonical``: whether the layout has one encoding only, so that the re-encoded bytes
  must equal the vector's.

An adapter lets every ``ProtocolError`` escape: the harness wants to see it for vectors
with ``expected.error``, and reports it as a failure for all others.

A vector with ``conformant: false`` is a vendor's deviation from a public layout. The
harness calls the adapter twice: with ``conformant`` set, where it must use the public
layout only and must fail, or leave ``trailing`` bytes that say so; and with the vector
as it is, where it may choose the vendor's layout by ``raw["device"]``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

Plain: TypeAlias = Any
"""A JSON value; or a ``Decimal`` or ``Special``, compared by what it means; or a
``Spellings``."""


class Spellings(frozenset[object]):
    """One value that sources write in different ways; any of them is right.

    Only for names of codes which no known vector contains: the code itself is compared
    as a number beside it.
    """

    def __new__(cls, *spellings: object) -> Self:
        return super().__new__(cls, spellings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One entry of a vector file.

    Attributes:
        id: Its own id; the test's id holds it.
        key: What the adapter is chosen by: ``family``, else ``characteristic_uuid``.
        data: The bytes of ``hex``.
        expected: What the source says they mean; ``error`` in it means rejection.
        conformant: False for a vendor's layout that the strict decoder must not take.
        raw: The whole entry, for family specific keys such as ``direction``.
    """

    id: str
    key: str
    data: bytes
    expected: Mapping[str, Plain]
    conformant: bool = True
    raw: Mapping[str, Plain] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What an adapter read from a vector; see the module docstring."""

    values: Mapping[str, Plain]
    reencode: Callable[[], bytes] | None = None
    canonical: bool = False


Adapter: TypeAlias = Callable[[Vector], Decoded]
