from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.alerting.loading import default_pack
from gateway.alerting.repertoire import Repertoire
from gateway.database.engine import Database
from gateway.database.tables import metadata


@pytest.fixture(scope="session")
def rules() -> Repertoire:
    return Repertoire(default_pack())


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'hub.db'}")
    await database.write(metadata.create_all)
    yield database
    database.close()
