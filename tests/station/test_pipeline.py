from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.clock import ManualClock
from gateway.model.observation import (
    Absent,
    Component,
    Observation,
    Quality,
    Quantity,
    Setting,
    TimeQuality,
)
from gateway.model.session import IdentifiedBy, SessionEnd, TechnicalEvent
from gateway.model.waveform import LeadState, WaveformChunk, unpack_samples
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
from gateway.station.core import StationCore, open_core
from gateway.station.journal_schema import DeadLetter
from gateway.station.replay import replay
from gateway.station.view import needs_attention
from gateway.wire.batch import StationConfig, decode_body
from tests.station.fake_hub import START
from tests.station.samples import DEVICE, blood_pressure, component, spo2

SOURCE = EventSource(device=DEVICE, driver="test/1", link=1)
CARD = IdentifiedBy.ID_CARD


@dataclass
class Station:
    clock: ManualClock
    core: StationCore

    async def take(self, *events: DriverEvent, source: EventSource = SOURCE) -> None:
        for event in events:
            await self.core.pipeline.take(source, event)

    async def identify(self, resident: str) -> None:
        await self.core.sessions.open(resident=resident, identified_by=CARD)

    async def bodies(self) -> list[object]:
        entries = await self.core.journal.fresh(0, 4_000)
        return [decode_body(e.type, e.body) for e in entries]

    async def readings(self) -> list[Observation]:
        return [b for b in await self.bodies() if isinstance(b, Observation)]

    async def chunks(self) -> list[WaveformChunk]:
        return [b for b in await self.bodies() if isinstance(b, WaveformChunk)]

    async def events(self) -> list[tuple[str, bool]]:
        found = [b for b in await self.bodies() if isinstance(b, TechnicalEvent)]
        return [(e.code, e.active) for e in found]


async def make(path: Path, clock: ManualClock, quota: int = 50_000_000) -> Station:
    core = await open_core(
        path / "journal.db",
        station="kiosk-7",
        setting=Setting.KIOSK,
        zone=ZoneInfo("Asia/Shanghai"),
        clock=clock,
        quota_bytes=quota,
        idle=timedelta(minutes=5),
    )
    return Station(clock, core)


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    station = await make(tmp_path, ManualClock(START))
    yield station
    station.core.close()


def ecg(
    index: int, count: int, at: datetime, lead: LeadState = LeadState.ON
) -> Samples:
    return Samples(
        recording="r1",
        kind="ecg_lead_i",
        counts=tuple(range(count)),
        index=index,
        rate=100.0,
        scale=0.001,
        baseline=0,
        unit="mV",
        received_at=at,
        lead=lead,
    )


async def test_a_reading_is_committed_and_then_shown(station: Station) -> None:
    await station.identify("res-a")
    station.clock.advance(30)
    await station.take(spo2(station.clock.now()))
    (held,) = await station.readings()
    assert list(station.core.pipeline.seen.recent) == [held]
    assert held.subject == "res-a"
    assert held.session == station.core.sessions.current.id  # type: ignore[union-attr] # just opened
    assert held.time_quality is TimeQuality.RECEIVED
    assert held.quality is Quality.OK
    assert held.station == "kiosk-7"
    assert not needs_attention(held)


async def test_a_stored_reading_sent_again_is_one_reading(station: Station) -> None:
    reading = replace(spo2(START), sequence=17, stored=True)
    await station.take(reading)
    station.clock.advance(86_400)
    again = replace(reading, received_at=station.clock.now())
    await station.take(again, source=replace(SOURCE, link=2))
    assert len(await station.readings()) == 1
    assert len(station.core.pipeline.seen.recent) == 1


async def test_two_equal_live_values_are_two_readings(station: Station) -> None:
    await station.take(spo2(START), spo2(START + timedelta(seconds=1)))
    assert len(await station.readings()) == 2


