"""The table of rules in ``docs/alerting.md``: what runs, and what does not and why.

The documentation's test compares the two; after a change of a pack or of the repertoire
the table between the marks is replaced by what ``markdown`` returns.
"""

from collections.abc import Iterator

from gateway.alerting.repertoire import Repertoire
from gateway.alerting.rules import Either, Rule


def markdown(rules: Repertoire) -> str:
    """One row per rule of the pack, in the pack's order."""
    return "\n".join(_lines(rules)) + "\n"


def _lines(rules: Repertoire) -> Iterator[str]:
    yield "| rule | 名称 | meaning | level | persistence | status |"
    yield "|---|---|---|---|---|---|"
    reasons = {entry.rule: entry.reason for entry in rules.inactive}
    for rule in rules.pack.rules:
        active = rules.by_id.get(rule.id)
        if active is None:
            status = reasons[rule.id]
        elif active.reservations:
            status = f"active; {'; '.join(active.reservations)}"
        else:
            status = "active"
        yield (
            f"| `{rule.id}` | {rule.title.zh} | {rule.title.en} | {rule.level} "
            f"| {_persistence(rule)} | {status} |"
        )


def _persistence(rule: Rule) -> str:
    persistence = rule.persistence
    if isinstance(persistence, Either):
        return f"{persistence.spot.mode} or {persistence.continuous.mode}"
    return persistence.mode
