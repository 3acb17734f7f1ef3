"""What a kiosk board is and what its host has set, and how it answers about it."""

from dataclasses import dataclass
from datetime import datetime

from firmware_protocols.lepu.pc300 import HostCommand
from firmware_protocols.lepu.pc300.commands import CommandName
from firmware_protocols.lepu.pc300.ecg_module import EcgVersion
from firmware_protocols.lepu.pc300.glucose import GlucometerType, GlucometerTypeReport
from firmware_protocols.lepu.pc300.nibp import NibpMode, NibpModeReport
from firmware_protocols.lepu.pc300.settings import (
    EcgSampleBits,
    SetCustomerId,
    SetGlucometerType,
    SetNibpMode,
    SetTemperatureMode,
    SetTime,
)
from firmware_protocols.lepu.pc300.system import (
    Acknowledgement,
    Charge,
    CustomerId,
    ProductName,
    VersionBattery,
    VersionFrame,
)
from firmware_protocols.lepu.pc300.temperature import (
    TemperatureMode,
    TemperatureModeReport,
    TemperatureUnit,
)
from firmware_protocols.lepu.record import Record


@dataclass(slots=True, kw_only=True)
class KioskSetup:
    """Identity and settings of one board.

    Attributes:
        clock: The time the host has set last, or None.
    """

    name: str
    serial: str
    battery_level: int = 3
    charging: Charge = Charge.NOT_CHARGING
    clock: datetime | None = None
    customer_id: int = 0
    nibp_mode: NibpMode = NibpMode.ADULT
    temperature_mode: TemperatureMode = TemperatureMode.ADULT_FOREHEAD
    temperature_unit: TemperatureUnit = TemperatureUnit.CELSIUS
    meter: GlucometerType = GlucometerType.AIAOLE
    ecg_bits: int = 12

    def apply(self, command: HostCommand) -> Record | None:
        """Take a setting; what the board answers, None for nothing."""
        match command:
            case SetTime(time=time):
                # The real board does not answer: its hosts set the time whenever they
                # hear FF/03, and an echo would go round for ever.
                self.clock = time
                return None
            case SetNibpMode(mode=nibp_mode):
                self.nibp_mode = nibp_mode
                return NibpModeReport(mode=nibp_mode)
            case SetTemperatureMode(mode=mode, unit=unit):
                self.temperature_mode, self.temperature_unit = mode, unit
            case SetCustomerId(customer_id=customer_id):
                self.customer_id = customer_id
            case SetGlucometerType(meter=meter):
                self.meter = meter
            case EcgSampleBits(bits=bits):
                self.ecg_bits = bits
            case _:
                pass
        frame = command.to_frame()
        return Acknowledgement(token=frame.token, type=frame.type)

    def answer(self, name: CommandName) -> Record | None:
        """The answer to a command that changes nothing."""
        answers: dict[CommandName, Record] = {
            CommandName.HANDSHAKE: ProductName(name=self.name, serial=self.serial),
            CommandName.QUERY_VERSION_V1: self._version("1.2", VersionFrame.FF_02),
            CommandName.QUERY_VERSION_BATTERY_V2: self._version(
                "0.1.2.3", VersionFrame.FF_04
            ),
            CommandName.QUERY_VERSION_BATTERY: self._version(
                "1.2", VersionFrame.OLD_51_01
            ),
            CommandName.QUERY_CUSTOMER_ID: CustomerId(customer_id=self.customer_id),
            CommandName.QUERY_NIBP_MODE: NibpModeReport(mode=self.nibp_mode),
            CommandName.NIBP_CALIBRATE: Acknowledgement(token=0x40, type=0x04),
            CommandName.QUERY_TEMPERATURE_MODE: TemperatureModeReport(
                mode=self.temperature_mode, unit=self.temperature_unit
            ),
            CommandName.QUERY_GLUCOMETER_TYPE: GlucometerTypeReport(meter=self.meter),
            CommandName.CLEAR_GLUCOSE_RECORDS: Acknowledgement(token=0xE5, type=0x01),
            CommandName.QUERY_ECG_VERSION: EcgVersion(sw="1.0", hw="1.0"),
        }
        return answers.get(name)

    def _version(self, sw: str, frame: VersionFrame) -> VersionBattery:
        return VersionBattery(
            sw=sw,
            hw="1.0",
            battery_level=self.battery_level,
            charging=self.charging,
            frame=frame,
        )
