"""Tells each station whose its devices and cards are: ``down/config``.

Sent when a station comes online and when records change; never retained, since it maps
devices to people (pseudonyms). The broker keeps it for a station that is away.
"""

import asyncio
import json
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from gateway.database.engine import Database
from gateway.database.tables import device, device_slot, resident
from gateway.errors import LinkError, StorageError
from gateway.hub.intake import AckPublisher
from gateway.hub.stations import StationDirectory
from gateway.ports.clock import Clock
from gateway.wire.batch import SCHEMA, StationConfig, StationStatus
from gateway.wire.seal import Signer
from gateway.wire.topics import StationTopics

# Cards one message may carry: a community's, at 80 bytes each within the size limit.
MAX_CARDS: Final = 8_000
RETRY_S: Final = 2.0


class ConfigSender:
    """Runs until cancelled."""

    def __init__(
        self,
        database: Database,
        stations: StationDirectory,
        publisher: AckPublisher,
        *,
        signer: Signer,
        clock: Clock,
    ) -> None:
        self._database = database
        self._stations = stations
        self._publisher = publisher
        self._signer = signer
        self._clock = clock
        self._online: set[str] = set()
        self._due: set[str] = set()
        self._news = asyncio.Event()

    def heard(self, status: StationStatus) -> None:
        """A status message was committed."""
        if not status.online:
            self._online.discard(status.station)
        elif status.station not in self._online:
            self._online.add(status.station)
            self._due.add(status.station)
            self._news.set()

    def records_changed(self) -> None:
        """Devices, residents or stations were changed: tell every station online."""
        self._due |= self._online
        self._news.set()

    async def run(self) -> None:
        """Send what is due until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            due, self._due = self._due, set()
            for station in sorted(due):
                try:
                    await self.send(station)
                except (LinkError, StorageError):
                    self._due.add(station)
            if self._due:
                await self._clock.sleep(RETRY_S)
                self._news.set()

    async def send(self, station: str) -> None:
        """Send one station its configuration.

        Raises:
            LinkError: the broker cannot be reached.
            StorageError: the records cannot be read.
        """
        known = await self._stations.find(station)
        if known is None:
            return
        slots, cards = await self._database.read(lambda c: _load(c, station))
        config = StationConfig(
            schema=SCHEMA,
            version=int(self._clock.now().timestamp()),
            slots=slots,
            cards=cards,
        )
        topic = StationTopics(known.site, station).down("config")
        body = msgspec.json.encode(config)
        await self._publisher.publish(topic, self._signer.seal(topic, body), qos=1)


def _load(
    connection: Connection, station: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Slots of the devices at this station or at none in particular; all cards."""
    rows = connection.execute(
        select(device_slot.c.device, device_slot.c.slot, device_slot.c.resident)
        .join(device, device.c.id == device_slot.c.device)
        .where(device.c.station.in_((station, "")))
    )
    slots = {f"{row.device}#{row.slot}": row.resident for row in rows}
    cards: dict[str, str] = {}
    held = connection.execute(
        select(resident.c.id, resident.c.cards).where(resident.c.cards != "[]")
    )
    for row in held:
        for card in json.loads(row.cards):
            if len(cards) < MAX_CARDS:
                cards[card] = row.id
    return slots, cards
