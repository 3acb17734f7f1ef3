"""The station's BLE radio: one scanner for all, connections one at a time.

Works on the machine's adapter, or on any bleak backend that is handed in. bleak's own
time-outs are not relied on; see ``ble_errors.deadline``.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bleak import BleakClient
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner
from bleak_retry_connector import (
    BleakNotFoundError,
    BleakOutOfConnectionSlotsError,
    establish_connection,
)

from gateway.errors import LinkError, LinkTimeoutError
from gateway.ports.clock import Clock
from gateway.ports.devices import Condition
from gateway.transports.ble_errors import deadline
from gateway.transports.ble_limits import DEFAULT_LIMITS, RadioLimits
from gateway.transports.ble_link import BOND_FIRST, BleLink
from gateway.transports.ble_scan import BleScan, ScanCounts, Sighting

__all__ = ["BleLink", "BleRadio", "RadioCounts", "RadioLimits", "Sighting"]

# What the retry connector writes to its debug log in place of a device's name, because
# people name their devices after themselves.
_ANONYMOUS = "device"


@dataclass(slots=True)
class RadioCounts:
    """Connections since the start."""

    connected: int = 0
    failed: int = 0


class BleRadio:
    """Scans, hands out sightings, connects.

    Args:
        clock: time of reception, watchdog.
        scanner_backend: bleak scanner class in place of the platform's.
        client_backend: bleak client class in place of the platform's.
        limits: deadlines and sizes.
        on_condition: told of ``radio-deaf``, ``link-stuck`` and ``receive-overflow``.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        scanner_backend: type[BaseBleakScanner] | None = None,
        client_backend: type[BaseBleakClient] | None = None,
        limits: RadioLimits = DEFAULT_LIMITS,
        on_condition: Callable[[Condition], None] | None = None,
    ) -> None:
        self.counts = RadioCounts()
        self._clock = clock
        self._client_backend = client_backend
        self._limits = limits
        self._on_condition = on_condition
        self._scan = BleScan(
            clock=clock,
            backend=scanner_backend,
            limits=limits,
            on_condition=on_condition,
        )
        self._links: list[BleLink] = []
        self._connecting = asyncio.Semaphore(limits.concurrent_connects)

    @property
    def scan_counts(self) -> ScanCounts:
        """What the scanner has been through."""
        return self._scan.counts

    @property
    def deaf(self) -> bool:
        """Whether the scanner hears nothing although it was restarted."""
        return self._scan.deaf

    async def run(self) -> None:
        """Scan until cancelled. Without it there are no sightings."""
        await self._scan.run()

    def sightings(self) -> AsyncIterator[Sighting]:
        """Sightings as they come, without end; several readers are served alike."""
        return self._scan.sightings()

    def expects(self, address: str) -> bool:
        """Whether a link with the device is open or being made.

        Only such a device may pair with the station; see ``pairing_agent``.
        """
        return any(
            link.peer.address.upper() == address.upper() and not link.closed
            for link in self._links
        )

    async def connect(
        self, sighting: Sighting, *, quirks: Mapping[str, object] | None = None
    ) -> BleLink:
        """Connect and discover; the caller must ``close`` the link.

        Args:
            sighting: a recent one; BlueZ forgets a device soon after its last
                advertisement.
            quirks: ``subscribe_delay_s`` and ``bond_first`` are looked at.

        Raises:
            LinkTimeoutError: The device, or the queue before the adapter, did not
                answer in time.
            LinkRefusedError: Refused, such as a pairing by ``bond_first``.
            LinkClosedError: Gone, or the adapter is.
            ValueError: A quirk has no sense.
        """
        link = BleLink(
            sighting.peer,
            clock=self._clock,
            limits=self._limits,
            quirks=quirks,
            on_condition=self._on_condition,
        )
        self._links = [known for known in self._links if not known.closed]
        self._links.append(link)
        try:
            async with deadline("wait for the adapter", self._limits.connect_queue_s):
                await self._connecting.acquire()
            try:
                client = await self._establish(sighting, link)
            finally:
                self._connecting.release()
            link.attach(client)
            if (quirks or {}).get(BOND_FIRST):
                await link.pair()
        except BaseException as error:
            await link.close()
            if isinstance(error, LinkError):
                self.counts.failed += 1
            raise
        self.counts.connected += 1
        return link

    async def _establish(self, sighting: Sighting, link: BleLink) -> BleakClient:
        options: dict[str, Any] = {}
        if self._client_backend is not None:
            options["backend"] = self._client_backend
        try:
            async with deadline("connect", self._limits.connect_s):
                return await establish_connection(
                    BleakClient,
                    sighting.device,
                    _ANONYMOUS,
                    disconnected_callback=link.on_disconnected,
                    max_attempts=self._limits.connect_attempts,
                    **options,
                )
        except LinkError as error:
            # The retry connector wraps a time-out into errors of its own.
            if isinstance(
                error.__cause__, BleakNotFoundError | BleakOutOfConnectionSlotsError
            ):
                raise LinkTimeoutError(
                    "connect: the device does not answer"
                ) from error.__cause__
            raise
