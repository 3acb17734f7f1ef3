"""The ``vitalgate`` command."""

import typer

from gateway.cli.decode import decode
from gateway.cli.demo import demo
from gateway.cli.hub import hub
from gateway.cli.station import station

app = typer.Typer(
    name="vitalgate",
    help="From health devices to the doctor responsible.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, station, hub, decode):
    app.command()(command)


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
