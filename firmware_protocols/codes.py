"""Numbers with names: code tables and bit fields as devices send them.

Both are plain integers, so that every value a device can send is representable, stays
as it was sent, and encodes again. Names are looked up, never required: a code which
the tables do not know is ``reserved``. (An ``enum`` would refuse unknown codes, and an
``IntFlag`` remembers every combination it ever met.)

A subclass lists its names as upper-case integers::

    class TemperatureType(Code):
        ARMPIT: Final = 1
        FINGER: Final = 4

    TemperatureType(4).label == "finger"
    TemperatureType(10).label == "reserved"
"""

from typing import Any, ClassVar

RESERVED = "reserved"
"""The label of a code which the specification has given no meaning."""


def _names(cls: type[int]) -> dict[int, str]:
    """Collect the upper-case integers of a class body as value -> lower-case name."""
    return {
        value: name.lower()
        for name, value in vars(cls).items()
        if name.isupper() and isinstance(value, int)
    }


class Code(int):
    """An enumerated value; ``label`` is its name in the specification."""

    __slots__ = ()

    LABELS: ClassVar[dict[int, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - as object's
        super().__init_subclass__(**kwargs)
        cls.LABELS = _names(cls)

    @property
    def label(self) -> str:
        """Return the name in lower case, or ``reserved``."""
        return self.LABELS.get(self, RESERVED)

    @property
    def is_known(self) -> bool:
        """Return whether the specification names this code."""
        return self in self.LABELS

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)}, {self.label})"


class BitField(int):
    """A set of flags; the names are single bits.

    ``fields`` names the bits that belong to numbers of several bits inside the field:
    they are no flags.
    """

    __slots__ = ()

    LABELS: ClassVar[dict[int, str]] = {}
    FIELDS: ClassVar[int] = 0

    def __init_subclass__(cls, *, fields: int = 0, **kwargs: Any) -> None:  # noqa: ANN401 - as object's
        super().__init_subclass__(**kwargs)
        cls.LABELS = _names(cls)
        cls.FIELDS = fields

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the names of the set flags, lowest first.

        A set bit without a name is given as ``reserved_bit_N``.
        """
        bits = int(self) & ~self.FIELDS
        return tuple(
            self.LABELS.get(1 << position, f"reserved_bit_{position}")
            for position in range(bits.bit_length())
            if bits >> position & 1
        )

    def has(self, mask: int) -> bool:
        """Return whether any of the bits of ``mask`` is set."""
        return bool(self & mask)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self):#x}, {', '.join(self.flags)})"
