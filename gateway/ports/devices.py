"""Between a device and the pipeline: links, drivers, and the events drivers yield.

A transport moves bytes and implements ``GattLink`` or ``ByteLink``. A driver is data
(``DriverSpec``) plus a generator (``run``) that turns the link into events. The
pipeline commits an event before it asks for the next one, so a driver that lets a
device forget a record does so only after the record is safe.
"""

import enum
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.model.observation import Component
from gateway.model.waveform import LeadState

# --- links ---------------------------------------------------------------------------


class LinkKind(enum.StrEnum):
    """What a driver speaks over."""

    GATT = "gatt"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The other end of a link, as the transport knows it.

    Attributes:
        address: BLE address or port path; never an identity, never stored with data.
        name: advertised name, or USB product text.
        services: advertised service UUIDs, 128-bit, lower case.
        usb: (vendor id, product id), or None.
        serial_number: of the USB adapter; empty when unknown.
    """

    address: str
    name: str = ""
    services: tuple[str, ...] = ()
    usb: tuple[int, int] | None = None
    serial_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Bytes from the device and when they came, UTC.

    ``channel`` is the characteristic's UUID on GATT, empty on a byte link.
    """

    data: bytes
    at: datetime
    channel: str = ""


class GattLink(Protocol):
    """A connected BLE peripheral. UUIDs are 128-bit, lower case.

    Every method has a deadline of its own inside the transport and raises
    ``LinkTimeoutError``, ``LinkRefusedError`` or ``LinkClosedError``.
    """

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""

    def has(self, characteristic: str) -> bool:
        """Whether the peripheral offers the characteristic."""

    async def read(self, characteristic: str) -> bytes:
        """Read a characteristic's value."""

    async def write(
        self, characteristic: str, data: bytes, *, response: bool = True
    ) -> None:
        """Write; refused with ``CommandRefusedError`` unless the driver may send it."""

    async def subscribe(self, characteristic: str) -> None:
        """Have notifications or indications delivered to ``receive``, in order."""

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109
        """The next value of any subscribed characteristic; None after ``timeout`` s.

        Raises ``LinkClosedError`` once the link is gone and all values are taken.
        """


class ByteLink(Protocol):
    """An open serial port, pty, or TCP stream."""

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""

    async def write(self, data: bytes) -> None:
        """Write all; refused with ``CommandRefusedError`` as on GATT."""

    async def receive(self, timeout: float) -> Received | None:  # noqa: ASYNC109
        """The next bytes, as they come; None after ``timeout`` s.

        Raises ``LinkClosedError`` once the link is gone and all bytes are taken.
        """


