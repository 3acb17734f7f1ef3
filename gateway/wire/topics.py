"""Topic names. No person's name is ever part of one.

vitalgate/v1/{site}/{station}/up/readings|waveforms|status
vitalgate/v1/{site}/{station}/down/ack|session|config|command
vitalgate/v1/{site}/alerts/{team}
"""

import re
from dataclasses import dataclass

from gateway.errors import WireError

PREFIX = "vitalgate/v1"

# One topic level. No dots, spaces or wildcards, so that it is also one NATS token.
IDENTIFIER = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?\Z")

UP = ("readings", "waveforms", "status")
DOWN = ("ack", "session", "config", "command")


@dataclass(frozen=True, slots=True)
class StationTopics:
    """The topics of one station."""

    site: str
    station: str

    def __post_init__(self) -> None:
        """Refuse what cannot be a topic level."""
        for name, value in (("site", self.site), ("station", self.station)):
            if not IDENTIFIER.match(value):
                raise WireError(
                    f"{name}: not a valid identifier.",
                    reason="identifier",
                    remedy="Use 1-63 of a-z, 0-9, - and _.",
                )

    def up(self, name: str) -> str:
        """A topic the station publishes to."""
        return f"{PREFIX}/{self.site}/{self.station}/up/{name}"

    def down(self, name: str) -> str:
        """A topic the station listens to."""
        return f"{PREFIX}/{self.site}/{self.station}/down/{name}"

    @property
    def down_filter(self) -> str:
        """Subscription of everything sent to the station."""
        return f"{PREFIX}/{self.site}/{self.station}/down/+"


UP_FILTER = f"{PREFIX}/+/+/up/+"


def alert_topic(site: str, team: str) -> str:
    """Where a team's alerts are published."""
    return f"{PREFIX}/{site}/alerts/{team}"


def parse_up(topic: str) -> tuple[str, str, str]:
    """(site, station, name) of an ``up`` topic.

    Raises:
        WireError: it is not one.
    """
    parts = topic.split("/")
    expected_levels = 6
    if (
        len(parts) != expected_levels
        or "/".join(parts[:2]) != PREFIX
        or parts[4] != "up"
        or parts[5] not in UP
        or not IDENTIFIER.match(parts[2])
        or not IDENTIFIER.match(parts[3])
    ):
        raise WireError("topic: not a station's up topic.", reason="topic")
    return parts[2], parts[3], parts[5]
