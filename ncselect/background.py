"""What methods are told besides the runs they judge, read from the files that a user names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ncselect.experience import outcomes, read_experience
from ncselect.history import read_history
from ncselect.store import RunStore
from ncselect.types import Background, Outcome
from zoo.errors import InputError

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
        If a path holds nothing that can be read.
    """
    return Background(
        horizon=horizon,
        history=_all("history", history, read_history),
        experience=_all("experience", experience, _read_outcomes),
    )


def _all(
    name: str, paths: PathOrPaths, read: Callable[[Path], tuple[Read, ...]]
) -> tuple[Read, ...]:
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    for path in listed:
        if not isinstance(path, str | Path):
            raise InputError(f"{name}: {path!r} came; give the path of a file or of a store")
    return tuple(one for path in listed for one in read(Path(path)))


def _read_outcomes(path: Path) -> tuple[Outcome, ...]:
    """Return what a store's finished runs, or a CSV file, tell of final accuracies."""
    if not path.expanduser().is_dir():
        return read_experience(path)
    known = outcomes(RunStore(path, create=False).records())
    if not known:
        raise InputError(
            f"experience: no run in '{path}' has reached its horizon; finish some with "
            "'ncselect rank --epochs N --horizon N', or name a CSV file"
        )
    return known
