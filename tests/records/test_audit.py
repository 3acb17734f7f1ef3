"""The chain shows what was changed, removed or moved."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, delete, select, update

from gateway.database.tables import audit
from gateway.records.audit import Act, AuditTrail
from tests.api.world import World


@pytest.fixture
async def trail(world: World) -> AuditTrail:
    for n in range(5):
        await world.services.audit.record(
            Act(actor=f"a-{n}", action="test", target=str(n))
        )
    return world.services.audit


async def test_an_untouched_chain_holds(trail: AuditTrail) -> None:
    assert await trail.verify() is None
    entries = await trail.entries(after=0, limit=3)
    assert [e.act.target for e in entries] == ["0", "1", "2"]
    rest = await trail.entries(after=entries[-1].seq, limit=3)
    assert [e.act.target for e in rest] == ["3", "4"]


def _swap(connection: Connection) -> None:
    first, second = connection.execute(
        select(audit).where(audit.c.seq.in_((2, 3))).order_by(audit.c.seq)
    ).all()
    for seq, row in ((2, second), (3, first)):
        connection.execute(
            update(audit)
            .where(audit.c.seq == seq)
            .values(actor=row.actor, target=row.target)
        )


@pytest.mark.parametrize(
    ("tamper", "first_bad"),
    [
        (
            lambda c: c.execute(
                update(audit).where(audit.c.seq == 2).values(target="x")
            ),
            2,
        ),
        (lambda c: c.execute(update(audit).where(audit.c.seq == 5).values(at_us=1)), 5),
        (lambda c: c.execute(delete(audit).where(audit.c.seq == 3)), 4),
        (lambda c: c.execute(delete(audit).where(audit.c.seq == 1)), 2),
        (_swap, 2),
    ],
)
async def test_tampering_is_found_where_it_begins(
    world: World,
    trail: AuditTrail,
    tamper: Callable[[Connection], object],
    first_bad: int,
) -> None:
    await world.database.write(tamper)
    assert await trail.verify() == first_bad
