"""Series stores: SQL beside the log, and InfluxDB 2 as a replayable projection."""
