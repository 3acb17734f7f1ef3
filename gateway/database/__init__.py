"""The hub's database: engine, tables, migrations. SQLite by default."""
