"""The gateway's errors.

    VitalgateError                  anything of ours that reaches a user
    |- ConfigurationError           a setting is wrong: names the setting and the remedy
    |- LinkError                    a device link
    |  |- LinkClosedError           the peer or the adapter ended it (no fault as such)
    |  |- LinkTimeoutError          an operation passed its deadline
    |  |- LinkRefusedError          the peer refused: pairing, permission, protocol
    |  `- CommandRefusedError       our driver tried to send what its allow-list lacks
    |- WireError                    an MQTT payload that cannot be read
    |- StorageError                 journal, log or series store
    |  `- QuotaExceededError        the disk quota is used up
    |- RequestError                 what is asked is not well formed: names the field
    |- AccessDeniedError            who asks may not
    |  |- SignInError               nobody is signed in, or the secret is wrong
    |  `- RateLimitedError          too many failed tries; says when to come back
    |- NotFoundError                what is asked for does not exist, or is not yours
    `- ConflictError                the state has moved on; carries the fresh state

A message names the field and the remedy; it never holds a person's name or a value.
"""


class VitalgateError(Exception):
    """Root of every error this project raises on purpose.

    Attributes:
        remedy: what the reader can do about it; empty when nothing.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy


class ConfigurationError(VitalgateError):
    """A setting is missing or wrong."""


class LinkError(VitalgateError):
    """A device link failed."""


class LinkClosedError(LinkError):
    """The link is gone: unplugged, out of range, or ended by the device."""


class LinkTimeoutError(LinkError):
    """An operation on the link passed its deadline."""


class LinkRefusedError(LinkError):
    """The device refused an operation (authentication, permission, protocol)."""


class CommandRefusedError(LinkError):
    """A driver tried to send bytes that its allow-list does not contain."""


class WireError(VitalgateError):
    """A message on the wire cannot be read.

    Attributes:
        reason: a stable token for counters, such as ``schema-version``.
    """

    def __init__(self, message: str, *, reason: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class StorageError(VitalgateError):
    """A durable store cannot do what it was asked."""


class QuotaExceededError(StorageError):
    """The disk quota of a store is used up."""


class AccessDeniedError(VitalgateError):
    """The caller may not do this."""


class SignInError(AccessDeniedError):
    """Nobody is signed in, or the password or token is wrong."""


class RateLimitedError(AccessDeniedError):
    """Too many failed tries.

    Attributes:
        retry_after_s: seconds until the next try is looked at.
    """

    def __init__(self, message: str, *, retry_after_s: int, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after_s = retry_after_s


class RequestError(VitalgateError):
    """What is asked is not well formed; the message begins with the field."""


class NotFoundError(VitalgateError):
    """The thing does not exist, or the caller may not know that it does."""


class ConflictError(VitalgateError):
    """The caller acted on a stale version.

    Attributes:
        current: the fresh state, JSON-able.
    """

    def __init__(self, message: str, *, current: object, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.current = current
