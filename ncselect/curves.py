"""A file of plain learning curves, read as the finished runs they are the traces of."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ncselect.scores import SCORES
from ncselect.spec import RunSpec
from ncselect.types import Observation, RunRecord
from zoo.errors import InputError

SUFFIXES = (".jsonl", ".jsonl.gz")
FORM = '{"dataset": "…", "model": "…", "hparams": {…}, "acc": [0.41, 0.52, …]}'
_NOT_THERE = {  # what a score needs → why a plain curve cannot have it
    "features": "a plain curve has no network to extract features from",
    "source": "a plain curve has no network with a source head",
    "card": "a plain curve says nothing of its network but the name",
}
_UNSCORED = {
    name: f"{_NOT_THERE[score.needs]}; choose a method that learns from curves, such as "
    "best-value, or name a store of runs"
    for name, score in SCORES.items()
}


def is_curves_file(path: str | Path) -> bool:
    """Tell by its name whether a path is a file of plain curves."""
    return str(path).endswith(SUFFIXES)


def read_curves(path: str | Path) -> tuple[RunRecord, ...]:
    """Read a file of plain curves, one JSON object a line.

    ``dataset`` and ``model`` are names, ``acc`` the validation accuracy after each epoch,
    ``hparams`` (may be missing) name → value, ``truth`` (may be missing) the final test accuracy,
    else the last of ``acc``.

    Parameters
    ----------
    path
        Ends in ``.jsonl`` or ``.jsonl.gz``.

    Returns
    -------
    tuple of RunRecord
        Complete runs in the file's order, with nothing measured at epoch 0 and the reason why for
        every score that needs no training. Models that stand on a
        dataset more than once are told apart as ``AirNet #1``, ``AirNet #2``, …;
        ``spec.candidate`` holds the ``architecture``, which they share, and the numeric
        hyperparameters as ``facts``.

    Raises
    ------
    InputError
        If the file cannot be read or a line is not a curve; the text names the line and what came.
    """
    if not is_curves_file(path):
        raise InputError(
            f"curves: '{path}' came; give a file that ends in .jsonl or .jsonl.gz, "
            f"one curve a line: {FORM}"
        )
    lines = list(_lines(Path(path).expanduser()))
    if not lines:
        raise InputError(f"curves: '{path}' holds no curve; give one a line: {FORM}")
    of_each = Counter((line["dataset"], line["model"]) for line in lines)
    seen: Counter[tuple[str, str]] = Counter()
    records = []
    for line in lines:
        which = (line["dataset"], line["model"])
        seen[which] += 1
        name = f"{line['model']} #{seen[which]}" if of_each[which] > 1 else line["model"]
        records.append(_record(name, line))
    return tuple(records)


def _lines(path: Path) -> Iterable[Mapping[str, Any]]:
    open_it = gzip.open if path.suffix == ".gz" else open
    try:
        with open_it(path, "rt", encoding="utf-8") as lines:
            for number, text in enumerate(lines, start=1):
                if text.strip():
                    yield _checked(text, f"curves: '{path}', line {number}")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"curves: cannot read '{path}' ({error}); correct the path") from error


def _checked(text: str, where: str) -> Mapping[str, Any]:
    """Return the line's object if it is a curve."""
    try:
        line = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is no JSON ({error}); give {FORM}") from error
    if not isinstance(line, dict):
        raise InputError(f"{where} is a {type(line).__name__}; give an object: {FORM}")
    for name in ("dataset", "model"):
        if not isinstance(line.get(name), str) or not line[name]:
            raise InputError(f"{where}: {name} is {line.get(name)!r}; give a name as text")
    accuracy = line.get("acc")
    if not isinstance(accuracy, list) or not accuracy:
        raise InputError(f"{where}: acc is {accuracy!r}; give the accuracy after each epoch")
    for epoch, value in enumerate(accuracy, start=1):
        if not _is_share(value):
            raise InputError(
                f"{where}: acc is {value!r} after epoch {epoch}; give accuracies between 0 and 1"
            )
    if line.get("truth") is not None and not _is_share(line["truth"]):
        raise InputError(
            f"{where}: truth is {line['truth']!r}; give the final test accuracy between 0 and 1, "
            "or leave it out"
        )
    if not isinstance(line.get("hparams") or {}, dict):
        raise InputError(f"{where}: hparams is {line['hparams']!r}; give name → value")
    return line


def _record(name: str, line: Mapping[str, Any]) -> RunRecord:
    accuracy, truth = line["acc"], line.get("truth")
    facts = {
        key: float(value) for key, value in (line.get("hparams") or {}).items() if _is_number(value)
    }
    return RunRecord(
        RunSpec(
            model=name,
            dataset=line["dataset"],
            candidate={"architecture": line["model"], "facts": facts},
            data={},
        ),
        (
            Observation(0, {}, 0.0),
            *(
                Observation(epoch, {"validation-accuracy": float(value)}, 0.0)
                for epoch, value in enumerate(accuracy, start=1)
            ),
        ),
        "complete",
        truth={len(accuracy): float(accuracy[-1] if truth is None else truth)},
        unscored=_UNSCORED,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1
