"""What the commands share: where they print, options that several take, how values are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ncselect.listing import Format
from zoo.errors import InputError

out = Console()
err = Console(stderr=True)

FormatOption = Annotated[Format, typer.Option("--format", help="How to print the answer.")]
StoreOption = Annotated[Path, typer.Option("--store", help="Folder of the runs.")]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", help="Runs at a time; default: 1, with --ray as many as there is room for."
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", help="Threads per run; default: cores / workers, with --ray 1."),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="Do the runs on a Ray cluster: auto, HOST:PORT, ray://HOST:PORT, or local for this "
        "machine; all nodes share the store.",
    ),
]
GpusPerRunOption = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-run",
        help="With --ray: 0, 1 or a part of a GPU; must be given where nodes have GPUs.",
    ),
]
HistoryOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--history",
        help="Finished runs that methods may learn from: a store or a file of plain curves; may "
        "be given again.",
    ),
]
TensorBoardOption = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        metavar="FOLDER",
        help="Keep TensorBoard's event files there, a folder per run, up to date every epoch.",
    ),
]
ExperienceOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--experience",
        help="Final accuracies on other datasets: a store, or a CSV of model, dataset, accuracy; "
        "the built-in table is always used.",
    ),
]


def integers(option: str, text: str, least: int = 1) -> list[int]:
    """Return whole numbers separated by commas, or raise naming the option."""
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < least:
        allowed = "positive numbers" if least else "positive numbers, or 0 for no training"
        raise InputError(f"{option}: '{text}' came; give {allowed}, such as 5,10")
    return numbers


def seconds(option: str, text: str) -> float:
    """Return the seconds of a time such as ``90s`` or ``1h30m``, or raise naming the option."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms])", text)
    if not parts or "".join(map("".join, parts)) != text:
        raise InputError(f"{option}: '{text}' came; give a time such as 90s, 20m or 1h30m")
    return sum(float(number) * units[unit] for number, unit in parts)


def pair(option: str, text: str) -> tuple[str, str]:
    """Return the two sides of NAME=VALUE, or raise naming the option."""
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise InputError(f"{option}: '{text}' came; give NAME=VALUE")
    return name, value
