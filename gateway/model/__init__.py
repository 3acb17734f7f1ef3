"""What the system talks about: readings, waveforms, devices, sessions, people, alerts.

Frozen msgspec structs: the same shape in memory, in the journal and on the wire.
"""
