"""The wiring of a station and of a hub, one TaskGroup each."""