async def test_a_late_context_does_not_make_a_second_reading(
    station: Station,
) -> None:
    first = replace(spo2(START), raw=b"measured", identity=b"record-9", sequence=9)
    second = replace(first, raw=b"measured+context", context={"meal": "fasting"})
    await station.take(first, second)
    assert len(await station.readings()) == 1


async def test_the_device_s_clock_corrects_its_times(station: Station) -> None:
    local = START.astimezone(ZoneInfo("Asia/Shanghai")).replace(tzinfo=None)
    hour = timedelta(hours=1)
    reading = replace(spo2(START), device_time=local - 2 * hour, stored=True)
    await station.take(ClockRead(device_time=local - hour, at=START), reading)
    # Another connection has not read the clock: its time is not corrected by the first.
    other = replace(reading, raw=b"\x09")
    await station.take(other, source=replace(SOURCE, link=2))
    corrected, unverified = await station.readings()
    assert corrected.taken_at == START - hour
    assert corrected.time_quality is TimeQuality.CORRECTED
    assert corrected.clock_offset == -7 * 3600.0
    assert corrected.device_time == (local - 2 * hour).isoformat()
    assert unverified.time_quality is TimeQuality.UNVERIFIED
    assert unverified.taken_at == START - 2 * hour


async def test_an_impossible_time_is_kept_and_shown(station: Station) -> None:
    reading = replace(spo2(START), device_time=datetime(2099, 1, 1))  # noqa: DTZ001
    await station.take(reading)
    (held,) = await station.readings()
    assert held.time_quality is TimeQuality.IMPOSSIBLE
    assert held.taken_at == START
    assert "time-impossible" in held.flags
    assert needs_attention(held)


async def test_the_card_changes_while_a_shown_measurement_runs(
    station: Station,
) -> None:
    await station.identify("res-a")
    for _ in range(10):
        station.clock.advance(4)
        await station.take(Live(name="cuff-pressure", value="140", unit="mm[Hg]"))
        if station.clock.monotonic() == 20:
            await station.identify("res-b")
    await station.take(blood_pressure(station.clock.now()))
    # The run is over: the next cuff without live pressure is not that measurement.
    station.clock.advance(4)
    await station.take(blood_pressure(station.clock.now(), raw=b"\x03"))
    first, second = await station.readings()
    assert first.subject == "res-a"
    assert second.subject is None
    assert "session-changed" in second.flags


async def test_the_card_changes_while_an_unseen_measurement_may_run(
    station: Station,
) -> None:
    await station.identify("res-a")
    station.clock.advance(60)
    await station.identify("res-b")
    station.clock.advance(30)
    await station.take(blood_pressure(station.clock.now()))
    (held,) = await station.readings()
    assert held.subject is None
    assert needs_attention(held)


async def test_a_finger_that_stays_in_the_sensor_is_nobody_s_until_it_is_out(
    station: Station,
) -> None:
    await station.identify("res-a")

    async def values(count: int) -> list[str | None]:
        before = len(await station.readings())
        for _ in range(count):
            station.clock.advance(5)
            await station.take(spo2(station.clock.now()))
        return [o.subject for o in (await station.readings())[before:]]

    assert await values(3) == ["res-a"] * 3
    await station.identify("res-b")
    assert (await values(6))[2:] == [None] * 4
    await station.take(Condition(code="probe-off"))
    station.clock.advance(5)
    assert await values(2) == ["res-b"] * 2


async def test_an_aborted_session_takes_no_more_readings(station: Station) -> None:
    await station.identify("res-a")
    station.clock.advance(60)
    await station.take(Live(name="cuff-pressure", value="90"))
    await station.core.sessions.close(SessionEnd.ABORTED)
    station.clock.advance(5)
    await station.take(blood_pressure(station.clock.now()))
    (held,) = await station.readings()
    assert (held.session, held.subject) == (None, None)


async def test_slots_give_an_owner(station: Station) -> None:
    config = StationConfig(schema=1, version=1, slots={f"{DEVICE}#1": "res-c"})
    await station.core.sessions.configure(config)
    await station.take(replace(spo2(START), user_slot=1, stored=True, sequence=1))
    (held,) = await station.readings()
    assert (held.session, held.subject) == (None, "res-c")


