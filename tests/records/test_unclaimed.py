"""Which readings belong to nobody, as the log tells it."""

from uuid import UUID, uuid4

from sqlalchemy import Connection, select

from gateway.database.tables import attribution, unclaimed
from gateway.model.session import Attribution
from gateway.ports.log import LogEntry
from tests.api.samples import NOW, blood_pressure, ecg
from tests.api.world import World

NIL = UUID(int=0)


def moved(
    observation: UUID, resident: str, *, stream: str = "", previous: str = ""
) -> Attribution:
    return Attribution(
        id=uuid4(),
        observation=observation,
        resident=resident,
        by="station:kiosk-1",
        at=NOW,
        reason="session-aborted",
        stream=stream,
        previous=previous,
    )


async def tell(world: World, *bodies: Attribution) -> None:
    def put(connection: Connection) -> None:
        for body in bodies:
            world.log.put(connection, body, "attribution", "kiosk-1")

    await world.database.write(put)


async def listed(world: World) -> set[str]:
    rows = await world.database.read(lambda c: c.execute(select(unclaimed)).all())
    return {r.stream or str(UUID(bytes=r.observation)) for r in rows}


async def test_an_aborted_sessions_readings_are_nobodys_again(world: World) -> None:
    body = blood_pressure(1)
    await world.add(body, ecg(0))
    assert await listed(world) == set()
    await tell(
        world,
        moved(body.id, "", previous="r-1"),
        moved(NIL, "", stream="ecg-1", previous="r-1"),
    )
    assert await listed(world) == {str(body.id), "ecg-1"}
    rows = await world.database.read(lambda c: c.execute(select(attribution)).all())
    assert [(r.resident, r.by) for r in rows] == [("", "station:kiosk-1")]
    await tell(world, moved(body.id, "r-2"))
    assert await listed(world) == {"ecg-1"}


async def test_the_same_entry_again_changes_nothing(world: World) -> None:
    body = blood_pressure(1, subject=None)
    await world.add(body)
    claim = moved(body.id, "r-1")
    await tell(world, claim)

    def again(connection: Connection) -> None:
        entry = LogEntry(
            seq=2,
            id=claim.id,
            type="attribution",
            station="kiosk-1",
            received_at=NOW,
            body=claim,
        )
        world.log.unclaimed.apply(connection, [entry])

    await world.database.write(again)
    assert await listed(world) == set()
    rows = await world.database.read(lambda c: c.execute(select(attribution)).all())
    assert len(rows) == 1


async def test_a_claim_of_what_is_not_here_is_harmless(world: World) -> None:
    await tell(world, moved(uuid4(), ""), moved(NIL, "", stream="none"))
    assert await listed(world) == set()
