"""Fixtures: the embedded broker, and every broker in turn."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.mqtt.broker import EmbeddedBroker
from tests.mqtt.site import Site, running_broker, running_mosquitto


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    async with running_broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture(params=["nats", pytest.param("mosquitto", marks=pytest.mark.services)])
async def site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    require_service: Callable[[str], str],
) -> AsyncIterator[Site]:
    """The same tests for the embedded and for an external broker."""
    if request.param == "mosquitto":
        program = require_service("mosquitto")
        async with running_mosquitto(program, tmp_path / "mosquitto") as site:
            yield site
        return
    async with running_broker(tmp_path / "broker") as broker:
        site = Site(broker.port, broker.book)
        yield site
        await site.close()
