"""Data types of ISO/IEEE 11073 which Bluetooth health services share."""
