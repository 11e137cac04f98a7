"""The command line: parse, call one function, print, exit."""

from __future__ import annotations

import sys

import typer

from ncselect.cli import graph, sparse
from ncselect.cli.compare import compare
from ncselect.cli.finetune import finetune
from ncselect.cli.listings import datasets, methods, models, rankings, strategies
from ncselect.cli.options import err
from ncselect.cli.pretrain import pretrain
from ncselect.cli.rank import rank
from ncselect.cli.report import report
from ncselect.cli.reproduce import reproduce
from ncselect.cli.runs import runs
from zoo.errors import InputError

__all__ = ["app", "main"]

app = typer.Typer(
    name="ncselect",
    help="Pick the pre-trained network to fine-tune, after a handful of epochs or none.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    rank,
    finetune,
    models,
    datasets,
    methods,
    strategies,
    rankings,
    report,
    runs,
    compare,
    pretrain,
    reproduce,
):
    app.command()(command)
app.add_typer(graph.app)
app.add_typer(sparse.app)


def main() -> None:
    """Run the command line; bad input ends with its message and exit code 2."""
    from ncselect.lock import RunBusyError

    try:
        app()
    except (InputError, RunBusyError) as error:
        err.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
