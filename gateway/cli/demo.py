"""``vitalgate demo``: the whole system in one process, with simulated devices."""

import asyncio
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from api.server import ApiServer
from gateway.apps.hub import HubApp, open_hub
from gateway.apps.station import open_station
from gateway.cli.demo_history import write_history
from gateway.cli.demo_roster import (
    CLINIC,
    HOME,
    LOGINS,
    PASSWORD,
    SITE,
    demo_roster,
)
from gateway.cli.running import api_server, until_stopped
from gateway.cli.terminal import Json, err, fail, print_json_line, reporting, run_async
from gateway.clock import SystemClock
from gateway.config import HttpConfig, HubConfig, StationSettings
from gateway.model.session import IdentifiedBy
from gateway.wire.seal import Signer

ZONE = "Asia/Shanghai"


@reporting
def demo(
    *,
    port: Annotated[int, typer.Option(help="The console's port; 0: any.")] = 8470,
    data: Annotated[
        Path | None,
        typer.Option(help="Keep the data here; otherwise it is gone afterwards."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Try everything: broker, hub, console and simulated devices in one process."""
    try:
        import simulators.scene  # noqa: F401, PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise fail(
            f"the demo needs {error.name}, which is not installed.",
            "pip install 'vitalgate[simulate]'",
        ) from error
    if data is not None:
        run_async(_run(data, port, as_json=as_json))
        return
    with tempfile.TemporaryDirectory(prefix="vitalgate-demo-") as folder:
        run_async(_run(Path(folder), port, as_json=as_json))


async def _run(data: Path, port: int, *, as_json: bool) -> None:
    clock = SystemClock()
    keys = {
        name: Signer.from_file(data / name / "station.key").public_key
        for name in (CLINIC, HOME)
    }
    roster = demo_roster(clinic_key=keys[CLINIC], home_key=keys[HOME])
    config = HubConfig.model_validate(
        {
            "data_dir": data / "hub",
            "site": SITE,
            "time_zone": ZONE,
            "broker": {"port": 0},
            "http": {"port": port},
        }
    )
    err.print("Starting broker, hub and two stations ...")
    async with open_hub(config, clock=clock, roster=roster) as hub:
        if hub.log.last_seq == 0:
            await write_history(hub.log, station=CLINIC, now=clock.now())
        server = api_server(hub, HttpConfig(port=port))
        await until_stopped(
            hub.run(),
            server.run_until_cancelled(),
            _stations(hub, server, data, as_json=as_json),
        )


async def _stations(
    hub: HubApp, server: ApiServer, data: Path, *, as_json: bool
) -> None:
    """Both stations and what happens at them."""
    # Both need the simulate extra, which `demo` has checked.
    from simulators.ble_backend import backends_for  # noqa: PLC0415
    from simulators.kiosk_board import KioskBoard  # noqa: PLC0415
    from simulators.pty_port import serve_on_pty  # noqa: PLC0415
    from simulators.radio.virtual_radio import VirtualRadio  # noqa: PLC0415
    from simulators.scene import Home, Scene  # noqa: PLC0415

    clock = SystemClock()
    broker = hub.broker
    if broker is None:
        raise fail("the demo runs on the embedded broker.")
    await broker.wait_ready()

    def local_now() -> datetime:
        return clock.now().astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)

    board, home = KioskBoard(seed=1), Home(local_now)
    async with VirtualRadio() as room, serve_on_pty(board, speed=1.0) as port:
        await room.add(*home.peripherals)
        central = await room.central()
        clinic_settings = _settings(hub, data, CLINIC, kiosk_path=str(port.path))
        home_settings = _settings(hub, data, HOME)
        async with (
            open_station(clinic_settings, clock=clock) as clinic,
            open_station(
                home_settings, clock=clock, backends=backends_for(central)
            ) as homes,
        ):

            async def identify(resident: str) -> None:
                await clinic.desk.open_session(
                    resident=resident,
                    identified_by=IdentifiedBy.OPERATOR,
                    by="operator",
                )

            async def leave() -> None:
                await clinic.desk.close_session()

            scene = Scene(
                board, port, home, now=local_now, identify=identify, leave=leave
            )
            _announce(server, broker.port, as_json=as_json)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(clinic.run())
                tasks.create_task(homes.run())
                tasks.create_task(scene.run())


def _settings(
    hub: HubApp, data: Path, station: str, *, kiosk_path: str = ""
) -> StationSettings:
    broker = hub.broker
    account = None if broker is None else broker.book.get(station)
    if broker is None or account is None:
        raise fail(f"{station} has no account at the broker.")
    secret = data / station / "mqtt.password"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(account.password)
    device = {
        "key": "kiosk-board",
        "link": "bytes",
        "driver": "lepu_kiosk",
        "address": kiosk_path,
    }
    return StationSettings.model_validate(
        {
            "station": station,
            "site": SITE,
            "setting": "kiosk" if station == CLINIC else "home",
            "data_dir": data / station,
            "time_zone": ZONE,
            "hub_public_key": hub.public_key.hex(),
            "mqtt": {
                "hosts": (f"{broker.host}:{broker.port}",),
                "password_file": secret,
                "tls": False,
            },
            "radio": {"enabled": station == HOME},
            "serial": {"enabled": bool(kiosk_path), "only_configured": True},
            "device": (device,) if kiosk_path else (),
        }
    )


def _announce(server: ApiServer, mqtt_port: int, *, as_json: bool) -> None:
    console = f"http://127.0.0.1:{server.port}/"
    if as_json:
        print_json_line(
            {
                "console": console,
                "mqtt": f"127.0.0.1:{mqtt_port}",
                "password": PASSWORD,
                "logins": {login.user: login.what for login in LOGINS},
            }
        )
        return
    err.print()
    err.print(f"  Console   [bold]{console}[/bold]")
    err.print(f"  API       {console}api/v1/openapi.json")
    err.print(f"  MQTT      127.0.0.1:{mqtt_port}")
    err.print()
    for login in LOGINS:
        err.print(f"  [bold]{login.user:<10}[/bold] {login.what}")
    err.print(f"  The password is [bold]{PASSWORD}[/bold] for all of them.")
    err.print()
    err.print("  Alerts arrive within a minute. Everybody in it is invented.")
    err.print("  Stop with Ctrl-C.")
