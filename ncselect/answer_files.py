"""Answers on disk: documents as JSON, and every figure as SVG and PNG, in one folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError

if TYPE_CHECKING:
    from ncselect.plots import AnyFigure

SUFFIXES = (".svg", ".png")


def check_folder(folder: Path, *, argument: str = "out") -> None:
    """Make a folder if it is not there, before the work whose answer it is to hold.

    Parameters
    ----------
    folder
        Where the answer goes.
    argument
        What the folder was given as.

    Raises
    ------
    InputError
        If it cannot be made, or cannot be written to.
    """
    with _written_to(folder, argument), TemporaryFile(dir=folder):
        pass


def write_answer(
    folder: Path,
    documents: Mapping[str, Any],
    figures: Mapping[str, AnyFigure],
    *,
    argument: str = "out",
) -> tuple[Path, ...]:
    """Write documents, then figures; return the paths in that order.

    Parameters
    ----------
    folder
        Made if it is not there.
    documents
        Name → JSON values, each written as ``NAME.json``.
    figures
        Name → figure, each written as ``NAME.svg`` and ``NAME.png``.
    argument
        What the folder was given as.

    Raises
    ------
    InputError
        If nothing can be written there.
    """
    from ncselect.plots import drawn, save

    paths: list[Path] = []
    with _written_to(folder, argument):
        for name, document in documents.items():
            paths.append(folder / f"{name}.json")
            text = json.dumps(document, indent=1, ensure_ascii=False)
            paths[-1].write_text(text + "\n", encoding="utf-8")
        for name, values in figures.items():
            figure = drawn(values)
            for suffix in SUFFIXES:
                paths.append(folder / f"{name}{suffix}")
                save(figure, paths[-1])
    return tuple(paths)


@contextmanager
def _written_to(folder: Path, argument: str) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(
            f"{argument}: nothing can be written to '{folder}' ({error.strerror}); name a folder "
            "of your own"
        ) from error
