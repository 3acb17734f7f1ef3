"""Reading a model's quirks; the catalogue has checked names and types before."""

from collections.abc import Mapping


def number(quirks: Mapping[str, object], name: str, default: float) -> float:
    """A quirk in seconds or another number, or the family's default."""
    value = quirks.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def token(quirks: Mapping[str, object], name: str, default: str) -> str:
    """A quirk that is one of several words, or the family's default."""
    value = quirks.get(name, default)
    return value if isinstance(value, str) else default
