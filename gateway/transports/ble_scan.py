"""The scanner that never stops, and its watchdog.

A scanner can go deaf without any error: after a suspend, a firmware fault, another
program's scan. The ladder: silence -> restart of the scan -> restarts with growing
pauses -> condition ``radio-deaf`` for the operator, while the restarts go on. The first
advertisement ends it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

from gateway.errors import LinkError
from gateway.ports.clock import Clock
from gateway.ports.devices import Condition, Peer
from gateway.transports.ble_errors import deadline
from gateway.transports.ble_limits import DEFAULT_LIMITS, RadioLimits

RADIO_DEAF: Final = "radio-deaf"
"""Condition: no advertisement is heard although the scan was restarted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An advertisement of a peripheral in reach.

    Attributes:
        peer: what the advertisement tells.
        device: bleak's handle, needed to connect.
        rssi: signal strength in dBm.
    """

    peer: Peer
    device: BLEDevice
    rssi: int


@dataclass(slots=True)
class ScanCounts:
    """What the scanner has been through."""

    advertisements: int = 0
    restarts: int = 0
    start_failures: int = 0
    stop_failures: int = 0
    sightings_crowded_out: int = 0


class _Reader:
    """The newest sighting of each device that one reader has not yet seen."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[str, Sighting] = {}
        self._changed = asyncio.Event()

    def put(self, sighting: Sighting) -> bool:
        """Replace the device's older sighting; False when another was crowded out."""
        address = sighting.peer.address
        kept = True
        if address not in self._waiting and len(self._waiting) >= self._limit:
            self._waiting.pop(next(iter(self._waiting)))
            kept = False
        self._waiting[address] = sighting
        self._changed.set()
        return kept

    async def next(self) -> Sighting:
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.pop(next(iter(self._waiting)))


class BleScan:
    """Scans for ever; see the module's docstring for what it does about silence."""

    def __init__(
        self,
        *,
        clock: Clock,
        backend: type[BaseBleakScanner] | None = None,
        limits: RadioLimits = DEFAULT_LIMITS,
        on_condition: Callable[[Condition], None] | None = None,
    ) -> None:
        self.counts = ScanCounts()
        self._clock = clock
        self._backend = backend
        self._limits = limits
        self._on_condition = on_condition
        self._readers: set[_Reader] = set()
        self._heard_at = 0.0
        self._vain = 0
        self._deaf = False

    @property
    def deaf(self) -> bool:
        """Whether the condition ``radio-deaf`` stands."""
        return self._deaf

    async def sightings(self) -> AsyncIterator[Sighting]:
        """Sightings as they come, without end; a slow reader gets the newest of each.

        ``run`` must be running beside it.
        """
        reader = _Reader(self._limits.pending_sightings)
        self._readers.add(reader)
        try:
            while True:
                yield await reader.next()
        finally:
            self._readers.discard(reader)

    async def run(self) -> None:
        """Scan until cancelled."""
        while True:
            reason = await self._scan_once()
            self._vain += 1
            self.counts.restarts += 1
            if self._vain > self._limits.deaf_after_restarts and not self._deaf:
                self._deaf = True
                self._tell(active=True, detail=reason)
            pause = self._limits.restart_backoff_s * 2 ** min(self._vain - 1, 16)
            await self._clock.sleep(min(pause, self._limits.restart_backoff_cap_s))

    async def _scan_once(self) -> str:
        """Scan until the scan fails or goes silent; says which."""
        scanner = BleakScanner(self._on_advertisement, backend=self._backend)
        try:
            async with deadline("start of the scan", self._limits.scan_start_s):
                await scanner.start()
        except LinkError as error:
            self.counts.start_failures += 1
            return str(error)
        try:
            self._heard_at = self._clock.monotonic()
            while self._clock.monotonic() - self._heard_at < self._limits.silence_s:
                await self._clock.sleep(self._limits.watchdog_interval_s)
        finally:
            await self._stop(scanner)
        return f"no advertisement from any device for {self._limits.silence_s:g} s"

    async def _stop(self, scanner: BleakScanner) -> None:
        try:
            async with deadline("end of the scan", self._limits.scan_start_s):
                await scanner.stop()
        except LinkError:
            # The next start says whether the adapter still works.
            self.counts.stop_failures += 1

    def _on_advertisement(self, device: BLEDevice, data: AdvertisementData) -> None:
        self.counts.advertisements += 1
        self._heard_at = self._clock.monotonic()
        self._vain = 0
        if self._deaf:
            self._deaf = False
            self._tell(active=False, detail="")
        peer = Peer(
            address=device.address,
            name=data.local_name or device.name or "",
            services=tuple(uuid.lower() for uuid in data.service_uuids),
        )
        sighting = Sighting(peer=peer, device=device, rssi=data.rssi)
        for reader in self._readers:
            if not reader.put(sighting):
                self.counts.sightings_crowded_out += 1

    def _tell(self, *, active: bool, detail: str) -> None:
        if self._on_condition is not None:
            self._on_condition(Condition(code=RADIO_DEAF, active=active, detail=detail))
