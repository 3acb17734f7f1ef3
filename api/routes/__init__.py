"""The routes, one file per resource, all under ``/api/v1``."""
