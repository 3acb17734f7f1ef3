"""Bytes to frozen records and back: no I/O, no clock, no logging, no randomness.

Every codec of this package mirrors its wire format and nothing else. What a reading
means, whose it is and when it was taken is decided by the layers above.
"""
