"""The base of all models, and what pages have in common."""

from typing import Annotated, Final

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.services.pages import DEFAULT_PAGE, MAX_CURSOR_CHARACTERS, MAX_PAGE

# A reason or note in words; longer texts belong in the clinic's own record.
MAX_NOTE: Final = 2000


class Answer(BaseModel):
    """Part of an answer, made from a record of the same field names."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Question(BaseModel):
    """A request's body; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_NOTE)]
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NOTE)
]
Id = Annotated[str, StringConstraints(min_length=1, max_length=63)]

Cursor = Annotated[
    str,
    Query(
        max_length=MAX_CURSOR_CHARACTERS,
        description="`next` of the page before; empty for the first page.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Entries of one page.")]
PAGE: Final = DEFAULT_PAGE

Next = Annotated[
    str, Field(description="Cursor of the next page; empty at the end.", examples=[""])
]
