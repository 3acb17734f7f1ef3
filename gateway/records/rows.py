"""Insert-or-replace of one row, the same on SQLite and PostgreSQL.

Runs in the database's single writer, so that nothing comes between the two statements.
"""

from typing import Any

from sqlalchemy import Connection, Table, and_, insert, select, update


def put_row(
    connection: Connection, table: Table, key: dict[str, Any], values: dict[str, Any]
) -> bool:
    """Make the row of ``key`` hold ``values``; True when it did not hold them before.

    Columns that neither names keep what they have.
    """
    where = and_(*(table.c[name] == value for name, value in key.items()))
    columns = [table.c[name] for name in values] or [table.c[next(iter(key))]]
    held = connection.execute(select(*columns).where(where)).mappings().one_or_none()
    if held is None:
        connection.execute(insert(table).values(**key, **values))
        return True
    if not values or dict(held) == values:
        return False
    connection.execute(update(table).where(where).values(**values))
    return True
