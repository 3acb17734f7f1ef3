"""A device as the supervisor knows it: state, reason, back-off, remedies. Pure."""

import enum
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.ports.devices import Identified, LinkKind, Peer
from gateway.wire.batch import DeviceStatus

BACKOFF_FIRST_S: Final = 2.0
"""After a first failure: a device that lost the link advertises again at once."""

BACKOFF_CAP_S: Final = 60.0
"""Longest wait: a cuff advertises for a minute or two after a measurement, and a wait
that is longer than that would miss every one of them."""

REFUSALS_BEFORE_FAILED: Final = 2
"""Refused pairings before a person is asked: the first may be a stale bond that the
stack renews by itself."""

FAILURES_BEFORE_UNREACHABLE: Final = 3
"""Failures in a row before the operator is told."""


class State(enum.StrEnum):
    """What the operator sees."""

    SEARCHING = "searching"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    IDLE = "idle"
    BACKING_OFF = "backing-off"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a person can do about a reason."""

    en: str
    zh: str


REMEDIES: Final[Mapping[str, Remedy]] = {
    "link-closed": Remedy("Move the device nearer.", "请将设备移近。"),
    "timeout": Remedy(
        "Move the device nearer and wake it.", "请将设备移近并唤醒设备。"
    ),
    "refused": Remedy(
        "Pair again: delete the old pairing on the device.",
        "请重新配对:先在设备上删除旧的配对。",
    ),
    "not-answering": Remedy(
        "Switch the device off and on.", "请将设备关机后重新开机。"
    ),
    "unplugged": Remedy("Plug the cable in.", "请插好数据线。"),
    "driver-fault": Remedy(
        "Report it with a recording (vitalgate record).",
        "请用 vitalgate record 录制数据并反馈。",
    ),
    "storage": Remedy("Free disk space at the station.", "请释放站点的磁盘空间。"),
    "name-needed": Remedy(
        "Name the device's driver in the configuration.", "请在配置中指定设备驱动。"
    ),
    "ambiguous": Remedy(
        "Name the device's driver in the configuration.", "请在配置中指定设备驱动。"
    ),
    "port-not-configured": Remedy(
        "Name the port's driver in the configuration.", "请在配置中指定串口驱动。"
    ),
    "proprietary-protocol": Remedy(
        "This model has a closed protocol: use another one.",
        "该型号使用专有协议,请更换设备。",
    ),
    "driver-unknown": Remedy(
        "Correct the driver's name in the configuration.", "请更正配置中的驱动名称。"
    ),
    "wrong-link": Remedy(
        "Correct the driver's name in the configuration.", "请更正配置中的驱动名称。"
    ),
}
"""By reason; the console shows the text of its language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredDevice:
    """A device that the station's configuration names; every given field must fit.

    Attributes:
        key: the station's own stable name of it; identity where it has no serial.
        link: what it speaks over.
        driver: driver's name; empty: chosen by the registry.
        address: BLE address or port path.
        name: advertised name, exactly.
        serial_number: of the USB adapter.
        quirks: override the catalogue's.
    """

    key: str
    link: LinkKind
    driver: str = ""
    address: str = ""
    name: str = ""
    serial_number: str = ""
    quirks: Mapping[str, object] = field(default_factory=dict)

    def fits(self, peer: Peer, link: LinkKind) -> bool:
        """Whether a peer is this device."""
        given = (
            (self.address.casefold(), peer.address.casefold()),
            (self.name, peer.name),
            (self.serial_number, peer.serial_number),
        )
        wanted = [(want, has) for want, has in given if want]
        return (
            link is self.link
            and bool(wanted)
            and all(want == has for want, has in wanted)
        )


def device_id(*parts: str) -> str:
    """``dev-`` and 64 bits of a hash: stable, and no address to be read out of it."""
    return f"dev-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"


def identified_id(identified: Identified, fallback: str) -> str:
    """The id by manufacturer, model and serial number; ``fallback`` without serial."""
    if not identified.serial:
        return fallback
    return device_id(identified.manufacturer, identified.model, identified.serial)


@dataclass(slots=True, kw_only=True)
class Device:
    """Everything known about one peer.

    Attributes:
        id: by what it said it is; ``base_id`` until then, and where it has no serial.
        base_id: by the configured key, or by station and address.
        quirks: of the last connection, as far as the model is known.
        busy: a task serves it.
    """

    id: str
    base_id: str
    peer: Peer
    link: LinkKind
    configured: ConfiguredDevice | None = None
    state: State = State.SEARCHING
    reason: str = ""
    detail: str = ""
    driver: str = ""
    name: str = ""
    quirks: Mapping[str, object] = field(default_factory=dict)
    battery: int | None = None
    last_reading_at: datetime | None = None
    failures: int = 0
    refusals: int = 0
    not_before: float = 0.0
    busy: bool = False
    unreachable_told: bool = False

    def status(self) -> DeviceStatus:
        """For the station's status message; without any address."""
        return DeviceStatus(
            id=self.id,
            name=self.name or self.peer.name,
            driver=self.driver,
            state=self.state.value,
            reason=self.reason,
            battery=self.battery,
            last_reading_at=self.last_reading_at,
        )

    def succeeded(self, now: float, cool_down: float) -> None:
        """A session did its work: rest, so that the device may do so too."""
        self.state = State.IDLE
        self.reason = self.detail = ""
        self.failures = self.refusals = 0
        self.not_before = now + cool_down

    def failed(self, now: float, reason: str, detail: str, rng: random.Random) -> None:
        """A session failed: wait longer every time, with jitter."""
        self.failures += 1
        self.refusals = self.refusals + 1 if reason == "refused" else 0
        self.reason = reason
        self.detail = detail
        self.state = (
            State.FAILED
            if self.refusals >= REFUSALS_BEFORE_FAILED
            else State.BACKING_OFF
        )
        self.not_before = now + backoff(self.failures, rng)


def backoff(failures: int, rng: random.Random) -> float:
    """Seconds to wait after so many failures in a row, at least one.

    Half of it is random, so that devices which failed together do not come back
    together.
    """
    # The exponent is bounded: 2.0 ** 5000 overflows a device that fails for weeks.
    exponent = min(failures - 1, 10)
    ceiling = min(BACKOFF_CAP_S, BACKOFF_FIRST_S * 2.0**exponent)
    return ceiling * rng.uniform(0.5, 1.0)


@dataclass(slots=True)
class SupervisorCounts:
    """Since the start."""

    sessions: int = 0
    driver_faults: int = 0
    sink_failures: int = 0
    close_failures: int = 0
    radio_resets: int = 0
    reset_failures: int = 0
    watcher_restarts: int = 0
