"""Services and characteristics of a simulated peripheral, in a few words.

``Need`` says what the link must be before a value may be read, written or subscribed
to; bumble then answers with ATT error 0x0F or 0x05, as devices that want a bond do.
"""

import enum
from collections.abc import Awaitable, Callable
from typing import Any

from bumble.att import Attribute, AttributeValue
from bumble.core import UUID
from bumble.gatt import (
    GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
    Characteristic,
    Descriptor,
)
from bumble.gatt_server import Server

Properties = Characteristic.Properties
Permissions = Attribute.Permissions
OctetCharacteristic = Characteristic[bytes]

# A client may always look whether it is subscribed.
_WRITE_NEEDS = (
    Permissions.WRITE_REQUIRES_ENCRYPTION | Permissions.WRITE_REQUIRES_AUTHENTICATION
)


class Need(enum.Enum):
    """What the link must be; refused with the ATT error named beside it."""

    NOTHING = enum.auto()
    ENCRYPTION = enum.auto()  # 0x0F, insufficient encryption
    AUTHENTICATION = enum.auto()  # 0x05, insufficient authentication

    @property
    def permissions(self) -> Permissions:
        """The permission bits beyond reading and writing."""
        match self:
            case Need.ENCRYPTION:
                return (
                    Permissions.READ_REQUIRES_ENCRYPTION
                    | Permissions.WRITE_REQUIRES_ENCRYPTION
                )
            case Need.AUTHENTICATION:
                return (
                    Permissions.READ_REQUIRES_AUTHENTICATION
                    | Permissions.WRITE_REQUIRES_AUTHENTICATION
                )
            case _:
                return Permissions(0)


def readable(
    uuid: int, value: bytes | Callable[[], bytes], need: Need = Need.NOTHING
) -> OctetCharacteristic:
    """A characteristic that can be read; a callable is asked at each reading."""
    content: AttributeValue[bytes] | bytes
    if isinstance(value, bytes):
        content = value
    else:
        read = value
        content = AttributeValue(read=lambda _connection: read())
    return Characteristic(
        UUID.from_16_bits(uuid),
        Properties.READ,
        Permissions.READABLE | need.permissions,
        content,
    )


def pushed(uuid: int, how: Properties) -> OctetCharacteristic:
    """A characteristic that is only notified or indicated."""
    return Characteristic(UUID.from_16_bits(uuid), how, Permissions(0), b"")


def written(
    uuid: int,
    properties: Properties,
    write: Callable[[bytes], Awaitable[None] | None],
    *,
    read: Callable[[], bytes] | None = None,
    need: Need = Need.NOTHING,
) -> OctetCharacteristic:
    """A characteristic that takes writes, and can be read when ``read`` is given."""

    async def on_write(_connection: object, value: bytes) -> None:
        done = write(bytes(value))
        if done is not None:
            await done

    permissions = Permissions.WRITEABLE | need.permissions
    source: Callable[[Any], bytes] | None = None
    if read is not None:
        permissions |= Permissions.READABLE
        ask = read

        def source(_connection: object) -> bytes:
            return ask()

    return Characteristic(
        UUID.from_16_bits(uuid),
        properties,
        permissions,
        AttributeValue(read=source, write=on_write),
    )


def guard_subscription(
    server: Server, characteristic: OctetCharacteristic, need: Need
) -> None:
    """Let the subscription itself need the link's security, as bonded meters do."""
    if need is Need.NOTHING:
        return
    characteristic.descriptors = [
        *characteristic.descriptors,
        Descriptor(
            GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
            Permissions.READABLE
            | Permissions.WRITEABLE
            | (need.permissions & _WRITE_NEEDS),
            server.make_descriptor_value(characteristic),
        ),
    ]
