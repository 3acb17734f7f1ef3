"""Instants in what is stored and sent: always with their zone."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

# A peer's time without a zone is refused when decoded; we never guess one.
Instant = Annotated[datetime, Meta(tz=True)]
