"""PC-100/102/200/300(SNT) and H600 spot-check boards: the core of many health kiosks.

Serial 115200 8N1 (38400 for the H600 and the bare oximeter module), or BLE service FFF0
with notifications on FFF1 and writes to FFF2. ``Aa55Framer`` finds the frames,
``decode_device`` and ``decode_host`` read them, ``record.to_frame()`` writes them.

Files: ``nibp``, ``oximetry``, ``temperature``,
``glucose``, ``ecg``, ``ecg_module``, ``system`` and ``modules`` for what a device says;
``commands`` and ``settings`` for what a host says; ``codec`` for the choice,
``variant`` for the models.
"""

from firmware_protocols.lepu.pc300.codec import (
    DeviceRecord,
    HostCommand,
    decode,
    decode_device,
    decode_host,
)
from firmware_protocols.lepu.pc300.variant import Variant
from firmware_protocols.lepu.record import Direction, Unknown, readings

__all__ = [
    "DeviceRecord",
    "Direction",
    "HostCommand",
    "Unknown",
    "Variant",
    "decode",
    "decode_device",
    "decode_host",
    "readings",
]
