"""Commands of the host to a PC-100/200/300, and how they are read back.

Source: literals of the vendor's own host, viatomEcho/LepuBle and five independent ones.
Commands without arguments are constants of this module, the others classes; each has a
``name``, by which a driver's allow-list admits it.

What inflates a cuff or erases a device is listed in ``INFLATING`` and ``ERASING``: a
gateway never sends these on its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pc300.variant import Variant


class CommandName(StrEnum):
    """Every command by its name."""

    HANDSHAKE = "handshake_query_product_name"
    QUERY_VERSION_V1 = "query_version_v1"
    QUERY_VERSION_BATTERY_V2 = "query_version_battery_v2"
    QUERY_VERSION_BATTERY = "query_version_battery"
    QUERY_CUSTOMER_ID = "query_customer_id"
    SET_CUSTOMER_ID = "set_customer_id"
    SET_TIME = "set_time"
    SPO2_UPLOAD = "spo2_upload"
    SPO2_START = "spo2_start"
    SPO2_STOP = "spo2_stop"
    QUERY_SPO2_STATUS = "query_spo2_status"
    NIBP_START = "nibp_start"
    NIBP_STOP = "nibp_stop"
    NIBP_CALIBRATE = "nibp_calibrate_self_test"
    QUERY_NIBP_MODE = "query_nibp_mode"
    SET_NIBP_MODE = "set_nibp_mode"
    QUERY_NIBP_STATUS = "query_nibp_status"
    QUERY_NIBP_RESULT = "query_nibp_result"
    TEMPERATURE_START = "temperature_start"
    TEMPERATURE_STOP = "temperature_stop"
    QUERY_TEMPERATURE_STATUS = "query_temperature_status"
    QUERY_TEMPERATURE_RESULT = "query_temperature_result"
    QUERY_TEMPERATURE_MODE = "query_temperature_mode"
    SET_TEMPERATURE_MODE = "set_temperature_mode"
    QUERY_GLUCOMETER_TYPE = "query_glucometer_type"
    SET_GLUCOMETER_TYPE = "set_glucometer_type"
    SET_GLUCOSE_UNIT = "set_glucose_unit"
    CLEAR_GLUCOSE_RECORDS = "clear_glucose_records"
    GLUCOSE_START = "glucose_start"
    GLUCOSE_STOP = "glucose_stop"
    QUERY_GLUCOSE_STATUS = "query_glucose_status"
    QUERY_GLUCOSE_RESULT = "query_glucose_result"
    ECG_START = "ecg_start"
    ECG_STOP = "ecg_stop"
    ECG_SAMPLE_BITS = "ecg_sample_bits"
    QUERY_ECG_VERSION = "query_ecg_version"
    QUERY_ECG_STATE = "query_ecg_state"


INFLATING: Final = frozenset({CommandName.NIBP_START, CommandName.NIBP_CALIBRATE})
"""Commands that inflate the cuff: an operator's explicit, audited act only."""

ERASING: Final = frozenset({CommandName.CLEAR_GLUCOSE_RECORDS})
"""Commands that delete what the device has stored: never sent."""

