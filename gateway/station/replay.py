"""Decoding a dead letter again, after a driver learnt what it is."""

from collections.abc import Callable, Iterable

from gateway.ports.clock import Clock
from gateway.ports.devices import DriverEvent, Undecodable
from gateway.ports.driving import EventSink, EventSource
from gateway.station.journal import SqliteJournal
from gateway.station.journal_schema import DeadLetter

# The link number of replayed events; connections count from 1.
REPLAY_LINK = -1

Decoder = Callable[[DeadLetter], Iterable[DriverEvent]]


async def replay(
    journal: SqliteJournal,
    sink: EventSink,
    clock: Clock,
    *,
    letter: int,
    using: Decoder,
) -> bool:
    """Decode a dead letter again; True when it is now understood.

    Raises:
        NotFoundError: there is none with this id.
        StorageError: the journal cannot be written.
    """
    held = await journal.dead_letter(letter)
    decoded = list(using(held))
    if not decoded or any(isinstance(event, Undecodable) for event in decoded):
        return False
    source = EventSource(device=held.device, driver=held.driver, link=REPLAY_LINK)
    for event in decoded:
        await sink.take(source, event)
    await sink.link_ended(source)
    await journal.mark_replayed(letter, clock.now())
    return True
