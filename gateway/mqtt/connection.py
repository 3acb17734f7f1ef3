"""One MQTT connection: paho-mqtt's protocol engine on asyncio's own selector.

paho runs without its thread: the event loop tells it when the socket is readable or
writable. So no byte crosses a thread, and reading a packet (four ``recv`` calls) never
waits for the interpreter lock. Only name resolution, TCP connect and the TLS handshake
run elsewhere. A connection is used once; ``PahoBus`` makes the next one.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from gateway.errors import LinkClosedError, LinkError, LinkRefusedError
from gateway.mqtt.settings import BusSettings
from gateway.ports.messaging import Message

# TCP and TLS to one host; then the next one is tried.
CONNECT_TIMEOUT_S: Final = 5.0
# CONNACK and SUBACK; a broker under load answers within milliseconds.
HANDSHAKE_TIMEOUT_S: Final = 10.0
# Packets taken from the socket before others in the event loop get their turn.
MAX_READS_PER_TURN: Final = 64
# How often paho looks at its keep-alive.
MISC_INTERVAL_S: Final = 1.0
# Time for DISCONNECT to leave; the broker notices a closed socket all the same.
GOODBYE_TIMEOUT_S: Final = 1.0

_SUBACK_FAILURE: Final = 0x80

OnMessage = Callable[["Connection", Message, int, int], None]


class Connection:
    """Open with ``open``, then publish; ``closed`` is done when it is over."""

    def __init__(
        self,
        settings: BusSettings,
        on_message: OnMessage,
        *,
        clean_session: bool = False,
    ) -> None:
        self._settings = settings
        self._clean_session = clean_session
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[str] = self._loop.create_future()
        self._connack: asyncio.Future[None] = self._loop.create_future()
        self._subacks: dict[int, asyncio.Future[None]] = {}
        self._publishing: dict[int, asyncio.Future[None]] = {}
        self._window = asyncio.Semaphore(settings.max_inflight)
        self._socket: socket.socket | None = None
        self._reading = False
        self._writing = False
        self._flush_due = False
        self._paused = False
        self._received = 0
        self._client = self._make_client()

    async def open(self, host: str, port: int) -> None:
        """Connect, sign in, subscribe.

        Raises:
            LinkClosedError: nobody answers there, or the connection broke.
            LinkRefusedError: the broker refuses us or a subscription.
        """
        dialling = asyncio.ensure_future(asyncio.to_thread(self._dial, host, port))
        try:
            await asyncio.shield(dialling)
        except asyncio.CancelledError:
            # The thread cannot be stopped; it ends by its own time-out.
            dialling.add_done_callback(self._hang_up)
            raise
        except (OSError, ValueError) as error:
            raise LinkClosedError(f"broker: {type(error).__name__}.") from error
        self._attach()
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await self._until(self._connack)
                await self._subscribe()
        except TimeoutError as error:
            self.abort("no answer")
            raise LinkClosedError("broker: no answer to CONNECT.") from error
        except (LinkError, asyncio.CancelledError):
            self.abort("refused")
            raise

    async def publish(
        self, topic: str, payload: bytes, *, qos: int, retain: bool
    ) -> None:
        """Publish; return at the PUBACK, at QoS 0 when it is written to the socket.

        Raises:
            LinkClosedError: the connection is over or broke before that.
        """
        async with self._window:
            if self.closed.done():
                raise LinkClosedError("broker: not connected.")
            info = self._client.publish(topic, payload, qos=qos, retain=retain)
            if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise LinkClosedError("broker: not connected.")
            sent: asyncio.Future[None] = self._loop.create_future()
            self._publishing[info.mid] = sent
            try:
                await sent
            finally:
                self._publishing.pop(info.mid, None)

    def acknowledge(self, mid: int, qos: int) -> None:
        """Send the PUBACK of a message of this connection; too late does nothing."""
        if not self.closed.done():
            self._client.ack(mid, qos)

    def pause(self) -> None:
        """Stop reading: whoever takes the messages cannot keep up."""
        self._paused = True
        self._stop_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            self._start_reading()

    async def run(self) -> str:
        """Keep it alive until it is over; return why."""
        while not self.closed.done():
            await asyncio.wait({self.closed}, timeout=MISC_INTERVAL_S)
            if not self.closed.done():
                self._guard(self._client.loop_misc)
        return self.closed.result()

    async def close(self) -> None:
        """Leave. With a last will, the broker publishes it: we are gone on purpose.

        So a station that is switched off is shown as offline, by the same message as
        one that has lost its network. Only DISCONNECT would keep the will back.
        """
        if not self.closed.done() and self._settings.will is None:
            self._client.disconnect()
            await asyncio.wait({self.closed}, timeout=GOODBYE_TIMEOUT_S)
        self.abort("closed")

    def abort(self, reason: str) -> None:
        """End at once; harmless when it is over."""
        # paho would call back about the socket when it is collected.
        self._client.on_socket_close = None
        self._client.on_socket_register_write = None
        sock, self._socket = self._socket, None
        if sock is not None and sock.fileno() >= 0:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)
            sock.close()
        self._reading = self._writing = False
        if not self.closed.done():
            self.closed.set_result(reason)
        waiting = [self._connack, *self._subacks.values(), *self._publishing.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(LinkClosedError(f"broker: {reason}."))
                # Retrieved here: nobody may be waiting for this one any more.
                future.exception()

    # --- paho's engine ---------------------------------------------------------------

    def _make_client(self) -> paho.Client:
        settings = self._settings
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=self._clean_session,
            protocol=paho.MQTTv311,
            manual_ack=True,
            # Else a CONNACK can make paho dial again, inside the event loop.
            reconnect_on_failure=False,
        )
        # No second window: ``_window`` is ours, and paho's costs a scan per PUBACK.
        client.max_inflight_messages = 0
        client.connect_timeout = CONNECT_TIMEOUT_S
        if settings.username:
            client.username_pw_set(settings.username, settings.password)
        if settings.tls is not None:
            client.tls_set_context(settings.tls.context())
        if settings.will is not None:
            will = settings.will
            client.will_set(will.topic, will.payload, qos=will.qos, retain=will.retain)
        client.on_connect = self._on_connack
        client.on_subscribe = self._on_suback
        client.on_publish = self._on_published
        client.on_message = self._on_publish_received
        client.on_disconnect = self._on_over
        return client

    def _dial(self, host: str, port: int) -> None:
        self._client.connect(host, port, keepalive=self._settings.keepalive_s)

    def _hang_up(self, dialling: "asyncio.Future[None]") -> None:
        if not dialling.cancelled() and dialling.exception() is None:
            sock = self._client.socket()
            if sock is not None:
                sock.close()

    def _attach(self) -> None:
        sock = self._client.socket()
        if not isinstance(sock, socket.socket):
            raise LinkClosedError("broker: closed at once.")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._client.on_socket_register_write = self._on_write_wanted
        self._client.on_socket_close = self._on_socket_close
        self._start_reading()
        self._flush()

    async def _subscribe(self) -> None:
        if not self._settings.subscriptions:
            return
        _, mid = self._client.subscribe(list(self._settings.subscriptions))
        if mid is None:
            raise LinkClosedError("broker: closed before SUBSCRIBE.")
        suback: asyncio.Future[None] = self._loop.create_future()
        self._subacks[mid] = suback
        await self._until(suback)

    async def _until(self, future: "asyncio.Future[None]") -> None:
        either: set[asyncio.Future[Any]] = {future, self.closed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise LinkClosedError(f"broker: {self.closed.result()}.")
        future.result()

    # --- the socket ------------------------------------------------------------------

    def _start_reading(self) -> None:
        if self._socket is not None and not self._reading and not self._paused:
            self._reading = True
            self._loop.add_reader(self._socket, self._readable)

    def _stop_reading(self) -> None:
        if self._socket is not None and self._reading:
            self._reading = False
            self._loop.remove_reader(self._socket)

    def _readable(self) -> None:
        for _ in range(MAX_READS_PER_TURN):
            before = self._received
            self._guard(self._client.loop_read)
            if self._socket is None or self._paused:
                return
            if self._received == before and not self._has_decrypted():
                return
        if self._has_decrypted():
            # The selector does not see what OpenSSL has already taken.
            self._loop.call_soon(self._readable_again)

    def _readable_again(self) -> None:
        if self._reading:
            self._readable()

    def _has_decrypted(self) -> bool:
        sock = self._socket
        return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0

    def _on_write_wanted(self, *_: object) -> None:
        # Everything queued in this turn of the event loop leaves together.
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._socket is None:
            return
        self._guard(self._client.loop_write)
        self._watch_writable()

    def _watch_writable(self) -> None:
        if self._socket is None:
            return
        wanted = self._client.want_write()
        if wanted and not self._writing:
            self._writing = True
            self._loop.add_writer(self._socket, self._flush)
        elif not wanted and self._writing:
            self._writing = False
            self._loop.remove_writer(self._socket)

    def _guard(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - paho on a malformed packet;
            # the bus counts the loss and connects again with back-off
            self.abort(f"protocol error ({type(error).__name__})")

    # --- paho's callbacks, all in the event loop --------------------------------------

    def _on_connack(
        self,
        _client: object,
        _data: object,
        _flags: object,
        code: ReasonCode,
        *_: object,
    ) -> None:
        if self._connack.done():
            return
        if code.is_failure:
            refused = LinkRefusedError(
                f"broker: sign-in refused ({code}).",
                remedy="Check user name, password and client id.",
            )
            self._connack.set_exception(refused)
        else:
            self._connack.set_result(None)

    def _on_suback(
        self,
        _client: object,
        _data: object,
        mid: int,
        codes: list[ReasonCode],
        *_: object,
    ) -> None:
        suback = self._subacks.pop(mid, None)
        if suback is None or suback.done():
            return
        if any(code.value >= _SUBACK_FAILURE for code in codes):
            refused = LinkRefusedError(
                "broker: subscription refused.",
                remedy="Check the topic permissions of this account.",
            )
            suback.set_exception(refused)
        else:
            suback.set_result(None)

    def _on_published(
        self, _client: object, _data: object, mid: int, *_: object
    ) -> None:
        self._received += 1
        sent = self._publishing.get(mid)
        if sent is not None and not sent.done():
            sent.set_result(None)

    def _on_publish_received(
        self, _client: object, _data: object, message: paho.MQTTMessage
    ) -> None:
        self._received += 1
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            # Against the specification; kept readable so that it can be looked into.
            topic = error.object.decode("utf-8", "backslashreplace")
        self._on_message(
            self,
            Message(
                topic=topic, payload=bytes(message.payload), retained=message.retain
            ),
            message.mid,
            message.qos,
        )

    def _on_over(
        self,
        _client: object,
        _data: object,
        _flags: object,
        code: ReasonCode,
        *_: object,
    ) -> None:
        # After this callback paho closes the socket, or has closed it.
        self._loop.call_soon(self.abort, f"connection lost ({code})")

    def _on_socket_close(
        self,
        _client: object,
        _data: object,
        sock: Any,  # noqa: ANN401 - paho's type is private
    ) -> None:
        self._reading = self._writing = False
        self._socket = None
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)
        self._loop.call_soon(self.abort, "connection lost")
