"""What methods are told besides the runs they judge, read from the files that a user names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ncselect.curves import is_curves_file
from ncselect.experience import COLUMNS, outcomes, read_experience
from ncselect.history import read_history
from ncselect.store import RunStore
from ncselect.types import Background, Outcome
from zoo.errors import InputError

TAKES = {
    "history": "the folder of a store with finished runs, or a file of plain curves "
    "(.jsonl, .jsonl.gz)",
    "experience": f"the folder of a store with finished runs, or a CSV file of {','.join(COLUMNS)}",
}
"""Argument → what it may name."""

PathOrPaths = str | Path | Sequence[str | Path]
Read = TypeVar("Read")


def background(
    *, history: PathOrPaths = (), experience: PathOrPaths = (), horizon: int
) -> Background:
    """Read what methods may know besides the runs.

    Parameters
    ----------
    history
        Folders of finished runs, or files of plain curves.
    experience
        Folders of finished runs, or CSV files of model, dataset, accuracy.
    horizon
        The epoch whose accuracy is to be predicted.

    Raises
    ------
    InputError
        If a path holds nothing that can be read; the text names the argument and what it takes.
    """
    return Background(
        horizon=horizon,
        history=tuple(one.held(horizon) for one in _all("history", history, read_history)),
        experience=_all("experience", experience, _read_outcomes),
    )


def _all(
    name: str, paths: PathOrPaths, read: Callable[[Path], tuple[Read, ...]]
) -> tuple[Read, ...]:
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    for path in listed:
        if not isinstance(path, str | Path):
            raise InputError(f"{name}: {path!r} came; give {TAKES[name]}")
    return tuple(one for path in listed for one in _read(name, Path(path), read))


def _read(name: str, path: Path, read: Callable[[Path], tuple[Read, ...]]) -> tuple[Read, ...]:
    """Read one path; what its reader says of a store or a file is said of the argument."""
    try:
        return read(path)
    except InputError as error:
        about, _, said = str(error).partition(": ")
        if about not in ("store", "curves"):
            raise
        what, _, remedy = said.rpartition("; ")
        if "--store" in remedy:
            said = f"{what}; give {TAKES[name]}"
        raise InputError(f"{name}: {said}") from error


def _read_outcomes(path: Path) -> tuple[Outcome, ...]:
    """Return what a store's finished runs, or a CSV file, tell of final accuracies."""
    if not path.expanduser().exists():
        raise InputError(f"experience: there is no '{path}'; give {TAKES['experience']}")
    if is_curves_file(path):
        raise InputError(
            f"experience: '{path}' is a file of plain curves; give it as the history, or give "
            f"{TAKES['experience']}"
        )
    if not path.expanduser().is_dir():
        return read_experience(path)
    known = outcomes(RunStore(path, create=False).records())
    if not known:
        raise InputError(
            f"experience: no run in '{path}' has reached its horizon; finish some with "
            "'ncselect rank --epochs N --horizon N', or name a CSV file"
        )
    return known
