"""The devices of a station: who is known, who may be connected, by which driver."""

from collections.abc import Callable, Sequence
from typing import Final

from gateway.ports.clock import Clock
from gateway.ports.devices import LinkKind, Peer
from gateway.ports.driving import Choice, DriverChooser
from gateway.station.supervisor_state import (
    ConfiguredDevice,
    Device,
    State,
    device_id,
)
from gateway.wire.batch import DeviceStatus

MAX_DEVICES: Final = 256
"""Peers remembered, of which a station uses a dozen; names of strangers' devices that
fit a driver come and go. Those that no driver takes are forgotten first."""


class DeviceTable:
    """Devices by address. An address is never an identity: see ``Device.id``.

    Args:
        station: part of the id of a device without serial number.
        registry: picks drivers.
        configured: devices of the configuration; they win over the registry.
        accept_unlisted: whether other devices are taken too.
        clock: for back-off and cool-down.
        changed: called when a status changed.
    """

    def __init__(
        self,
        *,
        station: str,
        registry: DriverChooser,
        configured: Sequence[ConfiguredDevice],
        accept_unlisted: bool,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._station = station
        self._registry = registry
        self._configured = tuple(configured)
        self._accept_unlisted = accept_unlisted
        self._clock = clock
        self._changed = changed
        self._devices: dict[str, Device] = {}

    def at(self, address: str) -> Device | None:
        """The device of an address."""
        return self._devices.get(address)

    def of_id(self, device: str) -> Device | None:
        """The device of a stable id; one that is busy before one that was."""
        found = [d for d in self._devices.values() if d.id == device]
        return min(found, key=lambda d: not d.busy, default=None)

    def statuses(self) -> list[DeviceStatus]:
        """Every device, and the configured ones that were not met yet."""
        met = {
            device.configured.key
            for device in self._devices.values()
            if device.configured is not None
        }
        waiting = [
            DeviceStatus(
                id=device_id(config.key),
                name=config.name or config.key,
                driver=config.driver,
                state=State.SEARCHING.value,
            )
            for config in self._configured
            if config.key not in met
        ]
        return [device.status() for device in self._devices.values()] + waiting

    def meet(self, peer: Peer, link: LinkKind) -> Device | None:
        """The device of a peer; None for one that this station must not touch."""
        device = self._devices.get(peer.address)
        if device is not None:
            if not device.busy:
                device.peer = peer
            return device
        config = next((c for c in self._configured if c.fits(peer, link)), None)
        if config is None and not self._accept_unlisted:
            return None
        key = (self._station, peer.address) if config is None else (config.key,)
        base = device_id(*key)
        return Device(id=base, base_id=base, peer=peer, link=link, configured=config)

    def may_connect(self, device: Device) -> bool:
        """Whether it is neither served, nor resting, nor backing off."""
        return not device.busy and self._clock.monotonic() >= device.not_before

    def choose(self, device: Device) -> Choice | None:
        """The driver; or None, and the device's state says why."""
        config = device.configured
        choice = self._registry.choose(
            device.peer,
            link=device.link,
            configured="" if config is None else config.driver,
        )
        if choice.driver is None and choice.reason == "no-match" and config is None:
            return None  # a phone, a beacon: nobody's business
        self._remember(device)
        if choice.driver is None:
            if device.reason != choice.reason:
                device.state, device.reason = State.UNSUPPORTED, choice.reason
                device.detail = choice.detail
                self._changed()
            return None
        own = {} if config is None else config.quirks
        device.quirks = {**choice.quirks, **own}
        device.driver = choice.driver.spec.label
        return choice

    def _remember(self, device: Device) -> None:
        address = device.peer.address
        if address not in self._devices and len(self._devices) >= MAX_DEVICES:
            idle = [a for a, d in self._devices.items() if not d.busy]
            unknown = [a for a in idle if self._devices[a].state is State.UNSUPPORTED]
            for forgotten in (unknown or idle)[:1]:
                del self._devices[forgotten]
        self._devices[address] = device
