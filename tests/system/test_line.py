"""The whole line: a kiosk board's bytes on a pty become an alert at the hub."""

import asyncio
import base64
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.apps.hub import open_hub
from gateway.apps.station import open_station
from gateway.clock import SystemClock
from gateway.config import HubConfig, StationSettings
from gateway.database.engine import Database
from gateway.database.tables import alert, point
from gateway.model.session import IdentifiedBy
from gateway.records.roster import parse_roster
from gateway.wire.seal import Signer
from simulators.kiosk_board import KioskBoard
from simulators.pty_port import serve_on_pty

pytestmark = pytest.mark.timeout(120)


async def test_a_blood_pressure_at_the_kiosk_reaches_the_family_doctor(
    tmp_path: Path,
) -> None:
    clock = SystemClock()
    key = Signer.from_file(tmp_path / "station" / "station.key").public_key
    roster = parse_roster(
        {
            "residents": [{"id": "r-1", "name": "示例居民"}],
            "teams": [
                {
                    "id": "team-a",
                    "name": "示例团队",
                    "members": [{"account": "doctor", "role": "family-doctor"}],
                }
            ],
            "contracts": [
                {
                    "id": "c-1",
                    "resident": "r-1",
                    "team": "team-a",
                    "package": "basic",
                    "starts": date(2020, 1, 1),
                }
            ],
            "stations": [
                {
                    "id": "kiosk-1",
                    "site": "demo",
                    "public_key": base64.b64encode(key).decode(),
                }
            ],
            "accounts": [{"id": "doctor", "name": "示例医生", "roles": ["doctor"]}],
        }
    )
    config = HubConfig.model_validate(
        {"data_dir": tmp_path / "hub", "broker": {"port": 0}}
    )
    async with open_hub(config, clock=clock, roster=roster) as hub:
        running = asyncio.create_task(hub.run())
        assert hub.broker is not None
        await hub.broker.wait_ready()
        account = hub.broker.book.get("kiosk-1")
        assert account is not None
        secret = tmp_path / "password"
        secret.write_text(account.password)
        board = KioskBoard(seed=1)
        async with serve_on_pty(board, speed=4.0) as port:
            settings = StationSettings.model_validate(
                {
                    "station": "kiosk-1",
                    "site": "demo",
                    "setting": "kiosk",
                    "data_dir": tmp_path / "station",
                    "hub_public_key": hub.public_key.hex(),
                    "mqtt": {
                        "hosts": (f"127.0.0.1:{hub.broker.port}",),
                        "password_file": secret,
                        "tls": False,
                    },
                    "radio": {"enabled": False},
                    "serial": {"only_configured": True},
                    "device": (
                        {
                            "key": "board",
                            "link": "bytes",
                            "driver": "lepu_kiosk",
                            "address": port.path,
                        },
                    ),
                }
            )
            async with open_station(settings, clock=clock) as station:
                working = asyncio.create_task(station.run())
                while not board.commands:
                    await asyncio.sleep(0.05)
                await station.desk.open_session(
                    resident="r-1", identified_by=IdentifiedBy.OPERATOR, by="operator"
                )
                port.act(
                    board.measure_bp,
                    port.now(),
                    systolic=228,
                    diastolic=121,
                    mean=157,
                    pulse=88,
                )
                found = await _alerts(hub.database)
                while not found:
                    assert not running.done()
                    assert not working.done()
                    await asyncio.sleep(0.1)
                    found = await _alerts(hub.database)
                while (await station.core.journal.state()).depth:
                    await asyncio.sleep(0.1)
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
        systolic = await hub.database.read(
            lambda c: c.execute(
                select(point.c.resident, point.c.value).where(
                    point.c.metric == "systolic"
                )
            ).all()
        )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert found == [("r-1", "team-a", "doctor", 0)]
    assert [tuple(row) for row in systolic] == [("r-1", "228")]


async def _alerts(database: Database) -> list[tuple[str, str, str, int]]:
    rows = await database.read(
        lambda c: c.execute(
            select(alert.c.resident, alert.c.team, alert.c.assignee, alert.c.level)
        ).all()
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]
