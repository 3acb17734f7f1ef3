"""Loading rule packs: every error names the file's line, the rule and the field.

ConfigurationError
`- PackError        a pack cannot be used; ``problems`` holds all that is wrong
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Final

from pydantic import ValidationError

from gateway.alerting.conditions import OWN_NUMBER, crosses
from gateway.alerting.rules import Clear, Pack, Rule
from gateway.codes import readings
from gateway.errors import ConfigurationError

# A pack is read whole; the default one has 60 KiB.
MAX_PACK_BYTES: Final = 8 << 20
# Problems reported at once; the first few tell what is wrong.
MAX_PROBLEMS: Final = 20

# What a rule may judge beside the readings of gateway.codes.
_SPECIAL_READINGS: Final = frozenset({"any", "gateway", "alert", "news2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong. ``line`` is None where the text has no such line."""

    rule: str
    field: str
    text: str
    line: int | None

    def __str__(self) -> str:
        """``line 12: rule bp.crisis: persistence.n: …``."""
        where = "" if self.line is None else f"line {self.line}: "
        rule = f"rule {self.rule}: " if self.rule else ""
        return f"{where}{rule}{self.field}: {self.text}"


class PackError(ConfigurationError):
    """A rule pack is not usable.

    Attributes:
        problems: what is wrong, at most ``MAX_PROBLEMS``.
    """

    def __init__(self, name: str, problems: tuple[Problem, ...]) -> None:
        listed = "; ".join(str(problem) for problem in problems)
        super().__init__(f"rule pack {name}: {listed}.", remedy="Correct the pack.")
        self.problems = problems


@cache
def default_pack() -> Pack:
    """The pack that comes with the product."""
    source = files("gateway.alerting.packs").joinpath("default.json")
    return parse_pack(source.read_text("utf-8"), name="default.json")


def parse_pack(text: str, *, name: str) -> Pack:
    """A pack from its JSON text; ``name`` is for messages.

    Raises:
        PackError: it is not JSON, does not fit the schema, or contradicts itself.
    """
    if len(text.encode()) > MAX_PACK_BYTES:
        raise PackError(name, (_whole("file", f"larger than {MAX_PACK_BYTES} bytes"),))
    try:
        data = json.loads(text, parse_float=Decimal)
    except json.JSONDecodeError as error:
        problem = Problem(rule="", field="file", text=error.msg, line=error.lineno)
        raise PackError(name, (problem,)) from error
    try:
        pack = Pack.model_validate(data)
    except ValidationError as error:
        problems = tuple(_from_pydantic(error, data, text))
        raise PackError(name, problems[:MAX_PROBLEMS]) from error
    problems = tuple(
        Problem(rule=rule, field=field, text=what, line=_line(text, rule, field))
        for rule, field, what in _contradictions(pack)
    )
    if problems:
        raise PackError(name, problems[:MAX_PROBLEMS])
    return pack


def require_approval(pack: Pack) -> Pack:
    """The pack, if somebody answers for it.

    Raises:
        ConfigurationError: ``approved_by`` is empty.
    """
    if not pack.approved_by.strip():
        raise ConfigurationError(
            f"rule pack {pack.label}: approved_by is empty.",
            remedy="The site's medical lead approves the pack by name.",
        )
    return pack


def _whole(field: str, text: str) -> Problem:
    return Problem(rule="", field=field, text=text, line=None)


def _from_pydantic(error: ValidationError, data: Any, text: str) -> Iterator[Problem]:  # noqa: ANN401 - JSON
    for detail in error.errors(include_url=False, include_input=False):
        path = list(detail["loc"])
        rule = ""
        if len(path) > 1 and path[0] == "rules" and isinstance(path[1], int):
            rule = _rule_name(data, path[1])
            path = path[2:]
        field = ".".join(str(part) for part in path) or "rule"
        yield Problem(
            rule=rule, field=field, text=detail["msg"], line=_line(text, rule, field)
        )


def _rule_name(data: Any, index: int) -> str:  # noqa: ANN401 - JSON
    entry = data["rules"][index]
    name = entry.get("id") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else f"#{index + 1}"


def _line(text: str, rule: str, field: str) -> int | None:
    """The line of a rule's field: by its key, searched from the rule's id on."""
    start, end = 0, len(text)
    if rule.startswith("#"):
        return None
    if rule:
        found = re.search(rf'"id"\s*:\s*"{re.escape(rule)}"', text)
        if found is None:
            return None
        start = position = found.start()
        following = re.search(r'"id"\s*:', text[found.end() :])
        end = len(text) if following is None else found.end() + following.start()
    else:
        position = 0
    for key in field.split("."):
        found = re.compile(rf'"{re.escape(key)}"\s*:').search(text, position, end)
        if found is not None:
            position = found.start()
    if not rule and position == 0:
        return None
    return text.count("\n", 0, max(position, start)) + 1


def _contradictions(pack: Pack) -> Iterator[tuple[str, str, str]]:
    counts = Counter(rule.id for rule in pack.rules)
    yield from ((id_, "id", "is used twice") for id_, n in counts.items() if n > 1)
    for rule in pack.rules:
        yield from ((rule.id, field, what) for field, what in _in_rule(rule))
        for pattern in rule.inhibits:
            if not any(fnmatchcase(other, pattern) for other in counts):
                yield rule.id, "inhibits", f"no rule matches {pattern}"
            if fnmatchcase(rule.id, pattern):
                yield rule.id, "inhibits", "a rule cannot inhibit itself"


def _in_rule(rule: Rule) -> Iterator[tuple[str, str]]:
    known = readings()
    for name in rule.readings:
        if name not in known and name not in _SPECIAL_READINGS:
            yield "reading", f"{name} is no reading"
    for term in rule.condition.terms:
        name = rule.reading if term.field == OWN_NUMBER else term.field
        code = known.get(name)
        if code is not None and term.unit != code.unit:
            yield "unit", f"{term.unit} is not the unit of {name} ({code.unit})"
    if rule.clear is not None:
        yield from _clear_limits(rule, rule.clear)


def _clear_limits(rule: Rule, clear: Clear) -> Iterator[tuple[str, str]]:
    if not (clear.below or clear.above or clear.between):
        yield "clear", "has no limit"
    fields = {term.field for term in rule.condition.terms}
    for name in (*clear.below, *clear.above):
        if name not in fields:
            yield "clear", f"{name} is not in the condition"
    for term in rule.condition.terms:
        # A limit that still meets the condition would clear what has just been raised.
        limits = [clear.below.get(term.field), clear.above.get(term.field)]
        if clear.between is not None and term.field == OWN_NUMBER:
            limits += [clear.between.low, clear.between.high]
        if any(limit is not None and _inside(term, limit, clear) for limit in limits):
            yield "clear", f"the limit of {term.field} lies inside the condition"


def _inside(term: Any, limit: Decimal, clear: Clear) -> bool:  # noqa: ANN401 - Term
    if clear.between is None and limit == term.value:
        return False  # "below 3.9" ends "at or above 3.9" exactly
    return crosses(term.op, limit, term.value)
