"""Byte-true simulated devices: what a station can be built and tested against.

Imports ``firmware_protocols`` only, never the code under test.
"""
