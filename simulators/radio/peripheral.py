"""The part that all simulated peripherals share: radio, link, services, misbehaviour.

A family (``simulators.radio.blood_pressure`` …) says which services it has and what it
does while somebody is connected; this class advertises while there is something to
tell, accepts one central, answers, pushes values, and ends the link when idle.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from bumble import hci
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Service
from bumble.gatt_server import Server
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink

from firmware_protocols.gatt.battery import BatteryLevel
from firmware_protocols.gatt.device_information import DeviceText
from simulators.radio.attributes import (
    Need,
    OctetCharacteristic,
    Properties,
    guard_subscription,
    readable,
)
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.link import RadioController
from simulators.radio.pairing import PeripheralPairing

ADVERTISEMENT_SIZE = 31
"""Octets of a legacy advertisement (Core specification, volume 6, B, 2.3.1.1)."""
FAST_INTERVAL_MS = 100.0
"""Advertising interval; health devices use 20 to 150 ms while connectable."""

_DIS, _BATTERY = 0x180A, 0x180F


class _AnsweringDevice(Device):
    """A bumble device whose attribute server can be slow or dumb."""

    owner: "SimulatedPeripheral"

    def on_gatt_pdu(self, connection: int, pdu: bytes) -> None:
        """Pass a request or a confirmation on, late or not at all."""
        behaviour = self.owner.behaviour
        self.owner.touch()
        if behaviour.silent:
            return
        if behaviour.answer_delay_s:
            asyncio.get_running_loop().call_later(
                behaviour.answer_delay_s, super().on_gatt_pdu, connection, pdu
            )
        else:
            super().on_gatt_pdu(connection, pdu)


class SimulatedPeripheral:
    """A device that is off until it is added to a ``VirtualRadio``.

    Args:
        identity: name and Device Information.
        services: advertised 16-bit service UUIDs.
        behaviour: how it misbehaves.
        need: what reading, writing and subscribing to health values needs.
        passkey: shown on its display at pairing; None = Just Works.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        services: Sequence[int],
        behaviour: Behaviour | None = None,
        need: Need = Need.NOTHING,
        passkey: int | None = None,
    ) -> None:
        self.identity = identity
        self.behaviour = behaviour or Behaviour()
        self.need = need
        self.values_sent = 0
        self.connections = 0
        self._advertised = tuple(services)
        self._pairing = PeripheralPairing(self.behaviour, passkey)
        self._device: Device | None = None
        self._controller: RadioController | None = None
        self._connection: Connection | None = None
        self._gone = asyncio.Event()
        self._stirred = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- what a family provides -------------------------------------------------------

    def health_services(self) -> list[Service]:
        """The family's services; the identity's are added."""
        raise NotImplementedError

    def has_something(self) -> bool:
        """Whether it would advertise now."""
        return False

    async def serve(self) -> None:
        """Do one piece of work while connected; return at once when there is none."""

    # --- for the outside --------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a central is connected."""
        return self._connection is not None

    @property
    def bonded(self) -> bool:
        """Whether the present link is encrypted."""
        return self._connection is not None and bool(self._connection.encryption)

    async def drop_link(self) -> None:
        """End the link at once, as a device does that is switched off."""
        if self._connection is not None:
            await self._connection.disconnect()

    async def forget_bonds(self) -> None:
        """Lose all keys, as after a change of the battery."""
        if self._device is not None and self._device.keystore is not None:
            await self._device.keystore.delete_all()

    async def start(self, link: LocalLink, address: str) -> None:
        """Power up on a link."""
        random = hci.Address(address, hci.Address.RANDOM_DEVICE_ADDRESS)
        controller = RadioController(self.identity.name, link=link)
        controller.claim_only_what_works()
        device = _AnsweringDevice(
            config=DeviceConfiguration(name=self.identity.name, address=random),
            host=Host(controller, AsyncPipeSink(controller)),
        )
        device.owner = self
        device.pairing_config_factory = lambda _connection: self._pairing.config()
        services = [*self.health_services(), *self._identity_services()]
        push = Properties.NOTIFY | Properties.INDICATE
        for characteristic in (c for s in services for c in s.characteristics):
            if characteristic.properties & push:
                guard_subscription(device.gatt_server, characteristic, self.need)
        device.add_services(services)
        device.advertising_data = self._advertisement()
        device.on(Device.EVENT_CONNECTION, self._on_connection)
        device.gatt_server.on(
            Server.EVENT_CHARACTERISTIC_SUBSCRIPTION, self._on_subscription
        )
        self._device, self._controller = device, controller
        await device.power_on()
        await self.refresh()

    async def stop(self) -> None:
        """Power down and leave the link; pending work is cancelled."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._device is None or self._controller is None:
            return
        if self._connection is not None:
            await self._connection.disconnect()
        await self._device.stop_advertising()
        await self._device.power_off()
        self._controller.link.remove_controller(self._controller)
        self._device = self._controller = None

    async def refresh(self) -> None:
        """Advertise, or stop it, by whether there is something to tell."""
        if self._device is None or self._connection is not None:
            return
        wanted = self.behaviour.stays_on or self.has_something()
        if wanted and not self._device.is_advertising:
            await self._device.start_advertising(
                advertising_interval_min=FAST_INTERVAL_MS,
                advertising_interval_max=FAST_INTERVAL_MS,
            )
        elif not wanted and self._device.is_advertising:
            await self._device.stop_advertising()

    def stir(self) -> None:
        """There is new work for ``serve``."""
        self.touch()

    def touch(self) -> None:
        """Something happened on the link: the idle time begins anew."""
        self._stirred.set()

    # --- for families -----------------------------------------------------------------

    def subscribed(self, characteristic: OctetCharacteristic) -> bool:
        """Whether the connected central wants the characteristic's values."""
        if self._device is None or self._connection is None:
            return False
        cccds = self._device.gatt_server.subscribers.get(self._connection, {})
        return any(cccds.get(characteristic.handle, b"\0\0"))

    async def push(self, characteristic: OctetCharacteristic, value: bytes) -> bool:
        """Notify or indicate; True when it went out and, if indicated, was confirmed.

        A link that drops meanwhile gives False, at once.
        """
        if not self.subscribed(characteristic):
            return False
        if self.behaviour.value_delay_s:
            await asyncio.sleep(self.behaviour.value_delay_s)
        device, connection = self._device, self._connection
        if device is None or connection is None:
            return False
        if characteristic.properties & Properties.INDICATE:
            if not await self._confirmed(
                device.indicate_subscriber(connection, characteristic, value)
            ):
                return False
        else:
            await device.notify_subscriber(connection, characteristic, value)
        self.values_sent += 1
        self.touch()
        await self._perhaps_drop()
        return True

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run beside the link; cancelled when the device is stopped."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- inside -----------------------------------------------------------------------

    async def _confirmed(self, indication: Coroutine[Any, Any, None]) -> bool:
        """Wait for the confirmation, or for the end of the link."""
        sending = asyncio.ensure_future(indication)
        ending = asyncio.ensure_future(self._gone.wait())
        try:
            done, _ = await asyncio.wait(
                {sending, ending}, return_when=asyncio.FIRST_COMPLETED
            )
            return sending in done and sending.exception() is None
        finally:
            for task in (sending, ending):
                task.cancel()
            await asyncio.gather(sending, ending, return_exceptions=True)

    async def _perhaps_drop(self) -> None:
        left = self.behaviour.drop_after_values
        if left is None:
            return
        self.behaviour.drop_after_values = left - 1 if left > 1 else None
        if left <= 1:
            await self.drop_link()

    def _on_connection(self, connection: Connection) -> None:
        self._connection = connection
        self.connections += 1
        self._gone.clear()
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        self.spawn(self._session(connection))

    def _on_subscription(self, *_what: object) -> None:
        self.stir()

    def _on_disconnection(self, _reason: int) -> None:
        self._connection = None
        self._gone.set()
        self.touch()

    async def _session(self, connection: Connection) -> None:
        """Serve one central until the link ends, then advertise again if need be."""
        while self._connection is connection:
            self._stirred.clear()
            await self.serve()
            if self._connection is not connection:
                break
            if self._stirred.is_set():
                continue
            try:
                async with asyncio.timeout(self.behaviour.idle_disconnect_s):
                    await self._stirred.wait()
            except TimeoutError:
                await connection.disconnect()
        await self.refresh()

    def _identity_services(self) -> list[Service]:
        identity = self.identity
        texts = {
            0x2A29: identity.manufacturer,
            0x2A24: identity.model,
            0x2A25: identity.serial,
            0x2A26: identity.firmware,
        }
        services = [
            Service(
                UUID.from_16_bits(_DIS),
                [
                    readable(uuid, DeviceText.from_text(text).to_bytes())
                    for uuid, text in texts.items()
                    if text
                ],
            )
        ]
        if identity.battery is not None:
            level = BatteryLevel(level=identity.battery).to_bytes()
            services.append(
                Service(UUID.from_16_bits(_BATTERY), [readable(0x2A19, level)])
            )
        return services

    def _advertisement(self) -> bytes:
        """Flags, services and name in one legacy advertisement.

        Raises:
            ValueError: The name is too long.
        """
        uuids = b"".join(uuid.to_bytes(2, "little") for uuid in self._advertised)
        data = bytes(
            AdvertisingData(
                [
                    (AdvertisingData.FLAGS, bytes([0x06])),
                    (
                        AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
                        uuids,
                    ),
                    (AdvertisingData.COMPLETE_LOCAL_NAME, self.identity.name.encode()),
                ]
            )
        )
        if len(data) > ADVERTISEMENT_SIZE:
            raise ValueError("the advertised name is too long for an advertisement")
        return data
