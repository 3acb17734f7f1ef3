"""What commands print: tables for people, JSON for programs, errors with a remedy."""

import json
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import wraps
from typing import Annotated, Any, Final, ParamSpec

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.errors import VitalgateError

# 0 all well; 1 it ran and the answer is bad; 2 it could not run (input or setting).
EXIT_BAD: Final = 1
EXIT_USAGE: Final = 2

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

P = ParamSpec("P")


def print_json(value: object) -> None:
    """One JSON document on standard output, nothing else."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def print_json_line(value: object) -> None:
    """One line of a JSON stream, flushed."""
    json.dump(value, sys.stdout, ensure_ascii=False, default=str)
    sys.stdout.write("\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table that fits the terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    out.print(table)


def fail(message: str, remedy: str = "", *, code: int = EXIT_USAGE) -> typer.Exit:
    """Print an error and give the exception that ends the command."""
    err.print(f"[red]error:[/red] {escape(message)}", soft_wrap=True)
    if remedy:
        err.print(f"[bold]do:[/bold] {escape(remedy)}", soft_wrap=True)
    return typer.Exit(code)


def reporting(command: Callable[P, None]) -> Callable[P, None]:
    """Turn our errors into a message and a remedy instead of a trace."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except VitalgateError as error:
            raise fail(error.message, error.remedy) from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise fail(f"{place}: {first['msg']}") from error

    return run


def run_async(main: Coroutine[Any, Any, None]) -> None:
    """Run until done or Ctrl-C; Ctrl-C is a normal end."""
    import asyncio  # noqa: PLC0415 - most commands need no event loop

    try:
        asyncio.run(main)
    except KeyboardInterrupt:
        err.print("stopped")
