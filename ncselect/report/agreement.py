"""How the ranking fared, where runs have reached the epoch that it predicts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ncselect.kept_ranking import KeptRanking
from ncselect.numerics.agreement import Agreement, Interval, compare
from ncselect.numerics.predicted import Predicted
from ncselect.report.tables import Cell, Column, Table, number, words

LEAST = 2  # candidates that an order takes
SHARE = 0.8  # of the truths that the checked interval should hold
IMPLAUSIBLE = 0.05  # chance below which too few of them are inside


@dataclass(frozen=True)
class Verdict:
    """What the truth says of a ranking.

    Attributes
    ----------
    known
        Ranked candidates whose test accuracy at the horizon is known.
    candidates
        Ranked candidates.
    best
        The most accurate of the known ones; empty where there is none.
    inside
        Of the known ones with a predicted spread how many lie in the central 80%, and how many
        there are.
    implausible
        Whether so few would be inside in less than one of twenty pools, were the intervals right.
    table
        Measures of each method; None below two known candidates.
    """

    known: int
    candidates: int
    best: str
    inside: tuple[int, int]
    implausible: bool
    table: Table | None


def verdict(kept: KeptRanking, reach: float) -> Verdict:
    """Return what the truth says.

    Parameters
    ----------
    kept
        The ranking and its runs as far as they have come.
    reach
        Standard deviations to the ends of the interval that is checked.
    """
    ranking = kept.ranking
    truth = {
        model: record.truth[kept.horizon]
        for model, record in ranking.records.items()
        if kept.horizon in record.truth
    }
    rows = [row for row in ranking if row.model in truth]
    spreads = [row for row in rows if math.isfinite(row.accuracy) and math.isfinite(row.sd)]
    inside = sum(abs(truth[row.model] - row.accuracy) <= reach * row.sd for row in spreads)
    scores = {
        ranking.method: {row.model: row.score for row in rows},
        **{
            name: {row.model: row.beside[name] for row in rows if name in row.beside}
            for name in ranking.others
        },
    }
    finite = {
        name: {model: score for model, score in found.items() if math.isfinite(score)}
        for name, found in scores.items()
    }
    judged = {name: found for name, found in finite.items() if len(found) >= LEAST}
    return Verdict(
        known=len(rows),
        candidates=len(ranking),
        best=max(rows, key=lambda row: truth[row.model]).model if rows else "",
        inside=(inside, len(spreads)),
        implausible=_chance(inside, len(spreads)) < IMPLAUSIBLE,
        table=_table(judged, truth, kept.horizon) if judged else None,
    )


def _chance(inside: int, of: int) -> float:
    """Return how probable it is that no more than so many lie inside, each with ``SHARE``."""
    return sum(
        math.comb(of, count) * SHARE**count * (1 - SHARE) ** (of - count)
        for count in range(inside + 1)
    )


def _table(scores: dict[str, dict[str, float]], truth: dict[str, float], horizon: int) -> Table:
    return Table(
        "verdict",
        f"Each method against the test accuracy at epoch {horizon}: Spearman's ρ with its 95% "
        "bootstrap interval over the candidates, and regret",
        (
            Column("method", numeric=False, names=True),
            Column("candidates"),
            Column("ρ", descending=True),
            Column("95% interval", numeric=False),
            Column("regret, points"),
            Column("its pick", numeric=False),
        ),
        tuple(_cells(name, found, truth) for name, found in scores.items()),
        sortable=True,
    )


def _cells(name: str, scores: dict[str, float], truth: dict[str, float]) -> tuple[Cell, ...]:
    found = _agreement(
        np.array([truth[model] for model in scores]), np.array(list(scores.values()))
    )
    return (
        words(name),
        number(len(scores), ".0f"),
        number(found.rho.value, ".2f"),
        words(_interval(found.rho)),
        number(found.regret_points.value, ".1f"),
        words(max(scores, key=lambda model: scores[model])),
    )


def _agreement(truth: np.ndarray, score: np.ndarray) -> Agreement:
    predicted = Predicted.ordering(score)
    return compare(truth, {"": predicted}, rng=np.random.default_rng(0)).of[""]


def _interval(found: Interval) -> str:
    if not math.isfinite(found.low):
        return ""
    return f"{found.low:.2f} to {found.high:.2f}".replace("-", "−")
