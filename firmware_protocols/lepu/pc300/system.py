"""Identity, version, battery and time of the PC-100/200/300.

::

    FF/01  ASCII          product name, "name:serial" on most models
    FF/02, 51/01  sw hw batt       versions; batt bits 0-2 level 0-3, bits 4-5 charge
    FF/04  sw1 sw2 hw batt         the same with two software bytes
    FF/03                 the device asks for the time
    FF/10  id, little endian       customer id
    D0/..                 the device is switched off
    (others)              acknowledgement of a command, see ``Acknowledgement``

Source: viatomEcho/LepuBle and two independent hosts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from firmware_protocols.errors import FieldError
from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pc300.versions import version_bytes, version_text
from firmware_protocols.lepu.record import code_of, data_of

_LEVEL: Final = 0x07
_CHARGE_SHIFT: Final = 4
_CHARGE_MASK: Final = 0x03
_WITH_TWO_SW_BYTES: Final = 4
_WITH_BATTERY: Final = 3

CUSTOMER_ID_SIZE: Final = 4
"""Bytes of a customer id that is written; shorter ones are read too."""


class Charge(StrEnum):
    """What the charger does."""

    NOT_CHARGING = "not_charging"
    CHARGING = "charging"
    FULL = "full"
    RESERVED = "reserved"


_CHARGES: Final[Mapping[int, Charge]] = dict(enumerate(Charge))


class VersionFrame(StrEnum):
    """Which of three frames a version came in; it answers the query of that name."""

    FF_02 = "ff/02"
    FF_04 = "ff/04"
    OLD_51_01 = "51/01"


_VERSION_TYPES: Final[Mapping[tuple[int, int], VersionFrame]] = {
    (0xFF, 0x02): VersionFrame.FF_02,
    (0xFF, 0x04): VersionFrame.FF_04,
    (0x51, 0x01): VersionFrame.OLD_51_01,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductName:
    """FF/01: the answer to the hand-shake.

    Attributes:
        name: Such as "PC-300SNT".
        serial: What follows the first colon; None without a colon.
    """

    kind: ClassVar[str] = "product_name"

    name: str
    serial: str | None

    @classmethod
    def from_frame(cls, frame: Frame) -> "ProductName":
        """Read name and serial; padding with NUL and spaces is dropped.

        Raises:
            FieldError: Not ASCII.
        """
        try:
            text = frame.data.rstrip(b"\0 ").decode("ascii")
        except UnicodeDecodeError:
            raise FieldError(cls.kind, "not ASCII", frame.raw) from None
        name, colon, serial = text.partition(":")
        return cls(name=name, serial=serial if colon else None)

    def to_frame(self) -> Frame:
        """FF/01."""
        text = self.name if self.serial is None else f"{self.name}:{self.serial}"
        return Frame.build(token=0xFF, type=0x01, data=text.encode("ascii"))


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionBattery:
    """FF/02, FF/04 or 51/01: versions and battery.

    Attributes:
        sw: Software, such as "1.2", or "0.1.2.3" in FF/04.
        hw: Hardware; "" when the frame ends before it.
        battery_level: 0 (empty) to 3; None when the frame ends before it.
        charging: None when the frame ends before it.
        frame: Which frame it was.
    """

    kind: ClassVar[str] = "version_battery"

    sw: str
    hw: str
    battery_level: int | None
    charging: Charge | None
    frame: VersionFrame = VersionFrame.FF_02

    @classmethod
    def from_frame(cls, frame: Frame) -> "VersionBattery":
        """Read versions and battery; four bytes have two for the software.

        Raises:
            TruncatedError: No data.
        """
        data = data_of(frame, cls.kind, 1)
        split = 2 if len(data) >= _WITH_TWO_SW_BYTES else 1
        battery = data[split + 1] if len(data) >= _WITH_BATTERY else None
        return cls(
            sw=version_text(data[:split]),
            hw=version_text(data[split : split + 1]),
            battery_level=None if battery is None else battery & _LEVEL,
            charging=(
                None
                if battery is None
                else _CHARGES[battery >> _CHARGE_SHIFT & _CHARGE_MASK]
            ),
            frame=_VERSION_TYPES[frame.token, frame.type],
        )

    def to_frame(self) -> Frame:
        """The frame named by ``frame``."""
        data = version_bytes(self.sw) + version_bytes(self.hw)
        if self.battery_level is not None and self.charging is not None:
            charge = code_of(self.charging, _CHARGES) << _CHARGE_SHIFT
            data += bytes((charge | self.battery_level & _LEVEL,))
        for (token, kind), name in _VERSION_TYPES.items():
            if name is self.frame:
                return Frame.build(token=token, type=kind, data=data)
        msg = f"{self.frame!r} is not a version frame"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRequest:
    """FF/03: the device asks for the time."""

    kind: ClassVar[str] = "time_request"

    @classmethod
    def from_frame(cls, _frame: Frame) -> "TimeRequest":
        """Nothing is in it."""
        return cls()

    def to_frame(self) -> Frame:
        """FF/03."""
        return Frame.build(token=0xFF, type=0x03)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerId:
    """FF/10: the number a customer gave the device."""

    kind: ClassVar[str] = "customer_id"

    customer_id: int
    size: int = CUSTOMER_ID_SIZE

    @classmethod
    def from_frame(cls, frame: Frame) -> "CustomerId":
        """Read the number.

        Raises:
            TruncatedError: No data.
        """
        data = data_of(frame, cls.kind, 1)
        return cls(customer_id=int.from_bytes(data, "little"), size=len(data))

    def to_frame(self) -> Frame:
        """FF/10."""
        data = self.customer_id.to_bytes(self.size, "little")
        return Frame.build(token=0xFF, type=0x10, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOff:
    """D0: somebody switches the device off."""

    kind: ClassVar[str] = "power_off_notice"

    type: int = 0x01

    @classmethod
    def from_frame(cls, frame: Frame) -> "PowerOff":
        """Any type of token D0 says so."""
        return cls(type=frame.type)

    def to_frame(self) -> Frame:
        """D0."""
        return Frame.build(token=0xD0, type=self.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The device echoes a command's token and type: it has taken it."""

    kind: ClassVar[str] = "acknowledgement"

    token: int
    type: int
    data: bytes = b""

    @classmethod
    def from_frame(cls, frame: Frame) -> "Acknowledgement":
        """Keep what was echoed."""
        return cls(token=frame.token, type=frame.type, data=frame.data)

    def to_frame(self) -> Frame:
        """The echo."""
        return Frame.build(token=self.token, type=self.type, data=self.data)


def time_from_frame(frame: Frame) -> TimeRequest | Acknowledgement:
    """FF/03: without data a question, with data the echo of the time that was set."""
    if frame.data:
        return Acknowledgement.from_frame(frame)
    return TimeRequest.from_frame(frame)
