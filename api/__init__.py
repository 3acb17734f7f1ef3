"""The HTTP API: JSON under ``/api/v1``, the live feed, health and metrics."""
