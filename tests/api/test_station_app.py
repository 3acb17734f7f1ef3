"""The station's own API, against a desk that behaves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import msgspec
import pytest

from api.station_app import StationApiSettings, create_station_app
from gateway.clock import ManualClock
from gateway.errors import ConfigurationError, ConflictError, NotFoundError
from gateway.model.observation import Observation
from gateway.model.session import IdentifiedBy, MeasurementSession, SessionEnd
from gateway.ports.journal import JournalState
from gateway.wire.batch import DeviceStatus
from tests.api.samples import NOW, blood_pressure

TOKEN = "0123456789abcdef01234567"
OTHER = "fedcba9876543210fedcba98"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    device: str = "dev-1"
    name: str = "cuff_pressure"
    value: str = "131"
    unit: str = "mm[Hg]"
    at: datetime = NOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    id: int = 1
    device: str = "dev-1"
    reason: str = "checksum"
    raw: bytes = bytes(300)
    last_at: datetime = NOW
    count: int = 2


@dataclass(kw_only=True)
class View:
    station: str = "kiosk-1"
    connected: bool = False
    journal: JournalState = field(
        default_factory=lambda: JournalState(
            epoch="e",
            depth=3,
            oldest_at=NOW - timedelta(seconds=30),
            last_seq=9,
            acknowledged=6,
            bytes_used=100,
            bytes_quota=1000,
            refused_waveforms=0,
            refused_readings=0,
        )
    )
    session: MeasurementSession | None = None
    devices: list[DeviceStatus] = field(
        default_factory=lambda: [
            DeviceStatus(id="dev-1", name="Cuff", driver="gatt", state="idle")
        ]
    )
    conditions: list[str] = field(default_factory=lambda: ["clock-wrong"])
    live: list[Live] = field(default_factory=lambda: [Live()])
    recent: list[Observation] = field(
        default_factory=lambda: [blood_pressure(2), blood_pressure(1, subject=None)]
    )
    dead_letters: list[Letter] = field(default_factory=lambda: [Letter()])


class Desk:
    def __init__(self) -> None:
        self.view = View()
        self.commands: list[tuple[str, str, str]] = []

    async def snapshot(self) -> View:
        return self.view

    async def open_session(
        self, *, resident: str, identified_by: IdentifiedBy, by: str
    ) -> MeasurementSession:
        self.view.session = MeasurementSession(
            id="s-1",
            station="kiosk-1",
            resident=resident,
            identified_by=identified_by,
            opened_at=NOW,
            opened_by=by,
        )
        return self.view.session

    async def open_session_by_card(self, card: str, *, by: str) -> MeasurementSession:
        if card != "hash-1":
            self.view.session = None
            raise NotFoundError("card: not known at this station.")
        return await self.open_session(
            resident="r-1", identified_by=IdentifiedBy.HEALTH_CARD, by=by
        )

    async def close_session(self, *, abort: bool = False) -> MeasurementSession | None:
        held, self.view.session = self.view.session, None
        if held is None:
            return None
        end = SessionEnd.ABORTED if abort else SessionEnd.FINISHED
        return msgspec.structs.replace(held, closed_at=NOW, end=end)

    async def command(self, device: str, name: str, *, by: str) -> None:
        if device != "dev-1":
            raise ConflictError("device: not connected.", current={"device": device})
        self.commands.append((device, name, by))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    app = create_station_app(
        desk,
        ManualClock(NOW),
        StationApiSettings(tokens={"op.one": TOKEN, "op.two": OTHER}),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://station.test"
    ) as client:
        client.headers["authorization"] = f"Bearer {OTHER}"
        yield client


async def test_view(client: httpx.AsyncClient) -> None:
    view = (await client.get("/station")).json()
    assert (view["journal"]["depth"], view["oldest_age_s"]) == (3, 30.0)
    assert view["connected"] is False
    assert [r["resident"] for r in view["recent"]] == [None, "r-1"]  # newest first
    assert view["live"][0]["value"] == "131"
    assert view["conditions"] == ["clock-wrong"]
    assert len(view["dead_letters"][0]["raw"]) == 344  # 256 bytes in base64


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", f"Basic {TOKEN}"])
async def test_only_operators(client: httpx.AsyncClient, header: str) -> None:
    client.headers["authorization"] = header
    for method, path in (
        ("GET", "/station"),
        ("POST", "/station/session"),
        ("DELETE", "/station/session"),
        ("POST", "/station/devices/dev-1/commands"),
    ):
        answer = await client.request(method, path, json={"name": "x"})
        assert answer.status_code == 401, (method, path)


async def test_sessions(client: httpx.AsyncClient, desk: Desk) -> None:
    path = "/station/session"
    opened = await client.post(path, json={"resident": "r-1"})
    assert opened.json()["identified_by"] == "operator"
    assert desk.view.session is not None
    assert desk.view.session.opened_by == "op.two"
    closed = await client.delete(f"{path}?abort=true")
    assert closed.json()["session"]["end"] == "aborted"
    again = await client.delete(path)
    assert again.json() == {"session": None}
    by_card = await client.post(path, json={"card": "hash-1"})
    assert by_card.json()["resident"] == "r-1"
    unknown = await client.post(path, json={"card": "hash-2"})
    assert unknown.status_code == 404
    assert vars(desk)["view"].session is None
    for bad in ({}, {"card": "x", "resident": "y"}, {"resident": ""}):
        assert (await client.post(path, json=bad)).status_code == 422


async def test_commands(client: httpx.AsyncClient, desk: Desk) -> None:
    done = await client.post("/station/devices/dev-1/commands", json={"name": "start"})
    assert done.status_code == 200
    assert desk.commands == [("dev-1", "start", "op.two")]
    away = await client.post("/station/devices/dev-9/commands", json={"name": "start"})
    assert away.status_code == 409
    assert away.json()["detail"] == "device: not connected."


async def test_health_metrics_and_document(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    assert (await client.get("/health/live")).status_code == 200
    assert "vitalgate_api_requests_total" in (await client.get("/metrics")).text
    assert (await client.get("/openapi.json")).status_code == 200


def test_short_tokens_are_refused(desk: Desk) -> None:
    with pytest.raises(ConfigurationError, match=r"api\.tokens\.op\.one"):
        create_station_app(
            desk,
            ManualClock(NOW),
            StationApiSettings(tokens={"op.one": "short"}),
        )
