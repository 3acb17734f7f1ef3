"""A room full of simulated peripherals, and the centrals that listen to it."""

from types import TracebackType
from typing import Self

from bumble import hci
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink, TransportSink, TransportSource

from simulators.radio.link import RadioController, RadioLink
from simulators.radio.pairing import AskPasskey, CentralPairing
from simulators.radio.peripheral import SimulatedPeripheral

MOST_PERIPHERALS = 0xFFFF
"""Addresses are numbered in two octets."""
_CENTRAL_ADDRESS = "F0:00:00:00:00:01"


class VirtualRadio:
    """Peripherals and centrals on one link; ``async with`` powers all down at the end.

    Works in one process without hardware. ``attach_hci`` lends the room to another
    host, such as BlueZ in a virtual machine.
    """

    def __init__(self) -> None:
        self.link = RadioLink()
        self.peripherals: list[SimulatedPeripheral] = []
        self._added = 0
        self._centrals: list[tuple[Device, RadioController]] = []
        self._lent: list[RadioController] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def add(self, *peripherals: SimulatedPeripheral) -> None:
        """Bring peripherals into the room, each under an address of its own.

        Raises:
            ValueError: The room has seen 65,535 peripherals.
        """
        for peripheral in peripherals:
            self._added += 1
            if self._added > MOST_PERIPHERALS:
                raise ValueError("the room is full")
            high, low = divmod(self._added, 256)
            await peripheral.start(self.link, f"C0:DE:00:00:{high:02X}:{low:02X}")
            self.peripherals.append(peripheral)

    async def remove(self, peripheral: SimulatedPeripheral) -> None:
        """Take a peripheral out of the room."""
        self.peripherals.remove(peripheral)
        await peripheral.stop()

    async def central(
        self,
        *,
        address: str = _CENTRAL_ADDRESS,
        ask_passkey: AskPasskey | None = None,
    ) -> Device:
        """A powered central in the room, for ``simulators.ble_backend``.

        Args:
            address: two centrals in one room need different ones.
            ask_passkey: asked for the digits on a peripheral's display; without it the
                central can do Just Works only.
        """
        controller = RadioController("central", link=self.link)
        controller.claim_only_what_works()
        device = Device(
            config=DeviceConfiguration(
                name="central",
                address=hci.Address(address, hci.Address.RANDOM_DEVICE_ADDRESS),
            ),
            host=Host(controller, AsyncPipeSink(controller)),
        )
        pairing = CentralPairing(ask_passkey)
        device.pairing_config_factory = lambda _connection: pairing.config()
        await device.power_on()
        self._centrals.append((device, controller))
        return device

    def attach_hci(
        self, source: TransportSource, sink: TransportSink, *, public_address: str
    ) -> None:
        """Give another host, at the far end of an HCI transport, a controller here."""
        controller = RadioController(
            "lent",
            host_source=source,
            host_sink=sink,
            link=self.link,
            public_address=public_address,
        )
        controller.claim_only_what_works()
        self._lent.append(controller)

    async def close(self) -> None:
        """Power everything down."""
        for peripheral in list(self.peripherals):
            await self.remove(peripheral)
        for device, controller in self._centrals:
            await device.power_off()
            self.link.remove_controller(controller)
        for controller in self._lent:
            self.link.remove_controller(controller)
        self._centrals.clear()
        self._lent.clear()
