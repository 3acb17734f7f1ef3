"""The models of the PC-100/200/300 family that differ on the wire."""

from enum import StrEnum


class Variant(StrEnum):
    """Which device speaks, as configured or read from its name; never guessed.

    The PC-100 codes its cuff errors and its glucose result differently.
    """

    PC_100 = "PC-100"
    PC_200 = "PC-200"
    PC_300 = "PC-300"
