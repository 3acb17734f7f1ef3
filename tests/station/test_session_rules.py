from datetime import UTC, datetime, timedelta

import pytest

from gateway.model.observation import Setting
from gateway.model.session import IdentifiedBy, MeasurementSession, SessionEnd
from gateway.station.session_rules import Owner, Taken, owner

T0 = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
CUFF = "blood_pressure_panel"
SCALE = "body_weight"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def session(
    name: str,
    opened: float,
    closed: float | None = None,
    end: SessionEnd = SessionEnd.NEXT_PERSON,
) -> MeasurementSession:
    return MeasurementSession(
        id=f"session-{name}",
        station="kiosk-7",
        resident=f"res-{name}",
        identified_by=IdentifiedBy.ID_CARD,
        opened_at=at(opened),
        closed_at=None if closed is None else at(closed),
        end=None if closed is None else end,
    )


def whose(
    sessions: list[MeasurementSession],
    *,
    kind: str = CUFF,
    ended: float,
    started: float | None = None,
    slots: dict[str, str] | None = None,
    slot: int | None = None,
    stored: bool = False,
    dated: bool = True,
) -> Owner:
    return owner(
        Taken(
            device="dev-1",
            kind=kind,
            at=at(ended),
            started_at=None if started is None else at(started),
            user_slot=slot,
            stored=stored,
            dated=dated,
        ),
        sessions=sessions,
        slots=slots or {},
        setting=Setting.KIOSK,
    )


A, B = "res-a", "res-b"


@pytest.mark.parametrize(
    ("sessions", "kind", "started", "ended", "subject", "flag"),
    [
        # The driver shows the start: the session of that moment, however it went on.
        ([session("a", 0)], CUFF, 10, 60, A, ""),
        ([session("a", 0, 30), session("b", 30)], CUFF, 10, 60, A, ""),
        ([session("a", 0, 30, SessionEnd.FINISHED)], CUFF, 10, 60, A, ""),
        ([session("a", 0, 30), session("b", 30)], CUFF, 31, 70, B, ""),
        ([session("a", 0, 30, SessionEnd.ABORTED)], CUFF, 10, 60, None, ""),
        ([session("a", 20)], CUFF, 10, 60, None, "before-session"),
        ([], CUFF, 10, 60, None, ""),
        # Far longer than a cuff takes: something else went on.
        (
            [session("a", 0, 30), session("b", 30)],
            CUFF,
            10,
            200,
            None,
            "session-changed",
        ),
        # A finger that stays in the oximeter while the next card is shown.
        (
            [session("a", 0, 30), session("b", 30)],
            "spo2",
            10,
            40,
            None,
            "session-changed",
        ),
        ([session("a", 0, 30), session("b", 30)], "spo2", 20, 34, A, ""),
        ([session("a", 0)], "spo2", 10, 500, A, ""),
        # The start is not shown.
        ([session("a", 0)], CUFF, None, 60, A, ""),
        ([session("a", 0)], CUFF, None, 10, None, "before-session"),
        (
            [session("a", 0, 30), session("b", 30)],
            CUFF,
            None,
            100,
            None,
            "session-changed",
        ),
        ([session("a", 0, 30), session("b", 30)], CUFF, None, 151, B, ""),
        (
            [session("a", 0, 30, SessionEnd.FINISHED)],
            CUFF,
            None,
            40,
            None,
            "session-changed",
        ),
        ([session("a", 0, 30, SessionEnd.FINISHED)], CUFF, None, 600, None, ""),
        (
            [session("a", 0, 30), session("b", 30)],
            SCALE,
            None,
            50,
            None,
            "session-changed",
        ),
        ([session("a", 0, 30), session("b", 30)], SCALE, None, 61, B, ""),
        ([], SCALE, None, 50, None, ""),
    ],
)
def test_live_readings_at_a_shared_station(
    sessions: list[MeasurementSession],
    kind: str,
    started: float | None,
    ended: float,
    subject: str | None,
    flag: str,
) -> None:
    found = whose(sessions, kind=kind, started=started, ended=ended)
    assert found.subject == subject
    assert found.flags == ((flag,) if flag else ())
    assert (found.session is None) == (subject is None)


def test_a_stored_reading_is_not_given_to_the_open_session() -> None:
    sessions = [session("b", 1_000)]
    assert whose(sessions, ended=500, stored=True).subject is None
    assert whose(sessions, ended=1_200, stored=True).subject == B
    # Its time must be known to seconds for that.
    assert whose(sessions, ended=1_200, stored=True, dated=False).subject is None


def test_a_stored_reading_goes_to_the_closed_session_it_was_taken_in() -> None:
    sessions = [session("a", 0, 600), session("b", 1_000)]
    assert whose(sessions, ended=300, stored=True).session == "session-a"


def test_a_stored_reading_goes_to_the_person_of_its_slot() -> None:
    slots = {"dev-1#2": B, "dev-1#1": A}
    sessions = [session("c", 1_000)]
    found = whose(sessions, ended=10, stored=True, slots=slots, slot=2)
    assert found == Owner(subject=B)
    assert whose(sessions, ended=10, stored=True, slots=slots).subject is None


def test_a_whole_device_can_belong_to_one_person() -> None:
    assert whose([], ended=10, slots={"dev-1#": A}, slot=3).subject == A
    assert whose([], ended=10, slots={"dev-9#": A}).subject is None


def test_session_and_slot_that_disagree_leave_it_unclaimed() -> None:
    found = whose([session("a", 0)], ended=60, slots={"dev-1#": B})
    assert found == Owner(flags=("identity-conflict",))
    agreed = whose([session("a", 0)], ended=60, slots={"dev-1#": A})
    assert agreed.session == "session-a"


def test_at_home_the_slot_comes_first() -> None:
    taken = Taken(device="dev-1", kind=CUFF, at=at(60))
    for slots, expected in (
        ({"dev-1#": B}, Owner(subject=B)),
        ({}, Owner(session="session-a", subject=A)),
    ):
        found = owner(
            taken, sessions=[session("a", 0)], slots=slots, setting=Setting.HOME
        )
        assert found == expected
