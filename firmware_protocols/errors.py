"""Errors of the codecs: what a device sent cannot be read as the protocol says.

Tree::

    ProtocolError(ValueError)      the one root: catch this
    +-- TruncatedError             the input ends inside a field
    +-- FieldError                 a field holds a value which the protocol forbids
    +-- ChecksumError              a CRC or checksum does not fit its data
    +-- LayoutError                the input as a whole is not of this layout

These are the peer's faults. A caller's own mistake (a record that cannot be encoded,
such as a heart rate of -1) is a plain ``ValueError`` or ``OverflowError``, never one
of these. The text of an error names the field and the reason, never a value, because
values are health data; the bytes are on the exception for those who may see them.
"""


class ProtocolError(ValueError):
    """Bytes that do not follow the protocol.

    Attributes:
        field: Name of the field, or of the frame, which could not be read.
        reason: What is wrong with it, in words and without any measured value.
        data: The whole input, as it arrived.
    """

    def __init__(self, field: str, reason: str, data: bytes = b"") -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.data = data

    def __reduce__(
        self,
    ) -> tuple[type["ProtocolError"], tuple[str, str, bytes]]:
        """Pickle by the three arguments, so that process pools can carry it."""
        return type(self), (self.field, self.reason, self.data)


class TruncatedError(ProtocolError):
    """The input ends before or inside a field."""


class FieldError(ProtocolError):
    """A field holds a value which the protocol forbids."""


class ChecksumError(ProtocolError):
    """A CRC or checksum does not fit the data it covers."""


class LayoutError(ProtocolError):
    """The input as a whole is not of this layout, or has bytes it must not have."""
