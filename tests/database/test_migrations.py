"""The migrations and the tables say the same."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.database.engine import Database
from gateway.database.migrate import migrate
from gateway.database.tables import metadata


async def test_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hub.db'}")
    try:
        await migrate(database)
        await migrate(database)  # every start does
        differences = await database.read(
            lambda c: compare_metadata(MigrationContext.configure(c), metadata)
        )
    finally:
        database.close()
    assert differences == []