_TEMPERATURE_START_ARGUMENT: Final = 0x40
_QUERY_MODE_ARGUMENT: Final = 0x10
_PC_100_ONLY: Final = (Variant.PC_100,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command whose bytes are always the same.

    Attributes:
        name: Which one.
        token: Its function group.
        type: What it is within its group.
        data: Its fixed argument, if it has one.
        models: The only models that know it; empty when all do.
    """

    kind: ClassVar[str] = "command"

    name: CommandName
    token: int
    type: int
    data: bytes = b""
    models: tuple[Variant, ...] = ()

    def to_frame(self) -> Frame:
        """The command's frame."""
        return Frame.build(token=self.token, type=self.type, data=self.data)


def _plain(name: CommandName, token: int, kind: int) -> Command:
    return Command(name=name, token=token, type=kind)


def _pc100(name: CommandName, token: int, kind: int = 0x01) -> Command:
    return Command(name=name, token=token, type=kind, models=_PC_100_ONLY)


HANDSHAKE: Final = _plain(CommandName.HANDSHAKE, 0xFF, 0x01)
"""Also the keep-alive; one host repeats it every 5 s."""
QUERY_VERSION_V1: Final = _plain(CommandName.QUERY_VERSION_V1, 0xFF, 0x02)
QUERY_VERSION_BATTERY_V2: Final = _plain(
    CommandName.QUERY_VERSION_BATTERY_V2, 0xFF, 0x04
)
QUERY_VERSION_BATTERY: Final = _plain(CommandName.QUERY_VERSION_BATTERY, 0x51, 0x01)
QUERY_CUSTOMER_ID: Final = _plain(CommandName.QUERY_CUSTOMER_ID, 0xFF, 0x10)
NIBP_START: Final = _plain(CommandName.NIBP_START, 0x40, 0x01)
NIBP_STOP: Final = _plain(CommandName.NIBP_STOP, 0x40, 0x02)
NIBP_CALIBRATE: Final = _plain(CommandName.NIBP_CALIBRATE, 0x40, 0x04)
QUERY_NIBP_MODE: Final = Command(
    name=CommandName.QUERY_NIBP_MODE,
    token=0x40,
    type=0x03,
    data=bytes((_QUERY_MODE_ARGUMENT,)),
)
QUERY_NIBP_STATUS: Final = _plain(CommandName.QUERY_NIBP_STATUS, 0x41, 0x01)
QUERY_NIBP_RESULT: Final = _plain(CommandName.QUERY_NIBP_RESULT, 0x43, 0x01)
TEMPERATURE_START: Final = Command(
    name=CommandName.TEMPERATURE_START,
    token=0x70,
    type=0x01,
    data=bytes((_TEMPERATURE_START_ARGUMENT,)),
)
QUERY_TEMPERATURE_MODE: Final = _plain(CommandName.QUERY_TEMPERATURE_MODE, 0x72, 0x03)
QUERY_GLUCOMETER_TYPE: Final = _plain(CommandName.QUERY_GLUCOMETER_TYPE, 0xE4, 0x01)
CLEAR_GLUCOSE_RECORDS: Final = _plain(CommandName.CLEAR_GLUCOSE_RECORDS, 0xE5, 0x01)
ECG_START: Final = _plain(CommandName.ECG_START, 0x30, 0x01)
ECG_STOP: Final = _plain(CommandName.ECG_STOP, 0x30, 0x02)
QUERY_ECG_VERSION: Final = _plain(CommandName.QUERY_ECG_VERSION, 0x31, 0x01)
QUERY_ECG_STATE: Final = _plain(CommandName.QUERY_ECG_STATE, 0x31, 0x02)

PC100_SPO2_START: Final = _pc100(CommandName.SPO2_START, 0x50)
PC100_SPO2_STOP: Final = _pc100(CommandName.SPO2_STOP, 0x50, 0x02)
PC100_QUERY_SPO2_STATUS: Final = _pc100(CommandName.QUERY_SPO2_STATUS, 0x54)
PC100_TEMPERATURE_START: Final = _pc100(CommandName.TEMPERATURE_START, 0x70)
PC100_TEMPERATURE_STOP: Final = _pc100(CommandName.TEMPERATURE_STOP, 0x70, 0x02)
PC100_QUERY_TEMPERATURE_STATUS: Final = _pc100(
    CommandName.QUERY_TEMPERATURE_STATUS, 0x71
)
PC100_QUERY_TEMPERATURE_RESULT: Final = _pc100(
    CommandName.QUERY_TEMPERATURE_RESULT, 0x72
)
PC100_GLUCOSE_START: Final = _pc100(CommandName.GLUCOSE_START, 0xE0)
PC100_GLUCOSE_STOP: Final = _pc100(CommandName.GLUCOSE_STOP, 0xE0, 0x02)
PC100_QUERY_GLUCOSE_STATUS: Final = _pc100(CommandName.QUERY_GLUCOSE_STATUS, 0xE1)
PC100_QUERY_GLUCOSE_RESULT: Final = _pc100(CommandName.QUERY_GLUCOSE_RESULT, 0xE2)

FIXED_COMMANDS: Final[Mapping[bytes, Command]] = {
    command.to_frame().raw: command
    for command in (
        HANDSHAKE,
        QUERY_VERSION_V1,
        QUERY_VERSION_BATTERY_V2,
        QUERY_VERSION_BATTERY,
        QUERY_CUSTOMER_ID,
        NIBP_START,
        NIBP_STOP,
        NIBP_CALIBRATE,
        QUERY_NIBP_MODE,
        QUERY_NIBP_STATUS,
        QUERY_NIBP_RESULT,
        TEMPERATURE_START,
        QUERY_TEMPERATURE_MODE,
        QUERY_GLUCOMETER_TYPE,
        CLEAR_GLUCOSE_RECORDS,
        ECG_START,
        ECG_STOP,
        QUERY_ECG_VERSION,
        QUERY_ECG_STATE,
        PC100_SPO2_START,
        PC100_SPO2_STOP,
        PC100_QUERY_SPO2_STATUS,
        PC100_TEMPERATURE_START,
        PC100_TEMPERATURE_STOP,
        PC100_QUERY_TEMPERATURE_STATUS,
        PC100_QUERY_TEMPERATURE_RESULT,
        PC100_GLUCOSE_START,
        PC100_GLUCOSE_STOP,
        PC100_QUERY_GLUCOSE_STATUS,
        PC100_QUERY_GLUCOSE_RESULT,
    )
}
"""Every command without arguments, by the bytes of its frame."""
