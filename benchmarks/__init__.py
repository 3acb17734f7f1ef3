"""Benchmarks: one command each, figures as ratios where a ceiling or a peer exists.

.venv/bin/python -m benchmarks NAME [--quick] [--json]
"""
