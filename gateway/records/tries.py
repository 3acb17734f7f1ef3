"""Failed tries to sign in, counted in memory within fixed bounds."""

from collections import OrderedDict
from typing import Final

# Tries with a wrong secret within ``WINDOW_S``. One person at one desk mistypes a few
# times; a shared address (a clinic behind one router) many; an account tried from many
# places is attacked, but its doctor must still reach a high alert from the own desk.
MAX_PER_ACCOUNT_AND_SOURCE: Final = 5
MAX_PER_SOURCE: Final = 50
WINDOW_S: Final = 900.0

# Counters held: about 2 MB. Beyond it the one unused for longest goes.
MAX_COUNTERS: Final = 10_000


class FailedTries:
    """Counts failures per (account, source) and per source.

    ``now`` is a monotonic time in seconds.
    """

    def __init__(self) -> None:
        self._counters: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counters)

    def blocked_for(self, account: str, source: str, now: float) -> int:
        """Whole seconds until a try is looked at again; 0 when it is at once."""
        wait = 0.0
        for key, limit in _keys(account, source):
            began, count = self._counters.get(key, (now, 0))
            if count >= limit and now < began + WINDOW_S:
                wait = max(wait, began + WINDOW_S - now)
        return 0 if wait <= 0 else int(wait) + 1

    def failed(self, account: str, source: str, now: float) -> None:
        """Count one failure."""
        for key, _ in _keys(account, source):
            began, count = self._counters.pop(key, (now, 0))
            if now >= began + WINDOW_S:
                began, count = now, 0
            self._counters[key] = (began, count + 1)
        while len(self._counters) > MAX_COUNTERS:
            self._counters.popitem(last=False)

    def succeeded(self, account: str, source: str) -> None:
        """Forget the account's failures from this source, and this try of the source.

        A try is counted as failed before it is looked at (see ``Accounts``).
        """
        self._counters.pop((account, source), None)
        began, count = self._counters.get(("", source), (0.0, 0))
        if count:
            self._counters["", source] = (began, count - 1)


def _keys(account: str, source: str) -> tuple[tuple[tuple[str, str], int], ...]:
    return (
        ((account, source), MAX_PER_ACCOUNT_AND_SOURCE),
        (("", source), MAX_PER_SOURCE),
    )
