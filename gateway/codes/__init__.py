"""The codes of every reading: MDC first, LOINC beside it, UCUM units, plausible ranges.

``readings.json`` holds one row per reading (sources inside each row); ``terms.json``
holds units, meal context and device status bits of IEEE 11073-10101 as published in the
HL7 PHD implementation guide.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingCode:
    """One kind of reading or component.

    Attributes:
        name: our stable name, such as ``systolic``.
        mdc: 32-bit IEEE 11073-10101 code (partition x 65536 + term).
        loinc: LOINC code, or None where none is used.
        unit: UCUM unit of stored values; None for panels.
        hard: (min, max) outside which a value is quarantined, or None.
        soft: (min, max) outside which a value is questionable, or None.
    """

    name: str
    mdc: int
    loinc: str | None
    unit: str | None
    hard: tuple[Decimal, Decimal] | None
    soft: tuple[Decimal, Decimal] | None


def _range(row: dict[str, Any], low: str, high: str) -> tuple[Decimal, Decimal] | None:
    if row.get(low) is None or row.get(high) is None:
        return None
    return Decimal(str(row[low])), Decimal(str(row[high]))


@cache
def readings() -> dict[str, ReadingCode]:
    """All readings by name."""
    rows = json.loads(files(__package__).joinpath("readings.json").read_text("utf-8"))
    return {
        row["name"]: ReadingCode(
            name=row["name"],
            mdc=row["mdc_code"],
            loinc=row["loinc"],
            unit=row["ucum"],
            hard=_range(row, "plausible_min", "plausible_max"),
            soft=_range(row, "soft_min", "soft_max"),
        )
        for row in rows
    }


def reading(name: str) -> ReadingCode:
    """The code of one reading.

    Raises:
        KeyError: no reading has this name.
    """
    return readings()[name]
