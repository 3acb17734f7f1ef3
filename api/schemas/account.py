"""Log-ins, tokens and who one is."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.schemas.base import Answer, Question
from gateway.model.people import Role

Password = Annotated[str, StringConstraints(min_length=1, max_length=256)]
AccountName = Annotated[
    str, StringConstraints(min_length=1, max_length=63), Field(examples=["dr.demo"])
]


class LoginQuestion(Question):
    """Account and password."""

    account: AccountName
    password: Password = Field(examples=["correct horse battery"], repr=False)


class TokenQuestion(LoginQuestion):
    """A token for a program."""

    label: str = Field(max_length=100, examples=["ward display"])
    days: int = Field(default=90, ge=1, le=366)


class Me(Answer):
    """The account that asks."""

    account: str = Field(examples=["dr.demo"])
    name: str = Field(examples=["示例医生"])
    name_latin: str = Field(examples=["Demo Doctor"])
    roles: list[Role]
    resident: str | None = None
    stations: list[str]
    teams: list[str] = Field(description="Teams in which the account is a doctor.")
    expires_at: datetime


class TokenAnswer(Answer):
    """A new token; ``token`` is shown only here."""

    id: str
    token: str
    expires_at: datetime


class TokenEntry(Answer):
    """A token in force."""

    id: str
    label: str
    created_at: datetime
    expires_at: datetime


class TokenList(Answer):
    """The account's own tokens."""

    items: list[TokenEntry]
