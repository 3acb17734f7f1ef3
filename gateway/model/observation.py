"""A reading: what a device measured, of whom, when, and the bytes that prove it.

The structs are outside the garbage collector's care (``gc=False``): they cannot form
cycles, and a hub that keeps thousands of them would else spend half its time there.
"""

import enum
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid5

from msgspec import Struct

from gateway.model.instant import Instant

# Namespace of observation ids; fixed for ever, since an id must not depend on the
# release that computed it.
OBSERVATION_NAMESPACE = UUID("6d0f6f5e-6a57-5e0c-9a3b-2f6b8d1c7a40")


class Absent(enum.StrEnum):
    """Why a quantity has no value. HI and LO are readings and must alarm."""

    ABOVE_RANGE = "above-range"  # the meter shows HI
    BELOW_RANGE = "below-range"  # the meter shows LO
    NOT_A_NUMBER = "not-a-number"  # IEEE 11073 NaN: the measurement failed
    NOT_AT_RESOLUTION = "not-at-resolution"  # IEEE 11073 NRes
    ERROR = "error"  # the device says so
    UNKNOWN = "unknown"


class TimeQuality(enum.StrEnum):
    """How far ``taken_at`` can be trusted, best first."""

    SYNCHRONISED = "synchronised"  # device clock read at connection, within tolerance
    CORRECTED = "corrected"  # device clock read, its offset applied
    RECEIVED = "received"  # the device sends no time: time of reception
    UNVERIFIED = "unverified"  # device time taken as it is: its clock is unreadable
    IMPOSSIBLE = "impossible"  # device time contradicts itself: quarantined


class Setting(enum.StrEnum):
    """Where it was measured; thresholds differ."""

    KIOSK = "kiosk"
    HOME = "home"
    VISIT = "visit"


class Quality(enum.StrEnum):
    """Whether the value may open, confirm or clear an alert."""

    OK = "ok"
    QUESTIONABLE = "questionable"  # opens one level lower; never confirms or clears
    IMPLAUSIBLE = "implausible"  # outside the hard range: kept, shown, judged by none
    INVALID = "invalid"  # the device itself says that it failed


class Quantity(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A number with a UCUM unit, or the reason why there is none."""

    unit: str
    value: Decimal | None = None
    absent: Absent | None = None


class Component(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One measured thing inside an observation.

    ``name`` and ``code`` are those of ``gateway.codes``.
    """

    name: str
    code: int
    quantity: Quantity


class Observation(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One reading of one person by one device at one moment.

    Attributes:
        id: see ``observation_id``; the person is not in it.
        kind: name in ``gateway.codes``, such as ``blood_pressure_panel``.
        code: 32-bit MDC code of the kind.
        components: at least one; a blood pressure carries systolic, diastolic,
            mean and pulse together.
        device: stable device id (never a BLE address).
        station: station id that received it.
        received_at: when the station received it, UTC.
        taken_at: when it was measured, UTC, by ``time_quality``.
        device_time: the device's own time as sent, ISO 8601 without zone.
        clock_offset: seconds to add to the device clock to get UTC, as measured at
            connection.
        sequence: the device's own record number.
        user_slot: the device's own user number.
        session: measurement session at a shared station.
        subject: pseudonymous resident id; None while unclaimed.
        context: meal, site, modality … by name.
        flags: device status and plausibility remarks, sorted.
        raw: the device's bytes that this was decoded from.
        driver: name and version of the driver that decoded it.
        stored: read from the device's memory, not live.
    """

    id: UUID
    kind: str
    code: int
    components: tuple[Component, ...]
    device: str
    station: str
    received_at: Instant
    taken_at: Instant
    time_quality: TimeQuality
    setting: Setting
    raw: bytes
    driver: str
    quality: Quality = Quality.OK
    device_time: str | None = None
    clock_offset: float | None = None
    sequence: int | None = None
    user_slot: int | None = None
    session: str | None = None
    subject: str | None = None
    context: dict[str, str] = {}
    flags: tuple[str, ...] = ()
    stored: bool = False

    def component(self, name: str) -> Component | None:
        """The component of that name, or None."""
        return next((c for c in self.components if c.name == name), None)


def observation_id(
    *,
    device: str,
    code: int,
    raw: bytes,
    device_time: str | None,
    sequence: int | None,
    received_at: datetime,
) -> UUID:
    """The id of a reading: equal wherever and however often it is heard.

    Where the device gives neither a time nor a record number, two equal values a
    second apart are two readings, so the time of reception is part of the id.
    """
    if device_time is None and sequence is None:
        when = received_at.isoformat(timespec="microseconds")
    else:
        when = f"{device_time or ''}#{'' if sequence is None else sequence}"
    return uuid5(OBSERVATION_NAMESPACE, f"{device}|{code}|{when}|{raw.hex()}")
