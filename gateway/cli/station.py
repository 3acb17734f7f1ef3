"""``vitalgate station``: the edge."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.apps.station import open_station
from gateway.cli.running import until_stopped
from gateway.cli.terminal import Json, err, print_json, reporting, run_async
from gateway.clock import SystemClock
from gateway.config import StationSettings, load
from gateway.wire.seal import Signer


@reporting
def station(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The station's settings.")
    ] = Path("station.toml"),
    *,
    show_key: Annotated[
        bool,
        typer.Option("--show-key", help="Print the public key to enrol, and stop."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a station: devices to journal to MQTT."""
    settings = load(config, StationSettings)
    if show_key:
        key = Signer.from_file(settings.key_path).public_key.hex()
        if as_json:
            print_json({"station": settings.station, "public_key": key})
        else:
            typer.echo(key)
        return
    run_async(_run(settings))


async def _run(settings: StationSettings) -> None:
    async with open_station(settings, clock=SystemClock()) as app:
        err.print(f"station  {settings.station} at {settings.site}")
        await until_stopped(app.run())
