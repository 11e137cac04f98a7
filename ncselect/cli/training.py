"""How a command that trains goes: images are read, its plan agreed to, it stops and goes on."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import typer
from rich.console import RenderableType

from ncselect.cli.options import err, out
from ncselect.listing import Format
from zoo.errors import InputError


class Printable(Protocol):
    """A plan or an answer: JSON values for a program, a table for a person."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""

    def __rich__(self) -> RenderableType:
        """Return the table for a terminal."""


class ImagesRead(Protocol):
    """A watch that shows how many images have been read."""

    def __call__(self, done: int, total: int | None, of: str = "") -> None:
        """Show ``done`` of ``total``, and of which dataset if it has a name."""


@contextmanager
def reading_images() -> Iterator[ImagesRead]:
    """Show on a terminal that images are being read; yield what is told how many."""
    with err.status("Reading the images …") as status:

        def told(done: int, total: int | None, of: str = "") -> None:
            which = f" of {of}" if of else ""
            status.update(f"Reading the images{which} … {done}" + (f" of {total}" if total else ""))

        yield told


def agreed(plan: RenderableType, *, is_long: bool, yes: bool) -> None:
    """Show a plan and, if it is or may be long, ask whether to start.

    Parameters
    ----------
    plan
        What is shown.
    is_long
        Whether a person should be asked.
    yes
        Whether that has been answered beforehand.

    Raises
    ------
    InputError
        If nobody is there to be asked.
    typer.Abort
        If the answer is no.
    """
    err.print(plan)
    if is_long and not yes:
        if not sys.stdin.isatty():
            raise InputError(
                "this plan takes long, or a time that is unknown; start it with --yes, or look "
                "with --plan"
            )
        typer.confirm("Start?", abort=True, err=True)


@contextmanager
def resumable() -> Iterator[None]:
    """Answer Ctrl-C with the command that goes on, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        err.print(
            f"Stopped. Every finished epoch is kept; go on with:\n{typed_command()}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(130) from None


def typed_command() -> str:
    """Return the command line as it can be typed again."""
    program = Path(sys.argv[0]).name
    words = ["python", "-m", "ncselect"] if program == "__main__.py" else [program]
    return shlex.join([*words, *sys.argv[1:]])


def printed(answer: Printable, output: Format, *, as_csv: Callable[[], None]) -> None:
    """Print a plan or an answer on standard output, ``as_csv`` doing so line by line."""
    match output:
        case Format.json:
            typer.echo(json.dumps(answer.to_dict(), indent=1))
        case Format.csv:
            as_csv()
        case Format.table:
            out.print(answer)
