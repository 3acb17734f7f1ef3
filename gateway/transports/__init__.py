"""Moving bytes: BLE through bleak, serial ports and TCP, the guard, recordings.

Nothing here knows what the bytes mean. Every operation has a deadline of its own, every
buffer a limit, and every library's error becomes a ``LinkError``.
"""
