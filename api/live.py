"""Live streams: each frame encoded once per audience, bounded per client.

Clients who may see the same alerts form one group. A client that does not read is cut;
it comes back with ``Last-Event-ID`` and gets what it missed, or a snapshot when the
ring no longer reaches that far or the hub was restarted (another epoch).
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from api.metrics import ApiMetrics
from api.schemas.alerts import BeatFrame, SnapshotFrame
from api.schemas.render import alert_answer, change_answer
from api.settings import ApiSettings
from gateway.errors import RateLimitedError
from gateway.ports.clock import Clock
from gateway.services.identity import Audience, Credential
from gateway.services.live import AlertFeed, FeedEntry

# A client this far behind has stopped reading: at 20 frames/s half a minute.
MAX_FRAMES: Final = 500
MAX_BYTES: Final = 1_000_000
# All streams of a process: 50 kB each.
MAX_STREAMS: Final = 2000
# One person's tabs share a stream; several browsers and programs are normal.
MAX_PER_LOGIN: Final = 10

# EventSource comes back after this; the first line of every stream.
RETRY: Final = b"retry: 1000\n\n"


@dataclass(eq=False, slots=True, kw_only=True)
class Client:
    """One open stream's buffer."""

    audience: Audience
    credential: Credential
    frames: deque[tuple[int, bytes]] = field(default_factory=deque)
    size: int = 0
    ready: bool = False
    recheck: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, seq: int, frame: bytes) -> bool:
        """Buffer a frame; False when the client is too far behind."""
        if len(self.frames) >= MAX_FRAMES or self.size + len(frame) > MAX_BYTES:
            return False
        self.frames.append((seq, frame))
        self.size += len(frame)
        if self.ready:
            self.wake.set()
        return True

    def take(self) -> bytes:
        """Everything buffered, in order."""
        joined = b"".join(frame for _, frame in self.frames)
        self.frames.clear()
        self.size = 0
        return joined

    def close(self) -> None:
        """End the stream."""
        self.closed.set()
        self.wake.set()


