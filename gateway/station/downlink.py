"""What the hub sends: acknowledgements, sessions, configuration, commands.

Every message is sealed by the hub; with the hub's key configured its signature is
verified. What cannot be read is set aside and counted. What arrives late is refused:
a session opened, or a cuff started, minutes after it was asked for would meet another
person.
"""

from datetime import timedelta
from typing import Final, Protocol, TypeVar

import msgspec
from msgspec import Raw

from gateway.errors import QuotaExceededError, StorageError, VitalgateError, WireError
from gateway.model.session import IdentifiedBy, SessionEnd
from gateway.ports.devices import OperatorCommand
from gateway.ports.messaging import Message, MessageBus
from gateway.station.core import StationCore
from gateway.station.journal_schema import NewDeadLetter
from gateway.wire.batch import (
    MAX_PAYLOAD_BYTES,
    SCHEMA,
    Acknowledgement,
    SessionCommand,
    StationCommand,
    StationConfig,
)
from gateway.wire.seal import Sealed, unseal
from gateway.wire.topics import StationTopics

# An operator's click takes effect within this, or not at all.
SESSION_COMMAND_FOR: Final = timedelta(minutes=2)
# Clocks of hub and station differ by less, or the clocks are what is wrong.
CLOCK_SKEW: Final = timedelta(minutes=2)
# Commands whose repetition is recognised. They expire in minutes.
MAX_COMMANDS: Final = 256
# Before a message that met a failing disk is tried again (s).
RETRY_SECONDS: Final = 1.0

_COMMANDS: Final = "commands"

T = TypeVar("T", Acknowledgement, SessionCommand, StationConfig, StationCommand)


class Acknowledged(Protocol):
    """The uplink."""

    async def acknowledged(self, message: Acknowledgement) -> None:
        """The hub holds these entries."""


class CommandDesk(Protocol):
    """The supervisor."""

    def command(self, device: str, command: OperatorCommand) -> None:
        """Hand a command to a connected device's driver.

        Raises:
            NotFoundError: no such device or command.
            ConflictError: not connected, or too many wait.
        """


