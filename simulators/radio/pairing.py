"""Both sides' part in pairing: a peripheral that shows digits, a central that types."""

from collections.abc import Awaitable, Callable

from bumble.pairing import PairingConfig, PairingDelegate

from simulators.radio.behaviour import Behaviour

AskPasskey = Callable[[], Awaitable[int | None]]
"""Asks a person for the six digits; None = the person gave up."""


class PeripheralPairing(PairingDelegate):
    """Just Works, or a display that shows a fixed passkey."""

    def __init__(self, behaviour: Behaviour, passkey: int | None) -> None:
        super().__init__(
            self.NO_OUTPUT_NO_INPUT if passkey is None else self.DISPLAY_OUTPUT_ONLY
        )
        self._behaviour = behaviour
        self._passkey = passkey

    async def accept(self) -> bool:
        """Whether to pair at all."""
        return not self._behaviour.refuse_pairing

    async def generate_passkey(self) -> int:
        """The digits on the display."""
        return self._passkey or 0

    def config(self) -> PairingConfig:
        """The configuration for bumble."""
        return PairingConfig(
            sc=True, mitm=self._passkey is not None, bonding=True, delegate=self
        )


class CentralPairing(PairingDelegate):
    """A station: Just Works, or a keyboard behind which somebody is asked."""

    def __init__(self, ask: AskPasskey | None) -> None:
        super().__init__(
            self.NO_OUTPUT_NO_INPUT if ask is None else self.KEYBOARD_INPUT_ONLY
        )
        self._ask = ask

    async def get_number(self) -> int | None:
        """The digits that the person reads off the device."""
        return None if self._ask is None else await self._ask()

    def config(self) -> PairingConfig:
        """The configuration for bumble."""
        return PairingConfig(
            sc=True, mitm=self._ask is not None, bonding=True, delegate=self
        )
