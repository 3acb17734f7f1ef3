"""``vitalgate hub``: the centre."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.apps.hub import open_hub
from gateway.cli.running import api_server, until_stopped
from gateway.cli.terminal import err, reporting, run_async
from gateway.clock import SystemClock
from gateway.config import HubConfig, load

Config = Annotated[Path, typer.Option("--config", "-c", help="The hub's settings.")]


@reporting
def hub(
    config: Config = Path("hub.toml"),
    *,
    roster: Annotated[
        Path | None,
        typer.Option(help="Residents, teams, stations, accounts to load first."),
    ] = None,
) -> None:
    """Run a hub: gather stations over MQTT, judge readings, serve API and console."""
    settings = load(config, HubConfig)
    if roster is not None:
        settings = settings.model_copy(update={"roster": roster})
    run_async(_run(settings))


async def _run(settings: HubConfig) -> None:
    async with open_hub(settings, clock=SystemClock()) as app:
        server = api_server(app, settings.http)
        err.print(f"console  http://{settings.http.host}:{server.port}/")
        if app.broker is not None:
            err.print(f"MQTT     {app.broker.host}:{app.broker.port}")
        err.print(f"hub key  {app.public_key.hex()}")
        await until_stopped(app.run(), server.run_until_cancelled())
