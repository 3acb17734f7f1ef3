"""The journal's fill, told to the operator before and when it refuses."""

from typing import Final

from gateway.station.events import Events
from gateway.station.journal import SqliteJournal

# Part of the quota at which the operator is told, and at which it is over: apart, so
# that it does not flicker.
WARNING: Final = 0.80
WARNING_OVER: Final = 0.70
FULL_OVER: Final = 0.85


class QuotaWatch:
    """Raises ``journal-quota`` and ``journal-full``, and clears them."""

    def __init__(self, journal: SqliteJournal, events: Events) -> None:
        self._journal = journal
        self._events = events

    async def refused(self) -> None:
        """The journal refused something, and has counted it.

        Raises:
            StorageError: the journal cannot be written.
        """
        figures = self._journal.figures
        detail = (
            f"{figures.refused_readings} readings, {figures.refused_waveforms}"
            " waveform chunks refused."
        )
        await self._events.set("journal-full", active=True, detail=detail)

    async def look(self) -> None:
        """Compare the fill with the thresholds.

        Raises:
            StorageError: the journal cannot be written.
        """
        fill = self._journal.figures.fill
        if fill >= WARNING:
            await self._events.set(
                "journal-quota", active=True, detail=f"{fill:.0%} of the quota used."
            )
        elif fill < WARNING_OVER:
            await self._events.set("journal-quota", active=False)
        if fill < FULL_OVER:
            await self._events.set("journal-full", active=False)