class LiveStreams:
    """All open streams of one process."""

    def __init__(
        self, feed: AlertFeed, clock: Clock, settings: ApiSettings, metrics: ApiMetrics
    ) -> None:
        self._feed = feed
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._groups: dict[Audience, set[Client]] = {}
        self._pending: dict[object, FeedEntry] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._arrivals: deque[float] = deque(maxlen=max(1, settings.coalesce_above))
        feed.listen(self._on_entries)

    def __len__(self) -> int:
        return sum(len(clients) for clients in self._groups.values())

    async def open(
        self, audience: Audience, credential: Credential, last_event_id: str
    ) -> Client:
        """A new stream whose buffer begins with what the client has missed.

        Raises:
            RateLimitedError: too many streams, of this log-in or at all.
        """
        held = sum(c.credential.digest == credential.digest for c in self._clients())
        if held >= MAX_PER_LOGIN or len(self) >= MAX_STREAMS:
            raise RateLimitedError("stream: too many are open.", retry_after_s=5)
        client = Client(audience=audience, credential=credential)
        self._groups.setdefault(audience, set()).add(client)
        self._metrics.streams.inc()
        missed = self._missed(last_event_id)
        if missed is not None:
            visible = [e for e in missed if _sees(audience, e)]
            first = self._frame(visible) if visible else b""
        else:
            try:
                snapshot = await self._feed.snapshot(audience)
            except BaseException:
                self.discard(client)
                raise
            # What came while the snapshot was read is in it up to its number.
            later = [f for f in client.frames if f[0] > snapshot.seq]
            client.frames = deque(later)
            data = SnapshotFrame(
                epoch=self._feed.epoch,
                seq=snapshot.seq,
                now=self._clock.now(),
                alerts=[alert_answer(card) for card in snapshot.cards],
                cut=snapshot.cut,
            )
            first = self._event("snapshot", snapshot.seq, data.model_dump_json())
        # The first frame may exceed the buffer's bound: it is one, and asked for.
        client.frames.appendleft((0, RETRY + first))
        client.size = sum(len(frame) for _, frame in client.frames)
        client.ready = True
        client.wake.set()
        return client

    def discard(self, client: Client) -> None:
        """Forget a stream that has ended."""
        group = self._groups.get(client.audience)
        if group is None or client not in group:
            return
        group.remove(client)
        if not group:
            del self._groups[client.audience]
        self._metrics.streams.dec()

    def beat(self) -> bytes:
        """The frame that says the stream is alive."""
        data = BeatFrame(seq=self._feed.seq, now=self._clock.now())
        return b"event: beat\ndata: " + data.model_dump_json().encode() + b"\n\n"

    def close_login(self, credential: Credential) -> None:
        """End the streams of a log-in or token that is over."""
        for client in self._clients():
            if client.credential.digest == credential.digest:
                client.close()

    def close_digest(self, digest: bytes) -> None:
        """End the streams of a revoked token."""
        for client in self._clients():
            if client.credential.digest == digest:
                client.close()

    def close_all(self) -> None:
        """End every stream, at shutdown."""
        for client in self._clients():
            client.close()

    def recheck_all(self) -> None:
        """Have every stream check its right to be open: teams have changed."""
        for client in self._clients():
            client.recheck = True
            client.wake.set()

    def _clients(self) -> list[Client]:
        return [client for group in self._groups.values() for client in group]

    def _missed(self, last_event_id: str) -> list[FeedEntry] | None:
        epoch, _, number = last_event_id.rpartition("-")
        # Ours has at most 19 digits; anything else is not ours.
        if epoch != self._feed.epoch or not number.isascii() or not number.isdigit():
            return None
        return self._feed.since(int(number)) if len(number) < 20 else None  # noqa: PLR2004 - see above

    def _on_entries(self, entries: list[FeedEntry]) -> None:
        if not self._groups:
            return
        if self._flush is None and not self._busy(len(entries)):
            self._send(entries)
            return
        for entry in entries:
            # The last state of an alert wins; it moves to the end, where it belongs.
            self._pending.pop(entry.card.alert.id, None)
            self._pending[entry.card.alert.id] = entry
        if self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(self._settings.coalesce_s, self._flush_now)

    def _busy(self, count: int) -> bool:
        """Whether more than ``coalesce_above`` events came within a second."""
        now = self._clock.monotonic()
        full = len(self._arrivals) == self._arrivals.maxlen
        busy = full and now - self._arrivals[0] < 1.0
        self._arrivals.extend([now] * min(count, self._arrivals.maxlen or 1))
        return busy and self._settings.coalesce_s > 0

    def _flush_now(self) -> None:
        self._flush = None
        entries = list(self._pending.values())
        self._pending.clear()
        self._send(entries)

    def _send(self, entries: list[FeedEntry]) -> None:
        encoded: dict[int, bytes] = {}
        for audience, clients in list(self._groups.items()):
            visible = [e for e in entries if _sees(audience, e)]
            if not visible:
                continue
            frame = self._frame(visible, encoded)
            seq = max(e.seq for e in visible)
            for client in list(clients):
                if not client.put(seq, frame) and not client.closed.is_set():
                    self._metrics.cut.inc()
                    client.close()

    def _frame(
        self, entries: Iterable[FeedEntry], encoded: dict[int, bytes] | None = None
    ) -> bytes:
        bodies = []
        seq = 0
        known = {} if encoded is None else encoded
        for entry in entries:
            body = known.get(entry.seq)
            if body is None:
                body = change_answer(entry).model_dump_json().encode()
                known[entry.seq] = body
            bodies.append(body)
            seq = max(seq, entry.seq)
        data = b'{"seq":%d,"changes":[%s]}' % (seq, b",".join(bodies))
        self._metrics.frames.inc()
        return self._event("change", seq, data.decode())

    def _event(self, name: str, seq: int, data: str) -> bytes:
        return f"id: {self._feed.epoch}-{seq}\nevent: {name}\ndata: {data}\n\n".encode()


def _sees(audience: Audience, entry: FeedEntry) -> bool:
    return audience.sees(entry.card.alert, entry.card.teams)
