"""Access as a table: deny by default."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.alert import Alert
from gateway.model.people import Account, Role, TeamRole
from gateway.model.session import IdentifiedBy, MeasurementSession
from gateway.records.access import (
    Ties,
    Viewer,
    audience_of,
    is_doctor_of,
    may_act_on_alert,
    reading_grant,
    team_parts,
)
from tests.api.samples import NOW, make_alert

TIES = Ties(
    resident="r-1",
    teams=frozenset({"east"}),
    alert_teams=frozenset({"west"}),
    alert_assignees=frozenset({"me"}),
)


def account(*roles: Role, resident: str | None = None, stations: str = "") -> Account:
    return Account(
        id="me",
        name="Invented",
        roles=roles,
        resident=resident,
        stations=tuple(stations.split()),
    )


def session(resident: str, station: str) -> MeasurementSession:
    return MeasurementSession(
        id=f"{station}-{resident}",
        station=station,
        resident=resident,
        identified_by=IdentifiedBy.ID_CARD,
        opened_at=NOW - timedelta(minutes=1),
    )


@pytest.mark.parametrize("part", list(TeamRole))
@pytest.mark.parametrize("role", list(Role))
def test_a_part_in_a_team_needs_the_role(role: Role, part: TeamRole) -> None:
    doctor, specialist = team_parts(account(role), [("east", part)])
    is_doctor = role is Role.DOCTOR and part in (
        TeamRole.FAMILY_DOCTOR,
        TeamRole.DEPUTY,
    )
    is_specialist = (
        role in (Role.DOCTOR, Role.SPECIALIST) and part is TeamRole.SPECIALIST
    )
    assert doctor == (frozenset({"east"}) if is_doctor else frozenset())
    assert specialist == (frozenset({"east"}) if is_specialist else frozenset())


@pytest.mark.parametrize("role", list(Role))
def test_a_role_alone_grants_nothing(role: Role) -> None:
    viewer = Viewer(account=account(role, resident="r-2", stations="kiosk-1"))
    nobody = Ties(resident="r-1", teams=frozenset({"east"}))
    assert reading_grant(viewer, nobody) is None
    assert not is_doctor_of(viewer, nobody)


@pytest.mark.parametrize(
    ("viewer", "because"),
    [
        (Viewer(account=account(Role.RESIDENT, resident="r-1")), "own"),
        (Viewer(account=account(Role.ADMINISTRATOR, resident="r-1")), None),
        (
            Viewer(account=account(Role.DOCTOR), doctor_teams=frozenset({"east"})),
            "contract",
        ),
        (
            Viewer(account=account(Role.DOCTOR), doctor_teams=frozenset({"west"})),
            "open-alert",
        ),
        (
            Viewer(account=account(Role.DOCTOR), doctor_teams=frozenset({"north"})),
            None,
        ),
        (
            Viewer(
                account=account(Role.SPECIALIST), specialist_teams=frozenset({"north"})
            ),
            "escalated",
        ),
        (Viewer(account=account(Role.SPECIALIST)), None),
        (
            Viewer(
                account=account(Role.OPERATOR, stations="kiosk-1"),
                sessions=(session("r-1", "kiosk-1"),),
            ),
            "session",
        ),
        (
            Viewer(
                account=account(Role.OPERATOR, stations="kiosk-2"),
                sessions=(session("r-1", "kiosk-1"),),
            ),
            None,
        ),
        (
            Viewer(
                account=account(Role.OPERATOR, stations="kiosk-1"),
                sessions=(session("r-2", "kiosk-1"),),
            ),
            None,
        ),
        (
            Viewer(
                account=account(Role.AUDITOR, stations="kiosk-1"),
                sessions=(session("r-1", "kiosk-1"),),
            ),
            None,
        ),
    ],
)
def test_grants(viewer: Viewer, because: str | None) -> None:
    grant = reading_grant(viewer, TIES)
    assert (None if grant is None else grant.because) == because
    if because == "session":
        assert grant is not None
        assert grant.since == NOW - timedelta(minutes=1)
    elif grant is not None:
        assert grant.since is None


def test_referral_opens_the_history() -> None:
    viewer = Viewer(
        account=account(Role.SPECIALIST),
        specialist_teams=frozenset({"east"}),
        referred=frozenset({"r-9"}),
    )
    assert reading_grant(viewer, Ties(resident="r-9")) is not None
    assert reading_grant(viewer, Ties(resident="r-8")) is None


TEAMS = st.frozensets(st.sampled_from(["east", "west", ""]))
VIEWERS = st.builds(
    Viewer,
    account=st.builds(
        account,
        st.sampled_from(list(Role)),
        stations=st.sampled_from(["", "kiosk-1", "kiosk-1 kiosk-2"]),
    ),
    doctor_teams=TEAMS.map(lambda t: t - {""}),
    specialist_teams=TEAMS.map(lambda t: t - {""}),
)
ALERTS = st.builds(
    make_alert,
    team=st.sampled_from(["east", "west", ""]),
    assignee=st.sampled_from(["me", "dr.east", ""]),
    kind=st.sampled_from(["physiological", "technical"]),
    station=st.sampled_from(["", "kiosk-1", "kiosk-2"]),
)


@given(viewer=VIEWERS, alert=ALERTS, teams=TEAMS)
def test_nobody_acts_on_what_they_do_not_see(
    viewer: Viewer, alert: Alert, teams: frozenset[str]
) -> None:
    if may_act_on_alert(viewer, alert, teams):
        assert audience_of(viewer).sees(alert, teams)


@given(viewer=VIEWERS, alert=ALERTS, teams=TEAMS)
def test_health_alerts_are_for_doctors(
    viewer: Viewer, alert: Alert, teams: frozenset[str]
) -> None:
    if alert.kind == "physiological" and audience_of(viewer).sees(alert, teams):
        assert viewer.doctor_teams or viewer.specialist_teams
