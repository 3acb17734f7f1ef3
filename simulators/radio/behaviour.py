"""What a simulated peripheral is, and how it misbehaves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the device says it is: advertised name and Device Information.

    The defaults are plainly invented; an empty text leaves its characteristic out.
    """

    name: str
    manufacturer: str = "Example Devices"
    model: str = "EX-1"
    serial: str = "EX-000001"
    firmware: str = "1.0"
    battery: int | None = 90


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """How it behaves; every field may be changed while it runs.

    Attributes:
        idle_disconnect_s: seconds without any traffic after which it ends the link, as
            cuffs do after their last frame; None = never.
        silent: connects, and then answers nothing.
        answer_delay_s: seconds before each answer to a request.
        value_delay_s: seconds before each notified or indicated value.
        drop_after_values: ends the link after so many values, once.
        refuse_pairing: says no to every pairing.
        stays_on: advertises also when it has nothing to tell.
    """

    idle_disconnect_s: float | None = 3.0
    silent: bool = False
    answer_delay_s: float = 0.0
    value_delay_s: float = 0.0
    drop_after_values: int | None = None
    refuse_pairing: bool = False
    stays_on: bool = False
