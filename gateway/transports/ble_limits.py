"""The deadlines and sizes of the radio, each with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioLimits:
    """How long the radio waits and how much it holds.

    Attributes:
        scan_start_s: starting or stopping a scan. BlueZ answers within a second; a dead
            D-Bus daemon never does.
        silence_s: no advertisement from anybody for so long means that the scanner has
            gone deaf. Health devices advertise at least every 2 s while awake, and a
            clinic is never without phones; 90 s is what habluetooth found to be safe.
        watchdog_interval_s: how often the silence is looked at.
        restart_backoff_s: pause before the first restart of a scan; it doubles.
        restart_backoff_cap_s: longest pause, so that a replugged adapter is back soon.
        deaf_after_restarts: restarts in vain after which the operator is told.
        pending_sightings: devices waiting for a slow reader. Only the newest sighting
            of each is kept; a crowd of phones with changing addresses is the only way
            to reach the limit.
        connect_attempts: tries of one connection; each costs up to 20 s.
        connect_s: all tries together. Cuffs stay connectable for 30 to 60 s.
        connect_queue_s: waiting for another device's connection to be made, because a
            controller makes one at a time.
        concurrent_connects: BlueZ refuses a second one with InProgress.
        operation_s: a read, write or subscription. Attribute transactions end after
            30 s by the specification; a device that needs more than 10 s is gone.
        pair_s: pairing; a person may have to read and type six digits.
        stop_notify_s: stopping one subscription while closing.
        disconnect_s: BlueZ takes 2 to 3 s, and for ever when its device object went.
        queued_values: values received and not yet taken. A meter sends its 1,000
            records with contexts as 2,000 values in one burst.
        queued_bytes: their size; a value has at most 512 octets, most have 20.
    """

    scan_start_s: float = 10.0
    silence_s: float = 90.0
    watchdog_interval_s: float = 5.0
    restart_backoff_s: float = 1.0
    restart_backoff_cap_s: float = 60.0
    deaf_after_restarts: int = 3
    pending_sightings: int = 512
    connect_attempts: int = 2
    connect_s: float = 45.0
    connect_queue_s: float = 60.0
    concurrent_connects: int = 1
    operation_s: float = 10.0
    pair_s: float = 60.0
    stop_notify_s: float = 2.0
    disconnect_s: float = 10.0
    queued_values: int = 8192
    queued_bytes: int = 1_048_576


DEFAULT_LIMITS = RadioLimits()
