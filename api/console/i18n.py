"""The console's texts in English and Chinese: one catalogue per language."""

import json
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.requests import Request

from api.problems import language

LANGUAGES: Final = ("en", "zh")
COOKIE: Final = "lang"


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language by key; both languages have the same keys."""
    source = files("api.console").joinpath("locales", f"{language}.json")
    texts: dict[str, str] = json.loads(source.read_text("utf-8"))
    return texts


def language_of(request: Request) -> str:
    """``?lang=``, else the cookie, else what the browser asks for, else English."""
    for asked in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if asked in LANGUAGES:
            return str(asked)
    return language(request.headers.get("accept-language", ""))
