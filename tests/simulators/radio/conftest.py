"""A virtual radio, and bleak on it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from simulators.radio.virtual_radio import VirtualRadio
from tests.simulators.radio.bench import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with VirtualRadio() as radio:
        yield await Bench.on(radio, datetime(2026, 3, 1, 9, 30, 15, tzinfo=UTC))