async def test_undecodable_bytes_are_kept_and_replayable(station: Station) -> None:
    raw = b"\xaa\x55\xff"
    await station.take(
        Undecodable(raw=raw, reason="checksum", received_at=START, channel="2a35")
    )
    (letter,) = await station.core.journal.dead_letters(limit=9)
    assert (letter.raw, letter.reason, letter.channel) == (raw, "checksum", "2a35")
    assert letter.device == DEVICE

    def still_wrong(held: DeadLetter) -> list[DriverEvent]:
        return [Undecodable(raw=held.raw, reason="checksum", received_at=START)]

    def now_right(held: DeadLetter) -> list[DriverEvent]:
        return [spo2(held.first_at, raw=held.raw)]

    core = station.core
    for using, expected, left in ((still_wrong, False, 1), (now_right, True, 0)):
        done = await replay(
            core.journal, core.pipeline, core.clock, letter=letter.id, using=using
        )
        assert done is expected
        assert core.journal.figures.dead_letters == left
    assert len(await station.readings()) == 1


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        (replace(spo2(START), kind="mood"), "unknown-kind"),
        (replace(spo2(START), components=()), "no-components"),
        (replace(spo2(START), raw=bytes(300_000)), "too-large"),
        (replace(spo2(START), flags=("\ud800",)), "unencodable"),
    ],
)
async def test_what_is_no_reading_is_set_aside(
    station: Station, reading: Reading, reason: str
) -> None:
    await station.take(reading)
    (letter,) = await station.core.journal.dead_letters(limit=9)
    assert letter.reason.startswith(reason)
    assert await station.bodies() == []


async def test_samples_that_cannot_be_are_set_aside(station: Station) -> None:
    bad = replace(ecg(0, 10, START), rate=-1.0)
    await station.take(bad, replace(ecg(0, 10, START), counts=(2**70,)))
    letters = await station.core.journal.dead_letters(limit=9)
    assert {letter.reason for letter in letters} == {"sample-rate", "sample-value"}


async def test_waveforms_are_committed_in_chunks_under_who_began_them(
    station: Station,
) -> None:
    await station.identify("res-a")
    station.clock.advance(30)
    for i in range(15):
        station.clock.advance(1)
        await station.take(ecg(i * 100, 100, station.clock.now()))
        if i == 12:
            await station.identify("res-b")
    assert len(await station.chunks()) == 1
    await station.core.pipeline.link_ended(SOURCE)
    first, second = await station.chunks()
    assert (first.count, second.count, second.final) == (1000, 500, True)
    assert first.subject == second.subject == "res-a"
    assert unpack_samples(second.samples, 500) == [i % 100 for i in range(500)]


async def test_a_stream_that_goes_silent_is_committed(station: Station) -> None:
    await station.take(ecg(0, 100, station.clock.now()))
    station.clock.advance(16)
    await station.core.pipeline.tick()
    assert [c.count for c in await station.chunks()] == [100]


async def test_a_bookmark_waits_for_what_came_before(station: Station) -> None:
    await station.take(
        ecg(0, 100, station.clock.now()), Bookmark(key="sequence", value="5")
    )
    assert [c.count for c in await station.chunks()] == [100]
    assert await station.core.journal.bookmarks(DEVICE) == {"sequence": "5"}


async def test_a_refused_reading_holds_its_bookmark_back(tmp_path: Path) -> None:
    station = await make(tmp_path, ManualClock(START), quota=1_000)
    await station.take(
        replace(spo2(START), sequence=5, stored=True), Bookmark(key="k", value="5")
    )
    assert await station.core.journal.bookmarks(DEVICE) == {}
    assert station.core.pipeline.bookmarks_withheld == 1
    assert station.core.journal.figures.refused_readings == 1
    assert "journal-full" in station.core.events.active
    assert list(station.core.pipeline.seen.recent) == []
    station.core.close()


