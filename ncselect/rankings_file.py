"""Kept rankings as one file to commit: a leaderboard in Markdown, CSV or JSON.

The same rankings give the same text, without times or the store's place, so that a diff shows what
changed.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ncselect.kept_ranking import KeptRanking
from ncselect.numerics.proportion import NORMAL_95
from ncselect.ranking_rows import Row
from ncselect.run import replace_text
from zoo.errors import InputError

CANDIDATE = (
    "rank", "model", "accuracy", "low", "high", "p_best", "score", "last", "epochs",
    "test_accuracy", "failed",
)  # fmt: skip
"""What is told of a candidate: predicted accuracy and the ends of its 95% interval; the score that
it is ordered by; last validation accuracy, and after how many epochs; test accuracy at the horizon,
where its run has reached it; why it has no rank."""

_COLUMNS = ("ranking", "dataset", "method", "horizon", *CANDIDATE)
_WRITER = "ncselect rankings"
_HEADS = {".md": f"<!-- written by '{_WRITER}' -->\n", ".csv": ",".join(_COLUMNS) + "\n"}


def check_rankings_file(path: Path) -> None:
    """Raise an InputError if rankings cannot be written to a path.

    They can where there is no file, or one that holds rankings.
    """
    if path.suffix not in _FORMATS:
        raise InputError(f"out: '{path}' came; give a file that ends in {', '.join(_FORMATS)}")
    if not path.absolute().parent.is_dir():
        raise InputError(f"out: there is no folder '{path.absolute().parent}'; make it first")
    try:
        is_ours = not path.exists() or _is_ours(path)
    except OSError as error:
        raise InputError(
            f"out: '{path}' is there and cannot be read ({error.strerror}); name another file"
        ) from error
    if not is_ours:
        raise InputError(
            f"out: '{path}' is there and was not made by 'ncselect rankings'; name another file"
        )


def write_rankings(path: Path, rankings: Sequence[KeptRanking]) -> None:
    """Write rankings into a file, replacing the one before as a whole.

    Parameters
    ----------
    path
        ``.md``, ``.csv`` or ``.json``.
    rankings
        In any order; they are written by dataset, method and name.

    Raises
    ------
    InputError
        If there are none, or the file cannot be written.
    """
    check_rankings_file(path)
    if not rankings:
        raise InputError("out: no ranking is kept in the store; make one with 'ncselect rank'")
    ordered = sorted(rankings, key=lambda one: (one.ranking.dataset, one.ranking.method, one.name))
    text = _FORMATS[path.suffix]([_told(one) for one in ordered])
    try:
        replace_text(path, text)
    except OSError as error:
        raise InputError(
            f"out: '{path}' cannot be written ({error.strerror}); name another file"
        ) from error


def _is_ours(path: Path) -> bool:
    """Tell whether a file holds rankings, whichever ends its lines have come to have since."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".json":
            return text.startswith(_HEADS[path.suffix])
        document = json.loads(text)
    except ValueError:  # it is no text, or no JSON
        return False
    return isinstance(document, dict) and document.get("written_by") == _WRITER


def _told(kept: KeptRanking) -> dict[str, Any]:
    """Return what is written of a ranking, JSON values."""
    ranking = kept.ranking
    failed = [
        {**dict.fromkeys(CANDIDATE), "model": model, "failed": _without_place(reason, kept)}
        for model, reason in ranking.failed.items()
    ]
    return {
        "ranking": kept.name,
        "dataset": ranking.dataset,
        "method": ranking.method,
        "horizon": kept.horizon,
        "advice": ranking.advice,
        "candidates": [_candidate(row, kept) for row in ranking] + failed,
    }


def _without_place(reason: str, kept: KeptRanking) -> str:
    """Return a reason that names the store by its name: where it lies is this machine's affair."""
    given = (kept.ranking.store, kept.question.get("store"))
    places = [Path(place).expanduser() for place in given if place]
    for path in {path for place in places for path in (place.absolute(), place.resolve())}:
        name = path.name.replace("\\", r"\\")
        reason = re.sub(rf"(?<![\w.-]){re.escape(str(path))}(?![\w.-])", name, reason)
    return reason


