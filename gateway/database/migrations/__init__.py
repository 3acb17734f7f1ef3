"""Alembic migrations; ``gateway.database.migrate`` runs them."""
