"""The room that the tests of the radio take place in."""

from collections.abc import AsyncIterator

import pytest

from simulators.radio.virtual_radio import VirtualRadio
from tests.transports.room import Room


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with VirtualRadio() as virtual:
        yield Room(virtual)
