"""The ``vitalgate`` command."""

import typer

from gateway.cli.decode import decode

app = typer.Typer(
    name="vitalgate",
    help="From health devices to the doctor responsible.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(decode)


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
