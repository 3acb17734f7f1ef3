"""Bleak's errors, and those that fall through it, become the gateway's.

==============================================  ====================================
BleakGATTProtocolError, code 0xNN               AttRefusedError (LinkRefusedError)
BleakCharacteristicNotFoundError                LinkRefusedError
BleakDBusError, of a refusing kind              LinkRefusedError
any other BleakError                            LinkClosedError
EOFError, OSError, dbus-fast's own              LinkClosedError: the bus is gone
TimeoutError, bleak's or our own deadline       LinkTimeoutError
==============================================  ====================================

Source: bleak 3.1 ``bleak/exc.py``; what BlueZ really raises was measured against BlueZ
5.66.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from bleak.exc import (
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakError,
    BleakGATTProtocolError,
)

from gateway.errors import (
    LinkClosedError,
    LinkError,
    LinkRefusedError,
    LinkTimeoutError,
)

INSUFFICIENT_AUTHENTICATION: Final = 0x05
INSUFFICIENT_ENCRYPTION: Final = 0x0F
NEEDS_PAIRING: Final = frozenset({INSUFFICIENT_AUTHENTICATION, INSUFFICIENT_ENCRYPTION})
"""ATT errors that mean "pair now" (Core specification, volume 3, part F, 3.4.1.1)."""

_REFUSALS: Final = frozenset(
    f"org.bluez.Error.{name}"
    for name in (
        "AuthenticationCanceled",
        "AuthenticationFailed",
        "AuthenticationRejected",
        "AuthenticationTimeout",
        "InvalidValueLength",
        "NotAuthorized",
        "NotPermitted",
        "NotSupported",
    )
)


def _bus_faults() -> tuple[type[Exception], ...]:
    """What escapes bleak when the system bus is missing or dies."""
    faults: tuple[type[Exception], ...] = (EOFError, OSError)
    # dbus-fast is there on Linux only.
    with contextlib.suppress(ImportError):
        from dbus_fast.errors import (  # noqa: PLC0415 - Linux only
            AuthError,
            DBusError,
            InvalidAddressError,
        )

        faults = (*faults, AuthError, DBusError, InvalidAddressError)
    return faults


BUS_FAULTS: Final = _bus_faults()


class AttRefusedError(LinkRefusedError):
    """The device answered a request with an ATT error.

    Attributes:
        code: the ATT error code, 0 .. 255.
    """

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


_CAUGHT: Final[tuple[type[Exception], ...]] = (BleakError, TimeoutError, *BUS_FAULTS)


def as_link_error(operation: str, error: Exception) -> LinkError:
    """The gateway's error for one of bleak's; ``operation`` begins its text."""
    match error:
        case BleakGATTProtocolError():
            code = int(error.code)
            return AttRefusedError(
                f"{operation}: refused by the device with ATT error 0x{code:02X}",
                code=code,
            )
        case BleakCharacteristicNotFoundError():
            return LinkRefusedError(f"{operation}: the device does not offer it")
        case BleakDBusError():
            refused = error.dbus_error in _REFUSALS
            kind = LinkRefusedError if refused else LinkClosedError
            return kind(f"{operation}: {error.dbus_error}")
        case TimeoutError():
            return LinkTimeoutError(f"{operation}: no answer in time")
        case BleakError():
            return LinkClosedError(f"{operation}: the link is gone ({error})")
        case _:
            name = type(error).__name__
            return LinkClosedError(
                f"{operation}: the Bluetooth service failed ({name})"
            )


@contextlib.asynccontextmanager
async def deadline(operation: str, seconds: float) -> AsyncIterator[None]:
    """Put a time limit of ours round a call of bleak, and map what it raises.

    Bleak has no limit on its D-Bus calls: a read can wait for ever, and then the
    disconnect as well.

    Raises:
        LinkTimeoutError: Not done within ``seconds``.
        LinkRefusedError: The peer refused.
        LinkClosedError: The link or the Bluetooth service is gone.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except _CAUGHT as error:
        raise as_link_error(operation, error) from error
