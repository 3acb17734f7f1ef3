"""What an administrator enters: residents, teams, contracts, devices, accounts."""

from collections.abc import Callable

from gateway.database.engine import Database
from gateway.errors import RequestError
from gateway.model.people import Role
from gateway.ports.clock import Clock
from gateway.records.access import Viewer
from gateway.records.accounts import Passwords
from gateway.records.audit import AuditTrail
from gateway.records.enrolment import Loaded, apply_roster
from gateway.records.roster import (
    AccountEntry,
    ContractEntry,
    DeviceEntry,
    ResidentEntry,
    Roster,
    StationEntry,
    TeamEntry,
)
from gateway.services.access import require_role

__all__ = [
    "AccountEntry",
    "ContractEntry",
    "DeviceEntry",
    "Enrolment",
    "Loaded",
    "ResidentEntry",
    "Roster",
    "StationEntry",
    "TeamEntry",
]


class Enrolment:
    """Upserts entries; ``changed`` is called when who sees whom may have changed."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        audit: AuditTrail,
        passwords: Passwords,
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._passwords = passwords
        self._changed: list[Callable[[], None]] = []

    def on_change(self, changed: Callable[[], None]) -> None:
        """Have ``changed`` called after every upsert that changed something."""
        self._changed.append(changed)

    async def put(self, viewer: Viewer, roster: Roster) -> Loaded:
        """Store entries, all or none.

        Raises:
            AccessDeniedError: not an administrator.
            RequestError: an entry refers to something that does not exist, or the
                administrator would lock themselves out.
        """
        require_role(viewer, Role.ADMINISTRATOR)
        for entry in roster.accounts:
            locks_out = entry.disabled or Role.ADMINISTRATOR not in entry.roles
            if entry.id == viewer.id and locks_out:
                raise RequestError("account: you cannot take your own access away.")
        done = await apply_roster(
            self._database,
            roster,
            passwords=self._passwords,
            clock=self._clock,
            audit=self._audit,
            actor=viewer.id,
        )
        if done.changed:
            for changed in self._changed:
                changed()
        return done