# --- what a driver is ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One way to recognise a device; every given field must match.

    Attributes:
        service: advertised service UUID, 128-bit, lower case.
        name: regular expression on the advertised name (``re.match``).
        usb: (vendor id, product id).
    """

    service: str | None = None
    name: str | None = None
    usb: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Bytes that a driver may send.

    Attributes:
        name: what it does, such as ``set-clock``.
        prefix: the data must begin with this.
        length: exact length, or None for any.
        channel: characteristic UUID; empty on byte links.
        operator_only: only after an explicit, audited operator command (cuff start).
    """

    name: str
    prefix: bytes = b""
    length: int | None = None
    channel: str = ""
    operator_only: bool = False

    def permits(self, channel: str, data: bytes) -> bool:
        """Whether this entry covers the bytes."""
        return (
            channel == self.channel
            and data.startswith(self.prefix)
            and (self.length is None or len(data) == self.length)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverSpec:
    """A driver's declaration: what it matches, produces and may send."""

    name: str
    version: int
    link: LinkKind
    matches: tuple[Match, ...]
    produces: tuple[str, ...]
    may_send: tuple[Allowed, ...]
    title: str = ""
    experimental: bool = False

    @property
    def label(self) -> str:
        """Name and version, as stored with every reading."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCommand:
    """An explicit act of an operator, such as ``start-blood-pressure``."""

    name: str
    by: str


class DriverContext(Protocol):
    """What a driver may use besides its link."""

    @property
    def quirks(self) -> Mapping[str, object]:
        """The catalogue row of this model: byte order, clock rules, delays."""

    @property
    def bookmarks(self) -> Mapping[str, str]:
        """What this driver stored for this device with ``Bookmark`` events."""

    def now(self) -> datetime:
        """UTC."""

    def monotonic(self) -> float:
        """Seconds."""

    def local_now(self) -> datetime:
        """The site's local wall-clock time, naive, for setting a device's clock."""

    def next_command(self) -> OperatorCommand | None:
        """The oldest waiting operator command, or None."""


# --- what a driver yields ------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A decoded reading, before person, session, time correction and plausibility.

    Attributes:
        kind: name in ``gateway.codes``.
        components: measured values in UCUM units of ``gateway.codes``.
        raw: the bytes decoded.
        received_at: when the last of these bytes came.
        device_time: naive local time of the device, None when absent or known unset.
        sequence: the device's record number.
        user_slot: the device's user number.
        invalid: the device says that the measurement failed.
        questionable: the device or protocol doubts it.
        stored: from the device's memory.
        identity: the bytes that identify the record where ``raw`` may differ between
            two transfers of it (a glucose record's time offset, a context that came
            late); empty when ``raw`` does. The observation id is made of them.
        clock_time: naive local time of the measurement by the device's clock as it is
            shown to its user, where that is not ``device_time`` (a glucose meter's
            base time identifies the record, base time plus offset tells when); the
            instant of the measurement is made of it.
    """

    kind: str
    components: tuple[Component, ...]
    raw: bytes
    received_at: datetime
    device_time: datetime | None = None
    sequence: int | None = None
    user_slot: int | None = None
    flags: tuple[str, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    invalid: bool = False
    questionable: bool = False
    stored: bool = False
    identity: bytes = b""
    clock_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """A run of waveform samples.

    Attributes:
        recording: the driver's own token for the recording, new for each one.
        index: unwrapped index of the first sample.
        received_at: when the last of these samples came.
        gap_before: samples known to be missing before this run.
    """

    recording: str
    kind: str
    counts: tuple[int, ...]
    index: int
    rate: float
    scale: float
    baseline: int
    unit: str
    received_at: datetime
    gap_before: int = 0
    lead: LeadState = LeadState.UNKNOWN
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What the device says it is; sent before the first reading.

    The stable device id is made of manufacturer, model and serial number.
    """

    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    hardware: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """Charge in percent."""

    percent: int
    charging: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRead:
    """The device's clock beside the gateway's: a coincident time stamp.

    ``device_time`` is naive local time; None means that the device has a clock which
    was never set. ``was_set`` is True after the driver set it.
    """

    device_time: datetime | None
    at: datetime
    was_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A passing value for the operator's screen, such as cuff pressure; not stored."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A technical condition of the device, begun or over, such as ``probe-off``."""

    code: str
    active: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecodable:
    """Bytes that no decoder accepts, kept with the reason."""

    raw: bytes
    reason: str
    received_at: datetime
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """Remember for this device, durably, once everything yielded before is safe."""

    key: str
    value: str


DriverEvent = (
    Reading
    | Samples
    | Identified
    | Battery
    | ClockRead
    | Live
    | Condition
    | Undecodable
    | Bookmark
)


class GattDriver(Protocol):
    """A driver over BLE."""

    @property
    def spec(self) -> DriverSpec:
        """Its declaration."""

    def run(self, link: GattLink, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        """Talk to the device until the link ends or the work is done."""


class ByteDriver(Protocol):
    """A driver over a byte stream."""

    @property
    def spec(self) -> DriverSpec:
        """Its declaration."""

    def run(self, link: ByteLink, ctx: DriverContext) -> AsyncIterator[DriverEvent]:
        """Talk to the device until the link ends."""
