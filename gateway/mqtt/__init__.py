"""MQTT: the client, the embedded broker, and configuration for external brokers."""