def _candidate(row: Row, kept: KeptRanking) -> dict[str, Any]:
    reach = NORMAL_95 * row.sd
    truth = kept.ranking.records[row.model].held(kept.horizon).truth
    figures = {
        "accuracy": _rounded(row.accuracy),
        "low": _rounded(max(0.0, row.accuracy - reach)) if math.isfinite(reach) else None,
        "high": _rounded(min(1.0, row.accuracy + reach)) if math.isfinite(reach) else None,
        "p_best": _rounded(row.p_best),
        "score": float(f"{row.score:.6g}") if math.isfinite(row.score) else None,
        "last": _rounded(row.last),
        "test_accuracy": _rounded(truth.get(kept.horizon, math.nan)),
    }
    known = {"rank": row.rank, "model": row.model, "epochs": row.epochs, "failed": None, **figures}
    return {name: known[name] for name in CANDIDATE}


def _rounded(share: float) -> float | None:
    return round(share, 4) if math.isfinite(share) else None


def _json(rankings: Sequence[Mapping[str, Any]]) -> str:
    document = {"written_by": _WRITER, "rankings": rankings}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _csv(rankings: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for one in rankings:
        writer.writerows({**one, **candidate} for candidate in one["candidates"])
    return text.getvalue()


def _markdown(rankings: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join([_HEADS[".md"] + "# Leaderboard\n", *map(_section, rankings)])


def _section(told: Mapping[str, Any]) -> str:
    """Return a ranking's heading, advice and table, and who has no rank."""
    ranked = [one for one in told["candidates"] if one["rank"] is not None]
    failed = [one for one in told["candidates"] if one["rank"] is None]
    predicts = any(one["accuracy"] is not None for one in ranked)
    heading = f"## {_plain(told['dataset'])}, ranked by {_plain(told['method'])}: "
    heading += _plain(told["ranking"])
    horizon = f"test accuracy, epoch {told['horizon']}"
    figures: dict[str, Callable[[Mapping[str, Any]], str]] = {
        **(
            {"predicted": lambda one: _number(one["accuracy"]), "95% interval": _interval}
            if predicts
            else {"score": lambda one: _number(one["score"], "g")}
        ),
        "P(best)": lambda one: _number(one["p_best"], ".2f"),
        "last": lambda one: _number(one["last"]),
        "epochs": lambda one: str(one["epochs"]),
        horizon: lambda one: _number(one["test_accuracy"]),
    }
    table = [
        f"| # | model | {' | '.join(figures)} |",
        f"|--:|:--|{'--:|' * len(figures)}",
        *(
            f"| {one['rank']} | {_plain(one['model'])} | "
            f"{' | '.join(cell(one) for cell in figures.values())} |"
            for one in ranked
        ),
    ]
    without = [f"- {_plain(one['model'])} has no rank: {_plain(one['failed'])}" for one in failed]
    parts = [[heading], [_plain(told["advice"])], table if ranked else [], without]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _interval(one: Mapping[str, Any]) -> str:
    return "–" if one["low"] is None else f"{one['low']:.3f} to {one['high']:.3f}"


def _number(value: float | None, spec: str = ".3f") -> str:
    return "–" if value is None else format(value, spec)


def _plain(text: str) -> str:
    """Return a text on one line, with nothing in it that Markdown would read as markup."""
    line = html.escape(" ".join(text.split()), quote=False)
    line = line.replace("~", "&#126;").replace("$", "&#36;")  # not every reader takes \$
    line = re.sub(r"([\\`*_\[\]|])", r"\\\1", line)
    return re.sub(r"^(\d*)([#+.)-])", r"\1\\\2", line)  # a heading, an item of a list


_FORMATS: Mapping[str, Callable[[Sequence[Mapping[str, Any]]], str]] = {
    ".md": _markdown,
    ".csv": _csv,
    ".json": _json,
}
