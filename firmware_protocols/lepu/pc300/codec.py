"""Which record a frame of the PC-100/200/300 holds, by direction, token and type."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pc300 import (
    ecg,
    ecg_module,
    glucose,
    modules,
    nibp,
    oximetry,
    settings,
    system,
    temperature,
)
from firmware_protocols.lepu.pc300.commands import FIXED_COMMANDS, Command
from firmware_protocols.lepu.pc300.variant import Variant
from firmware_protocols.lepu.record import Direction, Unknown

DeviceRecord: TypeAlias = (
    ecg.EcgGain
    | ecg.EcgResult
    | ecg.EcgWave
    | ecg_module.EcgStarted
    | ecg_module.EcgState
    | ecg_module.EcgStopped
    | ecg_module.EcgVersion
    | glucose.Cholesterol
    | glucose.GlucometerTypeReport
    | glucose.Glucose
    | glucose.Pc100Glucose
    | glucose.UricAcid
    | modules.ModuleStatus
    | nibp.CuffPressure
    | nibp.NibpEnded
    | nibp.NibpError
    | nibp.NibpModeReport
    | nibp.NibpResult
    | nibp.NibpStarted
    | oximetry.Pleth
    | oximetry.ProbeOff
    | oximetry.Spo2
    | oximetry.Spo2State
    | system.Acknowledgement
    | system.CustomerId
    | system.PowerOff
    | system.ProductName
    | system.TimeRequest
    | system.VersionBattery
    | temperature.Temperature
    | temperature.TemperatureModeReport
    | Unknown
)
"""Everything a device says."""

HostCommand: TypeAlias = (
    Command
    | settings.EcgSampleBits
    | settings.SetCustomerId
    | settings.SetGlucometerType
    | settings.SetGlucoseUnit
    | settings.SetNibpMode
    | settings.SetTemperatureMode
    | settings.SetTime
    | settings.Spo2Upload
    | Unknown
)
"""Everything a host says."""


def _probe_off_or_echo(frame: Frame) -> DeviceRecord:
    if frame.data:
        return system.Acknowledgement.from_frame(frame)
    return oximetry.ProbeOff.from_frame(frame)


_DEVICE: Final[Mapping[tuple[int, int], Callable[[Frame], DeviceRecord]]] = {
    (0x30, 0x01): ecg_module.EcgStarted.from_frame,
    (0x30, 0x02): ecg_module.EcgStopped.from_frame,
    (0x30, 0x05): system.Acknowledgement.from_frame,
    (0x31, 0x01): ecg_module.EcgVersion.from_frame,
    (0x31, 0x02): ecg_module.EcgState.from_frame,
    (0x32, 0x01): ecg.EcgWave.from_frame,
    (0x33, 0x01): ecg.EcgResult.from_frame,
    (0x34, 0x01): ecg.EcgGain.from_frame,
    (0x40, 0x01): nibp.NibpStarted.from_frame,
    (0x40, 0x02): nibp.NibpEnded.from_frame,
    (0x40, 0x03): nibp.NibpModeReport.from_frame,
    (0x40, 0x04): system.Acknowledgement.from_frame,
    (0x41, 0x01): modules.ModuleStatus.from_frame,
    (0x42, 0x01): nibp.CuffPressure.from_frame,
    (0x43, 0x01): nibp.NibpResult.from_frame,
    (0x43, 0x02): nibp.NibpError.from_frame,
    (0x50, 0x01): system.Acknowledgement.from_frame,
    (0x50, 0x02): _probe_off_or_echo,
    (0x51, 0x01): system.VersionBattery.from_frame,
    (0x51, 0x02): oximetry.Spo2State.from_frame,
    (0x52, 0x01): oximetry.Pleth.from_frame,
    (0x53, 0x01): oximetry.Spo2.from_frame,
    (0x54, 0x01): modules.ModuleStatus.from_frame,
    (0x70, 0x01): system.Acknowledgement.from_frame,
    (0x70, 0x02): system.Acknowledgement.from_frame,
    (0x71, 0x01): modules.ModuleStatus.from_frame,
    (0x72, 0x01): temperature.Temperature.from_frame,
    (0x72, 0x02): system.Acknowledgement.from_frame,
    (0x72, 0x03): temperature.TemperatureModeReport.from_frame,
    (0x73, 0x01): glucose.Glucose.from_frame,
    (0xE0, 0x01): system.Acknowledgement.from_frame,
    (0xE0, 0x02): system.Acknowledgement.from_frame,
    (0xE0, 0x03): system.Acknowledgement.from_frame,
    (0xE1, 0x01): modules.ModuleStatus.from_frame,
    (0xE2, 0x01): glucose.Glucose.from_frame,
    (0xE2, 0x02): glucose.UricAcid.from_frame,
    (0xE2, 0x03): glucose.Cholesterol.from_frame,
    (0xE5, 0x01): system.Acknowledgement.from_frame,
    (0xFF, 0x01): system.ProductName.from_frame,
    (0xFF, 0x02): system.VersionBattery.from_frame,
    (0xFF, 0x03): system.time_from_frame,
    (0xFF, 0x04): system.VersionBattery.from_frame,
    (0xFF, 0x10): system.CustomerId.from_frame,
    (0xFF, 0x20): system.Acknowledgement.from_frame,
}

# Groups whose type says something itself, or nothing.
_DEVICE_GROUPS: Final[Mapping[int, Callable[[Frame], DeviceRecord]]] = {
    0xD0: system.PowerOff.from_frame,
    0xE3: system.Acknowledgement.from_frame,
    0xE4: glucose.GlucometerTypeReport.from_frame,
}

_PC100_DEVICE: Final[Mapping[tuple[int, int], Callable[[Frame], DeviceRecord]]] = {
    (0x43, 0x02): nibp.NibpError.from_pc100_frame,
    (0xE2, 0x01): glucose.Pc100Glucose.from_frame,
}

_SET_METER_TOKEN: Final = 0xE3

_HOST: Final[Mapping[tuple[int, int], Callable[[Frame], HostCommand]]] = {
    (0x30, 0x05): settings.EcgSampleBits.from_frame,
    (0x40, 0x03): settings.SetNibpMode.from_frame,
    (0x50, 0x02): settings.Spo2Upload.from_frame,
    (0x72, 0x02): settings.SetTemperatureMode.from_frame,
    (0xE0, 0x03): settings.SetGlucoseUnit.from_frame,
    (0xFF, 0x03): settings.SetTime.from_frame,
    (0xFF, 0x20): settings.SetCustomerId.from_frame,
}


def decode_device(frame: Frame, variant: Variant = Variant.PC_300) -> DeviceRecord:
    """What the device says with ``frame``.

    Raises:
        ProtocolError: The data is too short or holds what the protocol forbids.
    """
    key = frame.token, frame.type
    reader = _DEVICE.get(key)
    if variant is Variant.PC_100:
        reader = _PC100_DEVICE.get(key, reader)
    if reader is None:
        reader = _DEVICE_GROUPS.get(frame.token, Unknown.from_frame)
    return reader(frame)


def decode_host(frame: Frame) -> HostCommand:
    """What the host says with ``frame``.

    Raises:
        ProtocolError: The data is too short or holds what the protocol forbids.
    """
    if fixed := FIXED_COMMANDS.get(frame.raw):
        return fixed
    if decode := _HOST.get((frame.token, frame.type)):
        return decode(frame)
    if frame.token == _SET_METER_TOKEN:
        return settings.SetGlucometerType.from_frame(frame)
    return Unknown.from_frame(frame)


def decode(
    frame: Frame, direction: Direction, variant: Variant = Variant.PC_300
) -> DeviceRecord | HostCommand:
    """What ``frame`` says when it was sent in ``direction``.

    Raises:
        ProtocolError: The data is too short or holds what the protocol forbids.
    """
    if direction is Direction.HOST_TO_DEVICE:
        return decode_host(frame)
    return decode_device(frame, variant)
