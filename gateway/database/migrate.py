"""Bring a database to the release's schema; safe to call at every start."""

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gateway.database.engine import Database
from gateway.errors import StorageError


async def migrate(database: Database) -> None:
    """Create or upgrade all tables, in one transaction.

    Raises:
        StorageError: the database is of a newer release, or cannot be changed.
    """
    await database.write(_upgrade)


def _upgrade(connection: Connection) -> None:
    with as_file(files("gateway.database").joinpath("migrations")) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StorageError(
                f"database: {error}",
                remedy="It was written by a newer release; upgrade vitalgate.",
            ) from error
        except SQLAlchemyError as error:
            raise StorageError(
                f"database: {type(error).__name__} while upgrading."
            ) from error
