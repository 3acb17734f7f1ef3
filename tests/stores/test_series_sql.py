"""The contract of the series port, on the embedded store."""

from datetime import timedelta
from decimal import Decimal

from gateway.database.engine import Database
from gateway.model.observation import Absent, Observation
from gateway.model.session import Attribution
from gateway.model.waveform import WaveformChunk, unpack_samples
from gateway.stores.series_sql import SqlSeries
from tests.stores.build import START, TableLog, attribution, chunk, observation

DAY = timedelta(days=1)
Body = Observation | WaveformChunk | Attribution


async def project(store: SqlSeries, entries: TableLog, *bodies: Body) -> None:
    committed = await entries.append(*bodies)
    await entries.database.write(lambda c: store.apply(c, committed))


async def test_writing_twice_changes_nothing(database: Database) -> None:
    store = SqlSeries(database)
    readings = [observation(n) for n in range(5)]
    await store.write(readings, [chunk(0)])
    await store.write(readings, [chunk(0)])
    points = await store.points("r-invented-1", "spo2", START, START + DAY, 100)
    assert [p.at for p in points] == [r.taken_at for r in readings]
    assert len(await store.waveforms("r-invented-1", "ecg_lead_i", START, START + DAY))


async def test_a_panel_is_stored_per_component_with_one_observation(
    database: Database,
) -> None:
    store = SqlSeries(database)
    reading = observation(
        1,
        kind="blood_pressure_panel",
        values={"systolic": Decimal("151.5"), "diastolic": Decimal(92)},
    )
    await store.write([reading], [])
    newest = await store.latest("r-invented-1")
    assert newest["systolic"].value == Decimal("151.5")
    assert {p.observation for p in newest.values()} == {reading.id}


async def test_hi_and_lo_are_kept_as_readings(database: Database) -> None:
    store = SqlSeries(database)
    await store.write(
        [
            observation(
                1,
                kind="glucose_capillary",
                values={"glucose_capillary": Absent.ABOVE_RANGE},
            )
        ],
        [],
    )
    (point,) = await store.points(
        "r-invented-1", "glucose_capillary", START, START + DAY, 10
    )
    assert (point.value, point.absent) == (None, "above-range")


async def test_a_reading_of_zero_is_a_reading(database: Database) -> None:
    store = SqlSeries(database)
    await store.write([observation(1, values={"spo2": Decimal(0)})], [])
    (point,) = await store.points("r-invented-1", "spo2", START, START + DAY, 10)
    assert point.value == Decimal(0)


async def test_windows_count_numbers_only(database: Database) -> None:
    store = SqlSeries(database)
    await store.write(
        [
            observation(0, values={"spo2": Decimal(94)}),
            observation(1, values={"spo2": Decimal(97)}),
            observation(2, values={"spo2": Absent.ERROR}),
            observation(60, values={"spo2": Decimal(99)}),
        ],
        [],
    )
    first, second = await store.windows(
        "r-invented-1", "spo2", START, START + DAY, 3600
    )
    assert (first.start, first.count) == (START, 2)
    assert (first.minimum, first.maximum, first.mean) == (
        Decimal(94),
        Decimal(97),
        Decimal("95.5"),
    )
    assert (second.count, second.mean) == (1, Decimal(99))


async def test_latest_is_the_newest_taken_not_the_last_arrived(
    database: Database,
) -> None:
    store = SqlSeries(database)
    await store.write([observation(9, values={"spo2": Decimal(91)})], [])
    await store.write([observation(3, values={"spo2": Decimal(99)})], [])
    assert (await store.latest("r-invented-1"))["spo2"].value == Decimal(91)


async def test_nobody_sees_somebody_elses(database: Database) -> None:
    store = SqlSeries(database)
    await store.write([observation(1), observation(2, subject="r-invented-2")], [])
    points = await store.points("r-invented-2", "spo2", START, START + DAY, 10)
    assert len(points) == 1
    assert await store.latest("r-invented-3") == {}


async def test_unclaimed_is_in_no_series_until_claimed(database: Database) -> None:
    store, entries = SqlSeries(database), TableLog(database)
    reading = observation(1, subject=None)
    await project(store, entries, reading)
    assert await store.latest("r-invented-1") == {}
    await project(store, entries, attribution(reading, resident="r-invented-1"))
    assert (await store.latest("r-invented-1"))["spo2"].observation == reading.id


async def test_a_reassignment_leaves_nothing_behind(database: Database) -> None:
    store, entries = SqlSeries(database), TableLog(database)
    older, reading = observation(1), observation(2, values={"spo2": Decimal(88)})
    await project(store, entries, older, reading)
    await project(
        store,
        entries,
        attribution(reading, resident="r-invented-2", previous="r-invented-1"),
    )
    assert (await store.latest("r-invented-1"))["spo2"].observation == older.id
    assert (await store.latest("r-invented-2"))["spo2"].value == Decimal(88)


async def test_an_aborted_session_takes_its_reading_back(database: Database) -> None:
    store, entries = SqlSeries(database), TableLog(database)
    reading = observation(1)
    await project(store, entries, reading)
    await project(
        store, entries, attribution(reading, resident="", previous="r-invented-1")
    )
    assert await store.latest("r-invented-1") == {}


async def test_a_claimed_stream_brings_its_chunks(database: Database) -> None:
    store, entries = SqlSeries(database), TableLog(database)
    await project(store, entries, chunk(0, subject=None), chunk(1500, subject=None))
    assert not await store.waveforms("r-invented-1", "ecg_lead_i", START, START + DAY)
    claim = attribution(observation(1), resident="r-invented-1", stream="stream-1")
    await project(store, entries, claim)
    first, second = await store.waveforms(
        "r-invented-1", "ecg_lead_i", START, START + DAY
    )
    assert (first.index, second.index) == (0, 1500)
    assert unpack_samples(first.samples, first.count)[36] == 2048 + 36
