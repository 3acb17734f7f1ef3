from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hub.build import Hub, StationModel


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    hub = Hub(tmp_path / "hub.db")
    await hub.open()
    yield hub
    hub.database.close()


@pytest.fixture
async def station(hub: Hub) -> StationModel:
    model = StationModel()
    await hub.enrol(model)
    return model