class Downlink:
    """Takes the station's deliveries and acts on them."""

    def __init__(
        self,
        bus: MessageBus,
        topics: StationTopics,
        *,
        core: StationCore,
        uplink: Acknowledged,
        commands: CommandDesk,
        hub_key: bytes = b"",
    ) -> None:
        """``hub_key`` is the hub's public key; empty accepts whom the broker lets."""
        self._bus = bus
        self._topics = topics
        self._uplink = uplink
        self._sessions = core.sessions
        self._commands = commands
        self._journal = core.journal
        self._events = core.events
        self._clock = core.clock
        self._hub_key = hub_key
        self._done: list[str] = []
        self.refused = 0
        # Messages that a full disk kept from taking effect; the hub repeats what it
        # needs, and waiting would hold up the acknowledgements that free the disk.
        self.unrecorded = 0

    async def restore(self) -> None:
        """Remember which commands were carried out before a restart.

        Raises:
            StorageError: the journal cannot be read.
        """
        state = await self._journal.load_state(_COMMANDS)
        self._done = msgspec.json.decode(state, type=list[str]) if state else []

    async def run(self) -> None:
        """Take messages until cancelled; each is done once its effect is durable."""
        async for delivery in self._bus.deliveries():
            while True:
                try:
                    await self.handle(delivery.message)
                except QuotaExceededError:
                    self.unrecorded += 1
                    break
                except StorageError:
                    await self._clock.sleep(RETRY_SECONDS)
                else:
                    break
            delivery.done()

    async def handle(self, message: Message) -> None:
        """Act on one message.

        Raises:
            StorageError: the journal cannot be written; nothing was done.
        """
        try:
            await self._act(self._name(message), message)
        except WireError as error:
            self.refused += 1
            # Cards and residents may be in it: the bytes stay here, the reason is told.
            letter = NewDeadLetter(
                device="",
                driver="downlink",
                reason=error.reason,
                raw=message.payload,
                at=self._clock.now(),
                channel=message.topic,
            )
            await self._journal.add_dead_letter(letter)

    async def _act(self, name: str, message: Message) -> None:
        if name == "ack":
            await self._uplink.acknowledged(self._read(message, Acknowledgement))
        elif name == "session":
            await self._session(self._read(message, SessionCommand))
        elif name == "config":
            await self._sessions.configure(self._read(message, StationConfig))
        elif name == "command":
            await self._command(self._read(message, StationCommand))
        else:
            raise WireError("topic: unknown.", reason="topic")

    def _name(self, message: Message) -> str:
        prefix = self._topics.down("")
        if not message.topic.startswith(prefix):
            raise WireError("topic: not this station's.", reason="topic")
        if len(message.payload) > MAX_PAYLOAD_BYTES:
            raise WireError("message: too large.", reason="oversized")
        return message.topic.removeprefix(prefix)

    def _read(self, message: Message, type_: type[T]) -> T:
        body = self._unseal(message)
        try:
            decoded = msgspec.json.decode(body, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WireError(f"message: {error}.", reason="message") from error
        if decoded.schema != SCHEMA:
            raise WireError("schema: another version.", reason="schema-version")
        if (
            isinstance(decoded, Acknowledgement)
            and decoded.station != self._topics.station
        ):
            raise WireError("station: not this one.", reason="station-mismatch")
        return decoded

    def _unseal(self, message: Message) -> Raw:
        if self._hub_key:
            return unseal(message.topic, message.payload, self._hub_key)
        try:
            return msgspec.json.decode(message.payload, type=Sealed).body
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WireError(f"message: {error}.", reason="seal") from error

    async def _session(self, command: SessionCommand) -> None:
        now = self._clock.now()
        at = command.at
        if at is None or at.tzinfo is None or abs(now - at) > SESSION_COMMAND_FOR:
            await self._refuse(
                "session-command-refused", command.action, "too late", command.by
            )
            return
        if command.action == "open":
            try:
                identified_by = IdentifiedBy(command.identified_by)
            except ValueError as error:
                raise WireError("identified_by: unknown.", reason="message") from error
            if not command.resident:
                raise WireError("resident: missing.", reason="message")
            await self._sessions.open(
                resident=command.resident,
                identified_by=identified_by,
                by=command.by,
                session=command.session,
            )
        elif command.action == "close":
            await self._sessions.close(session=command.session)
        elif command.action == "abort":
            await self._sessions.close(SessionEnd.ABORTED, session=command.session)
        else:
            raise WireError("action: unknown.", reason="message")

    async def _command(self, command: StationCommand) -> None:
        if command.id in self._done:
            return  # delivered twice
        expires_at = command.expires_at
        if expires_at.tzinfo is None:
            raise WireError("expires_at: without a zone.", reason="message")
        if expires_at + CLOCK_SKEW < self._clock.now():
            await self._refuse("command-refused", command.name, "expired", command.by)
            return
        # Durable first: after a crash here it is not carried out, rather than twice.
        done = [*self._done[-MAX_COMMANDS + 1 :], command.id]
        await self._journal.set_state({_COMMANDS: msgspec.json.encode(done)})
        self._done = done
        await self.carry_out(command.device, command.name, by=command.by)

    async def carry_out(self, device: str, name: str, *, by: str) -> str:
        """Hand a command to a device, audited; why it was refused, or empty.

        Raises:
            StorageError: the journal cannot be written; nothing was done.
        """
        await self._events.note(
            "command-accepted", device=device, detail=f"{name} by {by}"
        )
        try:
            self._commands.command(device, OperatorCommand(name=name, by=by))
        except VitalgateError as error:
            await self._events.note(
                "command-refused", device=device, detail=f"{name}: {error.message}"
            )
            return error.message
        return ""

    async def _refuse(self, code: str, name: str, reason: str, by: str) -> None:
        self.refused += 1
        await self._events.note(code, detail=f"{name}: {reason}, by {by}")