async def test_the_quota_is_told_at_80_percent_and_when_it_is_over(
    tmp_path: Path,
) -> None:
    station = await make(tmp_path, ManualClock(START), quota=300_000)
    number = 0
    while station.core.journal.figures.fill < 0.80:
        number += 1
        await station.take(
            replace(spo2(START), raw=bytes(2_000), sequence=number, stored=True)
        )
    await station.core.pipeline.tick()
    assert station.core.events.active == ["journal-quota"]
    journal = station.core.journal
    await journal.acknowledge(journal.epoch, journal.figures.last_seq, [])
    station.clock.advance(10)
    await station.core.pipeline.tick()
    assert station.core.events.active == []
    assert await station.events() == [("journal-quota", False)]
    station.core.close()


async def test_conditions_are_recorded_once_and_not_while_they_flicker(
    station: Station,
) -> None:
    for _ in range(50):
        await station.take(
            Condition(code="probe-off"), Condition(code="probe-off", active=False)
        )
    await station.take(Condition(code="probe-off"))
    assert await station.events() == [("probe-off", True)]
    station.clock.advance(6)
    await station.core.pipeline.tick()
    assert await station.events() == [("probe-off", True)] * 2
    await station.take(Condition(code="probe-off", active=False))
    station.clock.advance(6)
    await station.core.pipeline.tick()
    assert (await station.events())[2:] == [("probe-off", False)]


async def test_conditions_are_over_after_a_restart(
    station: Station, tmp_path: Path
) -> None:
    await station.take(Condition(code="probe-off"))
    station.core.close()
    again = await make(tmp_path, station.clock)
    assert await again.events() == [("probe-off", True), ("probe-off", False)]
    again.core.close()
    third = await make(tmp_path, station.clock)
    assert len(await third.events()) == 2
    third.core.close()


async def test_battery_and_identity_are_shown(station: Station) -> None:
    await station.take(
        Identified(manufacturer="Invented", model="M1", serial="1"),
        Battery(percent=15),
        Battery(percent=25),
    )
    seen = station.core.pipeline.seen
    assert seen.identities[DEVICE].model == "M1"
    assert seen.batteries == {DEVICE: 25}
    assert station.core.events.active == [f"battery-low:{DEVICE}"]
    await station.take(Battery(percent=90))
    assert station.core.events.active == []


async def test_live_values_are_gone_with_the_link(station: Station) -> None:
    await station.take(Live(name="spo2", value="97", unit="%"))
    assert [v.value for v in station.core.pipeline.seen.live] == ["97"]
    await station.core.pipeline.link_ended(SOURCE)
    assert station.core.pipeline.seen.live == []
    assert await station.bodies() == []


async def test_a_damaged_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"garbage" * 1_000)
    station = await make(tmp_path, ManualClock(START))
    assert await station.events() == [("journal-damaged", False)]
    station.core.close()


async def test_hi_is_a_reading(station: Station) -> None:
    whole = component("glucose_capillary", None)
    quantity = Quantity(unit="mmol/L", absent=Absent.ABOVE_RANGE)
    part = Component(name=whole.name, code=whole.code, quantity=quantity)
    await station.take(
        Reading(kind=whole.name, components=(part,), raw=b"HI", received_at=START)
    )
    (held,) = await station.readings()
    assert held.quality is Quality.OK
    assert held.components == (part,)


async def test_a_clock_time_beside_the_stamp_dates_the_reading(
    station: Station,
) -> None:
    # A glucose meter counts from a base time; its wall clock was moved by an hour.
    local = START.astimezone(ZoneInfo("Asia/Shanghai")).replace(tzinfo=None)
    reading = replace(
        spo2(START),
        sequence=4,
        stored=True,
        device_time=local - timedelta(hours=3),
        clock_time=local - timedelta(hours=2),
    )
    await station.take(ClockRead(device_time=local, at=START), reading)
    (held,) = await station.readings()
    assert held.taken_at == START - timedelta(hours=2)
    assert held.device_time == (local - timedelta(hours=3)).isoformat()
