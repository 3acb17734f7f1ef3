"""The scanning half of ``simulators.ble_backend``: bumble's reports as bleak's."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import ClassVar, cast

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_str
from bumble import att
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Advertisement, Device

_SERVICE_LISTS = (
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)
_SERVICE_DATA = (
    AdvertisingData.SERVICE_DATA_16_BIT_UUID,
    AdvertisingData.SERVICE_DATA_128_BIT_UUID,
)


class SharedCentral:
    """What scanners and clients of one bumble device share."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.scanners = 0
        # HCI allows one LE Create Connection at a time.
        self.connecting = asyncio.Lock()


@contextlib.contextmanager
def bleak_errors() -> Iterator[None]:
    """Map bumble's errors to bleak's."""
    try:
        yield
    except att.ATT_Error as error:
        raise BleakGATTProtocolError(int(error.error_code)) from error
    except (BaseBumbleError, TimeoutError) as error:
        raise BleakError(f"{type(error).__name__}: {error}") from error


def uuid_text(uuid: UUID) -> str:
    """Bumble's UUID as bleak writes it: 128 bits, lower case."""
    text = uuid.to_hex_str("-").lower()
    return normalize_uuid_str(text)


def _advertisement(advertisement: Advertisement) -> AdvertisementData:
    data = advertisement.data
    services: list[str] = []
    for kind in _SERVICE_LISTS:
        for uuids in data.get_all(kind):
            services += [uuid_text(uuid) for uuid in cast("list[UUID]", uuids)]
    service_data: dict[str, bytes] = {}
    for kind in _SERVICE_DATA:
        for uuid, octets in cast("list[tuple[UUID, bytes]]", data.get_all(kind)):
            service_data[uuid_text(uuid)] = bytes(octets)
    manufacturers = data.get_all(AdvertisingData.MANUFACTURER_SPECIFIC_DATA)
    name = data.get(AdvertisingData.COMPLETE_LOCAL_NAME) or data.get(
        AdvertisingData.SHORTENED_LOCAL_NAME
    )
    power = data.get(AdvertisingData.TX_POWER_LEVEL)
    return AdvertisementData(
        local_name=str(name) if name is not None else None,
        manufacturer_data={company: bytes(octets) for company, octets in manufacturers},
        service_data=service_data,
        service_uuids=list(dict.fromkeys(services)),
        tx_power=power if isinstance(power, int) else None,
        rssi=advertisement.rssi,
        platform_data=(advertisement,),
    )


class BumbleScanner(BaseBleakScanner):
    """Scans with the central that ``backends_for`` has bound it to."""

    central: ClassVar[SharedCentral]

    def __init__(
        self,
        detection_callback: Callable[[BLEDevice, AdvertisementData], None] | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_options: object,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode != "passive"
        self._running = False

    async def start(self) -> None:
        """Start scanning; several scanners share the controller's one scan."""
        if self._running:
            raise BleakError("the scanner is running already")
        self.seen_devices = {}
        device = self.central.device
        self._running = True
        self.central.scanners += 1
        device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        try:
            if not device.is_scanning:
                with bleak_errors():
                    await device.start_scanning(
                        active=self._active, filter_duplicates=False
                    )
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop; the controller goes on scanning for the other scanners."""
        if not self._running:
            return
        self._running = False
        device = self.central.device
        device.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        self.central.scanners -= 1
        if self.central.scanners == 0 and device.is_scanning:
            with bleak_errors():
                await device.stop_scanning()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        data = _advertisement(advertisement)
        if not self.is_allowed_uuid(data.service_uuids):
            return
        address = advertisement.address.to_string(with_type_qualifier=False)
        device = self.create_or_update_device(
            address, address, data.local_name, {"bumble": advertisement.address}, data
        )
        self.call_detection_callbacks(device, data)
