"""State of the PC-100's measuring modules, which it tells when it is asked.

::

    41/01  state [sw hw]   blood pressure       54/01   oximeter
    E1/01  state [sw hw]   glucose              71/01   temperature

State: 00 ended, 01 busy, FF fault or not fitted. Source: viatomEcho/LepuBle only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pc300.versions import version_bytes, version_text
from firmware_protocols.lepu.record import code_of, data_of, named

_WITH_VERSIONS: Final = 3


class Module(StrEnum):
    """A measuring module of the PC-100."""

    NIBP = "nibp"
    SPO2 = "spo2"
    GLUCOSE = "glucose"
    TEMPERATURE = "temperature"


class ModuleState(StrEnum):
    """What a module does."""

    ENDED = "ended"
    BUSY = "busy"
    FAULT = "fault"


MODULE_TOKENS: Final[Mapping[int, Module]] = {
    0x41: Module.NIBP,
    0x54: Module.SPO2,
    0xE1: Module.GLUCOSE,
    0x71: Module.TEMPERATURE,
}
_MODULE_STATES: Final[Mapping[int, ModuleState]] = {
    0x00: ModuleState.ENDED,
    0x01: ModuleState.BUSY,
    0xFF: ModuleState.FAULT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleStatus:
    """41/01, 54/01, E1/01 or 71/01: the state of one module (PC-100).

    Attributes:
        module: Which one.
        state: FAULT also means that it is not fitted.
        sw: Its software version; None when the frame ends before it.
        hw: Its hardware version; None when the frame ends before it.
    """

    kind: ClassVar[str] = "module_status"

    module: Module
    state: ModuleState
    sw: str | None = None
    hw: str | None = None

    @classmethod
    def from_frame(cls, frame: Frame) -> "ModuleStatus":
        """Read state and versions.

        Raises:
            TruncatedError: No data.
            FieldError: A state that no source names.
        """
        data = data_of(frame, cls.kind, 1)
        versions = len(data) >= _WITH_VERSIONS
        return cls(
            module=MODULE_TOKENS[frame.token],
            state=named(frame, "module_status.state", data[0], _MODULE_STATES),
            sw=version_text(data[1:2]) if versions else None,
            hw=version_text(data[2:3]) if versions else None,
        )

    def to_frame(self) -> Frame:
        """The status frame of the module."""
        data = bytes((code_of(self.state, _MODULE_STATES),))
        if self.sw is not None and self.hw is not None:
            data += version_bytes(self.sw) + version_bytes(self.hw)
        token = code_of(self.module, MODULE_TOKENS)
        return Frame.build(token=token, type=0x01, data=data)
