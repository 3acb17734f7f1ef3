"""Device Information service 0x180A.

============================================  =====================================
2A29 2A24 2A25 2A26 2A27 2A28                 UTF-8 text, often padded with NUL
2A23 System ID                                manufacturer u40, OUI u24
2A2A IEEE 11073-20601 certification data      opaque octets
2A50 PnP ID                                   source u8, vendor, product, version u16
============================================  =====================================

Source: Bluetooth SIG Device Information Service 1.2, section 3.
"""

from dataclasses import dataclass
from typing import Final, Self

from firmware_protocols.codes import Code
from firmware_protocols.gatt.octets import OctetReader, Octets, OctetWriter

_MANUFACTURER_SIZE = 5
_OUI_SIZE = 3


class VendorIdSource(Code):
    """Who gave the vendor its number."""

    __slots__ = ()

    BLUETOOTH_SIG: Final = 1
    USB_FORUM: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceText:
    """Manufacturer, model, serial number or a revision: the octets as they came."""

    octets: bytes

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Take over the value; every value is a text."""
        return cls(octets=bytes(data))

    @property
    def text(self) -> str:
        """Return the text without padding.

        Octets that are not UTF-8 become U+FFFD: a misspelt name must not keep a
        device from being read.
        """
        return self.octets.rstrip(b"\0").decode("utf-8", "replace")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the value of a text."""
        return cls(octets=text.encode())

    def to_bytes(self) -> bytes:
        """Return the octets."""
        return self.octets


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemId:
    """The value of 2A23: an EUI-64 in two parts."""

    manufacturer_id: int
    oui: int
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A23.

        Raises:
            TruncatedError: There are fewer than eight octets.
        """
        reader = OctetReader(data)
        return cls(
            manufacturer_id=reader.unsigned("manufacturer_id", _MANUFACTURER_SIZE),
            oui=reader.unsigned("oui", _OUI_SIZE),
            trailing=reader.rest(),
        )

    def to_bytes(self) -> bytes:
        """Encode 2A23.

        Raises:
            OverflowError: A field does not fit.
        """
        writer = OctetWriter().unsigned(self.manufacturer_id, _MANUFACTURER_SIZE)
        return writer.unsigned(self.oui, _OUI_SIZE).octets(self.trailing).value()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegulatoryCertification:
    """The value of 2A2A, opaque here."""

    octets: bytes

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Take over the value."""
        return cls(octets=bytes(data))

    def to_bytes(self) -> bytes:
        """Return the octets."""
        return self.octets


@dataclass(frozen=True, slots=True, kw_only=True)
class PnpId:
    """The value of 2A50."""

    vendor_id_source: VendorIdSource
    vendor_id: int
    product_id: int
    product_version: int
    trailing: bytes = b""

    @classmethod
    def from_bytes(cls, data: Octets) -> Self:
        """Decode 2A50.

        Raises:
            TruncatedError: There are fewer than seven octets.
        """
        reader = OctetReader(data)
        return cls(
            vendor_id_source=VendorIdSource(reader.u8("vendor_id_source")),
            vendor_id=reader.u16("vendor_id"),
            product_id=reader.u16("product_id"),
            product_version=reader.u16("product_version"),
            trailing=reader.rest(),
        )

    def to_bytes(self) -> bytes:
        """Encode 2A50.

        Raises:
            OverflowError: A field does not fit.
        """
        writer = OctetWriter().u8(self.vendor_id_source).u16(self.vendor_id)
        writer.u16(self.product_id).u16(self.product_version)
        return writer.octets(self.trailing).value()
