"""Whether a reading meets a rule's condition, and whether it ends it.

Every comparison is exact (decimal). HI and LO compare as infinite: they must alarm.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Final

from gateway.alerting.samples import SPECIAL, Sample

# In a rule's field: the number of the rule's own reading.
OWN_NUMBER: Final = "value"
# In a rule's field: what the meter's display says instead of a number.
OWN_SPECIAL: Final = "special"
# In a rule's field: a status bit by name.
STATUS_PREFIX: Final = "status_bit."

_COMPARE: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    ">=": ge,
    ">": gt,
    "<=": le,
    "<": lt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What of a resident's record the rules need; empty for an unknown resident."""

    resident: str
    diagnoses: frozenset[str] = frozenset()
    spo2_scale: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A compiled term: ``limit`` is a number, a display's text, or a truth."""

    field: str
    op: str
    limit: Decimal | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A compiled clear condition; every limit must hold."""

    below: tuple[tuple[str, Decimal], ...] = ()
    above: tuple[tuple[str, Decimal], ...] = ()
    between: tuple[Decimal, Decimal] | None = None
    readings: int = 1
    for_us: int | None = None


def crosses(op: str, number: Decimal, limit: Decimal) -> bool:
    """``number op limit``; equality too."""
    return number == limit if op == "==" else _COMPARE[op](number, limit)


def own_number(sample: Sample, readings: frozenset[str]) -> Decimal | None:
    """The number of the component that is the rule's reading."""
    name = own_component(sample, readings)
    return None if name is None else sample.number(name)


def own_component(sample: Sample, readings: frozenset[str]) -> str | None:
    """The name of the component that is the rule's reading."""
    for name in sample.values:
        if name in readings:
            return name
    # A fasting glucose may carry its value under the glucose's general name.
    if sample.kind in readings and len(sample.values) == 1:
        return next(iter(sample.values))
    return None


def number_of(sample: Sample, field: str, readings: frozenset[str]) -> Decimal | None:
    """The number a field names, or None."""
    if field == OWN_NUMBER:
        return own_number(sample, readings)
    return sample.number(field)


def is_met(
    comparison: Comparison, sample: Sample, readings: frozenset[str]
) -> bool | None:
    """Whether a term holds; None where the reading does not have the field."""
    limit = comparison.limit
    if isinstance(limit, bool):
        flag = comparison.field.removeprefix(STATUS_PREFIX)
        return (flag in sample.flags) is limit
    if isinstance(limit, str):
        name = own_component(sample, readings)
        return None if name is None else SPECIAL.get(sample.values[name]) == limit
    number = number_of(sample, comparison.field, readings)
    return None if number is None else crosses(comparison.op, number, limit)


def holds(verdicts: list[bool | None], *, every: bool) -> bool | None:
    """Join terms; None when not one of them could be judged."""
    known = [verdict for verdict in verdicts if verdict is not None]
    if not known:
        return None
    if every:
        return len(known) == len(verdicts) and all(known)
    return any(known)


def is_cleared(limits: Limits, sample: Sample, readings: frozenset[str]) -> bool:
    """Whether the reading lies beyond all clear limits; a missing field does not."""
    for field, limit in limits.below:
        number = number_of(sample, field, readings)
        if number is None or number >= limit:
            return False
    for field, limit in limits.above:
        number = number_of(sample, field, readings)
        if number is None or number <= limit:
            return False
    if limits.between is not None:
        number = own_number(sample, readings)
        low, high = limits.between
        return number is not None and low <= number <= high
    return True


def mean(first: Decimal | None, second: Decimal | None) -> Decimal | None:
    """The mean; one number alone stands for both; HI and LO together have none."""
    if first is None or second is None:
        return second if first is None else first
    if first.is_infinite() and second.is_infinite() and first != second:
        return None
    return (first + second) / 2
