from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.world import World, make_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A hub with invented people."""
    world = await make_world(tmp_path)
    yield world
    world.database.close()
