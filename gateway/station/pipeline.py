"""From a driver's events to the journal, and only then to the operator's screen.

``Pipeline`` is the supervisor's ``EventSink``: what it has taken is committed. Nothing
a device sends raises here; what cannot be stored as a reading is set aside with its
reason. Only a journal that cannot be written raises, which ends the device's session
before the device is allowed to forget anything.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from gateway.codes import readings
from gateway.errors import QuotaExceededError, StorageError
from gateway.model.observation import Observation, Quality
from gateway.model.waveform import LeadState
from gateway.ports.clock import Clock
from gateway.ports.devices import (
    Battery,
    Bookmark,
    ClockRead,
    Condition,
    DriverEvent,
    Identified,
    Live,
    Reading,
    Samples,
    Undecodable,
)
from gateway.ports.driving import EventSource
from gateway.ports.journal import EntryType, NewEntry
from gateway.station import observations, waveforms
from gateway.station.events import Events
from gateway.station.journal import SqliteJournal
from gateway.station.journal_file import MAX_ENTRY_BYTES
from gateway.station.journal_schema import NewDeadLetter
from gateway.station.quota import QuotaWatch
from gateway.station.runs import Runs
from gateway.station.seen import LiveValue, Seen, remember
from gateway.station.session_rules import Owner, Taken
from gateway.station.sessions import Sessions
from gateway.station.timekeeping import DeviceClock, read_clock, timing
from gateway.station.waveforms import Assembler, Drift, Segment
from gateway.wire.batch import encode_body

# Links whose clock or refusal is remembered; ended ones are forgotten at once.
MAX_LINKS: Final = 256
# How often stalled streams, idle sessions and the quota are looked at (s).
TICK_SECONDS: Final = 1.0
# Charge in percent: said to be low, and no longer.
BATTERY_LOW: Final = 20
BATTERY_LOW_OVER: Final = 30


@dataclass(slots=True)
class _Link:
    clock: DeviceClock | None = None
    # Something of this link was refused: its bookmarks must not move past it.
    refused: bool = False


class Pipeline:
    """Takes what drivers yield; see the module's docstring."""

    def __init__(
        self,
        journal: SqliteJournal,
        sessions: Sessions,
        events: Events,
        clock: Clock,
        *,
        station: str,
        zone: ZoneInfo,
    ) -> None:
        self._journal = journal
        self._sessions = sessions
        self._events = events
        self._clock = clock
        self._station = station
        self._zone = zone
        self._quota = QuotaWatch(journal, events)
        self._runs = Runs()
        self._assembler = Assembler()
        self._links: dict[tuple[str, int], _Link] = {}
        self.seen = Seen()
        # Bookmarks held back because something before them was refused.
        self.bookmarks_withheld = 0

    @property
    def overlapped_samples(self) -> int:
        """Samples that a device sent twice, kept once."""
        return self._assembler.overlapped

    async def take(self, source: EventSource, event: DriverEvent) -> None:
        """Commit an event, then show it.

        Raises:
            StorageError: the journal cannot be written (not: its quota is used up).
        """
        match event:
            case Reading():
                await self._reading(source, event)
            case Samples():
                await self._samples(source, event)
            case Undecodable():
                await self._set_aside(
                    source, event.raw, event.reason, event.received_at, event.channel
                )
            case Condition():
                await self._condition(source, event)
            case Bookmark():
                await self._bookmark(source, event)
            case ClockRead():
                await self._clock_read(source, event)
            case Battery():
                await self._battery(source, event)
            case Identified():
                self.seen.identified(source.device, event)
            case Live():
                self._live_value(source, event)

    async def link_ended(self, source: EventSource) -> None:
        """Commit what is buffered of the link, and forget its clock.

        Raises:
            StorageError: the journal cannot be written.
        """
        link = self._links.pop((source.device, source.link), _Link())
        self.seen.device_gone(source.device)
        ended = self._assembler.link_ended(source.device, source.link)
        await self._commit_streams(ended, link)
        self._runs.device_gone(source.device)

    async def start(self) -> None:
        """Say what was found at the start; call once, after the restores.

        Raises:
            StorageError: the journal cannot be written.
        """
        if self._journal.set_aside is not None:
            await self._events.note(
                "journal-damaged",
                detail=f"Set aside as {self._journal.set_aside.name}.",
            )

    async def run(self) -> None:
        """Look after stalled streams, idle sessions and the quota until cancelled."""
        while True:
            await self._clock.sleep(TICK_SECONDS)
            # A journal that cannot be written shows in ``take`` and in the status.
            with suppress(StorageError):
                await self.tick()

    async def tick(self) -> None:
        """One look at everything that has a deadline.

        Raises:
            StorageError: the journal cannot be written.
        """
        stalled = self._assembler.stalled(self._clock.now())
        await self._commit_streams(stalled, _Link())
        await self._sessions.tick()
        await self._quota.look()
        await self._events.tick()

    # --- readings --------------------------------------------------------------------

    async def _reading(self, source: EventSource, reading: Reading) -> None:
        fault = observations.fault(reading)
        if fault:
            await self._set_aside(source, reading.raw, fault, reading.received_at)
            return
        link = self._link(source)
        observation = self._observe(source, reading, link)
        if not reading.stored:
            self._runs.result(
                source.device,
                reading.kind,
                reading.received_at,
                valid=observation.quality is not Quality.INVALID,
            )
        try:
            body = encode_body(observation)
        except (ValueError, OverflowError):
            # A text that is no Unicode, a number beyond 64 bits.
            body = b""
        if not 0 < len(body) <= MAX_ENTRY_BYTES:
            reason = "too-large" if body else "unencodable"
            await self._set_aside(source, reading.raw, reason, reading.received_at)
            return
        entry = NewEntry(
            type=EntryType.READING,
            key=observation.id.bytes,
            body=body,
            at=reading.received_at,
        )
        seqs = await self._append([entry], link)
        if seqs is not None and seqs[0] is not None:
            self.seen.reading(observation)

    def _observe(
        self, source: EventSource, reading: Reading, link: _Link
    ) -> Observation:
        when = timing(
            device_time=reading.clock_time or reading.device_time,
            received_at=reading.received_at,
            clock=link.clock,
            zone=self._zone,
            stored=reading.stored,
            flags=reading.flags,
        )
        return observations.observation(
            reading,
            source=source,
            station=self._station,
            setting=self._sessions.setting,
            timing=when,
            owner=self._owner(source, reading, when.instant, dated=when.exact),
        )

    def _owner(
        self, source: EventSource, reading: Reading, instant: datetime, *, dated: bool
    ) -> Owner:
        started_at = None
        at = instant
        if not reading.stored:
            at = reading.received_at
            started_at = self._runs.started_at(source.device, reading.kind, at)
        return self._sessions.owner(
            Taken(
                device=source.device,
                kind=reading.kind,
                at=at,
                started_at=started_at,
                user_slot=reading.user_slot,
                stored=reading.stored,
                dated=dated,
            )
        )

    # --- waveforms -------------------------------------------------------------------

    async def _samples(self, source: EventSource, samples: Samples) -> None:
        fault = waveforms.fault(samples)
        if samples.kind not in readings():
            fault = "unknown-kind"
        if fault:
            raw = msgspec.msgpack.encode([str(count) for count in samples.counts])
            await self._set_aside(source, raw, fault, samples.received_at)
            return
        device, at = source.device, samples.received_at
        worn = samples.lead is not LeadState.OFF
        if worn:
            self._runs.progress(device, samples.kind, at)
        done = self._assembler.add(device, source.driver, source.link, samples)
        await self._commit_streams(done, self._link(source))
        if not worn:
            self._runs.result(device, samples.kind, at, valid=False)

    async def _commit_streams(
        self, items: Iterable[Segment | Drift], link: _Link
    ) -> None:
        entries = []
        for item in items:
            if isinstance(item, Drift):
                await self._events.note(
                    "waveform-drift",
                    device=item.device,
                    detail=f"{item.kind}: {item.seconds:+.2f} s in {item.over:.0f} s.",
                )
                continue
            kind, at = item.last.kind, item.received_at
            started_at = self._runs.started_at(item.device, kind, at)
            owner = self._sessions.owner(
                Taken(
                    device=item.device,
                    kind=kind,
                    at=at,
                    started_at=started_at or item.started_at,
                )
            )
            chunk = observations.waveform(
                item, station=self._station, setting=self._sessions.setting, owner=owner
            )
            entries.append(
                NewEntry(
                    type=EntryType.WAVEFORM,
                    key=chunk.id.bytes,
                    body=encode_body(chunk),
                    at=item.received_at,
                )
            )
        if entries:
            await self._append(entries, link)

    # --- everything else -------------------------------------------------------------

    async def _set_aside(
        self,
        source: EventSource,
        raw: bytes,
        reason: str,
        at: datetime,
        channel: str = "",
    ) -> None:
        letter = NewDeadLetter(
            device=source.device,
            driver=source.driver,
            reason=reason,
            raw=raw,
            at=at,
            channel=channel,
        )
        try:
            await self._journal.add_dead_letter(letter)
        except QuotaExceededError:
            self._link(source).refused = True
            await self._quota.refused()

    async def _condition(self, source: EventSource, condition: Condition) -> None:
        if condition.active and Runs.ends(condition.code):
            # What was sampled before the sensor came off belongs to who wore it.
            flushed = self._assembler.flush(source.device)
            await self._commit_streams(flushed, self._link(source))
            self._runs.condition(source.device, condition.code)
        await self._events.set(
            condition.code,
            active=condition.active,
            device=source.device,
            detail=condition.detail,
        )

    async def _bookmark(self, source: EventSource, bookmark: Bookmark) -> None:
        link = self._link(source)
        await self._commit_streams(self._assembler.flush(source.device), link)
        if link.refused:
            self.bookmarks_withheld += 1
            return
        await self._journal.set_bookmark(source.device, bookmark.key, bookmark.value)

    async def _clock_read(self, source: EventSource, read: ClockRead) -> None:
        clock = read_clock(read, self._zone)
        self._link(source).clock = clock
        if clock.synchronised:
            await self._events.set("clock-wrong", active=False, device=source.device)

    async def _battery(self, source: EventSource, battery: Battery) -> None:
        self.seen.battery(source.device, battery.percent)
        low = battery.percent <= BATTERY_LOW and not battery.charging
        if low or battery.charging or battery.percent >= BATTERY_LOW_OVER:
            await self._events.set("battery-low", active=low, device=source.device)

    def _live_value(self, source: EventSource, live: Live) -> None:
        now = self._clock.now()
        self._runs.progress(source.device, live.name, now)
        self.seen.live_value(
            LiveValue(
                device=source.device,
                name=live.name,
                value=live.value,
                unit=live.unit,
                at=now,
            )
        )

    def _link(self, source: EventSource) -> _Link:
        key = (source.device, source.link)
        link = self._links.get(key)
        if link is None:
            link = _Link()
            remember(self._links, key, link, limit=MAX_LINKS)
        return link

    async def _append(
        self, entries: list[NewEntry], link: _Link
    ) -> list[int | None] | None:
        """Commit; None when the quota refused it, which the journal counts."""
        try:
            return await self._journal.append(entries)
        except QuotaExceededError:
            link.refused = True
            await self._quota.refused()
            return None
