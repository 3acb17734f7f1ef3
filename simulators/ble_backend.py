"""A bleak backend on a bumble central: bleak itself, unchanged, on the virtual radio.

::

    scanner, client = backends_for(await radio.central())
    BleakScanner(backend=scanner)
    BleakClient(device, backend=client)

Errors are those that bleak documents: an ATT error is ``BleakGATTProtocolError``, a
connection that does not come about is the builtin ``TimeoutError``, and everything else
of bumble's is ``BleakError``. As with other platforms and unlike BlueZ, pairing is the
caller's: an encrypted value that is read without gives ATT error 0x0F.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar, cast

from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError
from bumble import att, hci
from bumble.core import BaseBumbleError
from bumble.device import Connection, Device, Peer
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy, ServiceProxy

from simulators.ble_scanner import (
    BumbleScanner,
    SharedCentral,
    bleak_errors,
    uuid_text,
)

MTU = 247
"""What BlueZ asks for with most adapters; larger values than 20 octets fit one PDU."""

CANCEL_S = 1.0
"""Until the controller has taken a pending connection back."""

_Properties = Characteristic.Properties
_PROPERTY_NAMES: dict[_Properties, CharacteristicPropertyName] = {
    _Properties.BROADCAST: "broadcast",
    _Properties.READ: "read",
    _Properties.WRITE_WITHOUT_RESPONSE: "write-without-response",
    _Properties.WRITE: "write",
    _Properties.NOTIFY: "notify",
    _Properties.INDICATE: "indicate",
    _Properties.AUTHENTICATED_SIGNED_WRITES: "authenticated-signed-writes",
    _Properties.EXTENDED_PROPERTIES: "extended-properties",
}


class BumbleClient(BaseBleakClient):
    """Connects with the central that ``backends_for`` has bound it to."""

    central: ClassVar[SharedCentral]

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        *,
        disconnected_callback: Callable[[], None] | None = None,
        timeout: float,
        **_options: object,
    ) -> None:
        super().__init__(
            address_or_ble_device,
            disconnected_callback=disconnected_callback,
            timeout=timeout,
        )
        self._target: hci.Address | None = None
        self._name: str | None = None
        if isinstance(address_or_ble_device, BLEDevice):
            self._target = address_or_ble_device.details["bumble"]
            self._name = address_or_ble_device.name
        self._only = services
        self._connection: Connection | None = None
        self._callbacks: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        """The advertised name, or the address with dashes."""
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """The negotiated MTU."""
        return self._connection.att_mtu if self._connection else att.ATT_DEFAULT_MTU

    @property
    def is_connected(self) -> bool:
        """Whether the link stands."""
        return self._connection is not None

    async def connect(self, pair: bool, **options: Any) -> None:  # noqa: ANN401, FBT001 - bleak's signature
        """Connect, restore the bond's encryption or pair, and discover.

        Raises:
            TimeoutError: The device does not answer.
            BleakDeviceNotFoundError: Only an address is known, and it is not here.
        """
        if self._connection is not None:
            raise BleakError("Client is already connected")
        limit = float(options.get("timeout", self._timeout))
        target = self._target or await self._find(limit)
        async with self.central.connecting:
            try:
                connection = await self._connect_le(target, limit)
            except (BaseBumbleError, TimeoutError) as error:
                raise TimeoutError(f"connect: {error}") from error
        self._connection = connection
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        try:
            async with self._asking():
                await self._secure(connection, wanted=pair)
                peer = Peer(connection)
                await peer.request_mtu(MTU)
                await peer.discover_services()
                self.services = await self._collect(peer)
        except BaseException:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        """End the link, if there is one."""
        connection = self._connection
        if connection is None:
            return
        try:
            with bleak_errors():
                await connection.disconnect()
        except BleakError:
            # Both sides ended it at the same time.
            if self._connection is not None:
                raise

    async def pair(self, *_args: Any, **_options: Any) -> None:  # noqa: ANN401 - bleak's signature
        """Pair and bond."""
        async with self._asking() as connection:
            await connection.pair()

    async def unpair(self) -> None:
        """Forget the bond and disconnect."""
        keystore, target = self.central.device.keystore, self._target
        if keystore is not None and target is not None:
            await keystore.delete(str(target))
        await self.disconnect()

    async def read_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        *,
        use_cached: bool = False,
        **_options: Any,  # noqa: ANN401 - bleak's signature
    ) -> bytearray:
        """Read a value; nothing is cached, whatever ``use_cached`` says."""
        del use_cached
        async with self._asking():
            return bytearray(await _proxy(characteristic).read_value())

    async def read_gatt_descriptor(
        self,
        descriptor: BleakGATTDescriptor,
        *,
        use_cached: bool = False,
        **_options: Any,  # noqa: ANN401 - bleak's signature
    ) -> bytearray:
        """Read a descriptor."""
        del use_cached
        async with self._asking():
            return bytearray(await descriptor.obj.read_value())

    async def write_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        data: SizedBuffer,
        response: bool,  # noqa: FBT001 - bleak's signature
    ) -> None:
        """Write a value."""
        async with self._asking():
            await _proxy(characteristic).write_value(
                bytes(data), with_response=response
            )

    async def write_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, data: SizedBuffer
    ) -> None:
        """Write a descriptor."""
        async with self._asking():
            await descriptor.obj.write_value(bytes(data), with_response=True)

    async def start_notify(
        self,
        characteristic: BleakGATTCharacteristic,
        callback: Callable[[bytearray], None],
        **_options: Any,  # noqa: ANN401 - bleak's signature
    ) -> None:
        """Subscribe, to notifications where there are both."""

        def on_value(value: bytes) -> None:
            callback(bytearray(value))

        proxy = _proxy(characteristic)
        try:
            async with self._asking():
                await proxy.client.subscribe(proxy, on_value)
        except BleakError:
            # bumble has it already, so that a second try would deliver all twice.
            for known in (
                proxy.client.notification_subscribers,
                proxy.client.indication_subscribers,
            ):
                known.get(proxy.handle, set()).discard(on_value)
            raise
        self._callbacks[characteristic.handle] = on_value

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Unsubscribe."""
        callback = self._callbacks.pop(characteristic.handle, None)
        async with self._asking():
            proxy = _proxy(characteristic)
            await proxy.client.unsubscribe(proxy, callback)

    async def _connect_le(self, target: hci.Address, limit: float) -> Connection:
        """Connect; when cancelled, take the pending connection back as well.

        Left alone, bumble leaves it pending in the controller, and every later
        connection is refused with COMMAND_DISALLOWED.
        """
        device = self.central.device
        pending = asyncio.ensure_future(device.connect_le(target, timeout=limit))
        try:
            return await asyncio.shield(pending)
        except asyncio.CancelledError:
            with contextlib.suppress(BaseBumbleError):
                await device.cancel_connection()  # type: ignore[no-untyped-call] # bumble's has no types
            await asyncio.wait({pending}, timeout=CANCEL_S)
            if not pending.done():
                pending.cancel()
            elif not pending.cancelled() and pending.exception() is None:
                # It came about at the last moment.
                await pending.result().disconnect()
            raise

    async def _find(self, limit: float) -> hci.Address:
        """Look for an address of which only the text is known."""
        found: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()

        def on_device(device: BLEDevice, _data: AdvertisementData) -> None:
            if device.address.upper() == self.address.upper() and not found.done():
                found.set_result(device)

        kind = type("BoundScanner", (BumbleScanner,), {"central": self.central})
        scanner = kind(on_device, None, "active")
        await scanner.start()
        try:
            async with asyncio.timeout(limit):
                device = await found
        except TimeoutError as error:
            raise BleakDeviceNotFoundError(self.address, "not found") from error
        finally:
            await scanner.stop()
        self._name = device.name
        self._target = target = cast("hci.Address", device.details["bumble"])
        return target

    async def _secure(self, connection: Connection, *, wanted: bool) -> None:
        """Encrypt with the bond's key as an operating system does; else pair."""
        keystore = self.central.device.keystore
        bonded = (
            keystore is not None
            and await keystore.get(str(connection.peer_address)) is not None
        )
        if bonded:
            try:
                await connection.encrypt()
            except hci.HCI_Error as error:
                raise BleakError("the device has lost its bond") from error
        elif wanted:
            await connection.pair()

    async def _collect(self, peer: Peer) -> BleakGATTServiceCollection:
        collection = BleakGATTServiceCollection()
        for service in peer.services:
            uuid = uuid_text(service.uuid)
            if self._only is None or uuid in self._only:
                await self._collect_service(collection, service, uuid)
        return collection

    async def _collect_service(
        self,
        collection: BleakGATTServiceCollection,
        service: ServiceProxy,
        uuid: str,
    ) -> None:
        owner = BleakGATTService(service, service.handle, uuid)
        collection.add_service(owner)
        await service.discover_characteristics()
        for proxy in service.characteristics:
            await proxy.discover_descriptors()
            characteristic = BleakGATTCharacteristic(
                proxy,
                proxy.handle,
                uuid_text(proxy.uuid),
                [n for p, n in _PROPERTY_NAMES.items() if proxy.properties & p],
                lambda: self.mtu_size - 3,
                owner,
            )
            collection.add_characteristic(characteristic)
            for descriptor in proxy.descriptors:
                collection.add_descriptor(
                    BleakGATTDescriptor(
                        descriptor,
                        descriptor.handle,
                        uuid_text(descriptor.type),
                        characteristic,
                    )
                )

    def _on_disconnection(self, _reason: int) -> None:
        self._connection = None
        self.services = None
        self._callbacks.clear()
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    def _require(self) -> Connection:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[Connection]:
        """A request that ends with ``BleakError`` when the link does.

        Left alone, bumble cancels the waiting task of an attribute request, which
        then looks as if somebody had cancelled it, and lets a pairing wait on.
        """
        connection = self._require()
        task = asyncio.current_task()
        gone = False

        def on_gone(_reason: int) -> None:
            nonlocal gone
            gone = True
            if task is not None:
                task.cancel()

        connection.once(Connection.EVENT_DISCONNECTION, on_gone)
        try:
            with bleak_errors():
                yield connection
        except asyncio.CancelledError:
            if not gone or task is None or task.uncancel() > 0:
                raise
            raise BleakError("disconnected") from None
        finally:
            if not gone:
                connection.remove_listener(Connection.EVENT_DISCONNECTION, on_gone)


def _proxy(characteristic: BleakGATTCharacteristic) -> CharacteristicProxy[bytes]:
    return cast("CharacteristicProxy[bytes]", characteristic.obj)


def backends_for(
    central: Device,
) -> tuple[type[BaseBleakScanner], type[BaseBleakClient]]:
    """Scanner and client classes for bleak's ``backend=``, bound to a central."""
    bound = {"central": SharedCentral(central), "__module__": __name__}
    scanner = type("BumbleScanner", (BumbleScanner,), bound)
    client = type("BumbleClient", (BumbleClient,), bound)
    return scanner, client
