"""Lists in pages: an opaque cursor names the last entry seen."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from gateway.errors import RequestError

T = TypeVar("T")

# One page; a screen shows some 50 rows.
MAX_PAGE: Final = 200
DEFAULT_PAGE: Final = 50
# Ours are under 200 characters; anything longer is not a cursor.
MAX_CURSOR_CHARACTERS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some entries, and where to go on; ``next`` is empty at the end."""

    items: list[T]
    next: str


def encode_cursor(*key: str | int) -> str:
    """The cursor of an entry with this sort key."""
    text = json.dumps(key, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type) -> tuple[Any, ...] | None:
    """The sort key of a cursor; None for an empty one.

    Raises:
        RequestError: it is not one of this list's.
    """
    if not cursor:
        return None
    if len(cursor) > MAX_CURSOR_CHARACTERS:
        raise _not_ours()
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.urlsafe_b64decode(padded))
        fits = (
            isinstance(key, list)
            and len(key) == len(types)
            and all(type(k) is t for k, t in zip(key, types, strict=True))
        )
    except (ValueError, binascii.Error) as error:
        raise _not_ours() from error
    if not fits:
        raise _not_ours()
    return tuple(key)


def _not_ours() -> RequestError:
    return RequestError(
        "cursor: not a cursor of this list.",
        remedy="Begin again without a cursor.",
    )
