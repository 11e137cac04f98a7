"""Table 1 and figure F.5: Spearman's ρ of every method after so many epochs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ncselect.numerics.agreement import Interval
from ncselect.plots import (
    IntervalFigure,
    IntervalPanel,
    IntervalRow,
    Line,
    LineFigure,
    LinePanel,
)
from ncselect.reproduction import paper
from ncselect.reproduction.agreement import counted, gain, improvement, rho
from ncselect.reproduction.answered import Answered, Watch, ask, left_out, truth
from ncselect.reproduction.pools import Pool
from ncselect.reproduction.result import Result, Table, figures_of, grouped, number, said
from ncselect.reproduction.scales import Scale
from ncselect.reproduction.wording import FEW, interval_note, lc_note, n_note, window_note

TABLE_1 = (paper.OURS, "best-value", "last-value", "bgrn", "cl", "lc")
FIGURE_F5 = (paper.OURS, "best-value", "last-value", "bgrn", "cl")


@dataclasses.dataclass(frozen=True)
class Scored:
    """A method's ρ on a dataset after some epochs.

    Attributes
    ----------
    answered
        What it said.
    rho
        Mean over repeats, with its interval; nan where it said nothing.
    behind
        By how much ρ of ``capacitance`` is above it, paired; 0 for itself.
    n, repeats
        Models it is scored on, the mean over the repeats that count; and those repeats.
    """

    answered: Answered
    rho: Interval
    behind: Interval
    n: float
    repeats: int


Scores = Mapping[tuple[str, int, str], Scored]


def table1(pools: Sequence[Pool], scale: Scale, *, workers: int, watch: Watch) -> Result:
    """Return table 1: methods × datasets × observation lengths."""
    scores = scored(pools, TABLE_1, scale.lengths, scale, workers=workers, watch=watch)
    improvements = {
        (pool.dataset, length): _improvement(scores, pool, length)
        for pool in pools
        for length in scale.lengths
    }
    figures: dict[str, Any] = {}
    for pool in pools:
        for length in scale.lengths:
            cell = figures.setdefault(pool.dataset, {}).setdefault(str(length), {})
            for method in TABLE_1:
                cell[method] = _figures(scores, pool, length, method)
            found, best = improvements[pool.dataset, length]
            cell["improvement_percent"] = figures_of(
                found, over=best, paper=_printed_improvement(pool, length)
            )
    return Result(
        target="table1",
        title="Table 1: Spearman's ρ between predicted and true order, beside the paper's",
        reading=(
            "Each cell: ρ with its 95% interval, then the paper's in parentheses. Two methods "
            "differ only where the interval of their difference (second table) excludes 0."
        ),
        tables=tuple(
            table
            for pool in pools
            for table in (
                _rho_table(pool, scores, improvements, scale),
                _gain_table(pool, scores, scale),
            )
        ),
        figures=figures,
        drawing=_drawing(pools, scores, scale),
        notes=(*_notes(pools, scores, scale.lengths), lc_note(scale)),
    )


def figure_f5(pools: Sequence[Pool], scale: Scale, *, workers: int, watch: Watch) -> Result:
    """Return figure F.5: ρ against the length of the learning curve."""
    scores = scored(pools, FIGURE_F5, scale.curve, scale, workers=workers, watch=watch)
    panels = tuple(
        LinePanel(
            paper.title(pool.dataset),
            tuple(_line(scores, pool, method, scale.curve) for method in FIGURE_F5),
        )
        for pool in pools
    )
    return Result(
        target="figure-f5",
        title="Figure F.5: ρ against the length of the learning curve",
        reading=(
            "The higher the better, the further left the cheaper. Hollow marks are the paper's "
            "numbers at 5 and 10 epochs (table 1); the band is the 95% interval of capacitance. "
            f"* is scored on fewer models than there are; below {FEW} models no point is drawn."
        ),
        tables=tuple(
            Table(
                f"{paper.title(pool.dataset)}: ρ after so many epochs",
                ("", *map(str, scale.curve)),
                tuple(
                    (
                        method,
                        *(
                            _short_cell(scores[pool.dataset, length, method], pool)
                            for length in scale.curve
                        ),
                    )
                    for method in FIGURE_F5
                ),
            )
            for pool in pools
        ),
        figures={
            pool.dataset: {
                str(length): {
                    method: _figures(scores, pool, length, method) for method in FIGURE_F5
                }
                for length in scale.curve
            }
            for pool in pools
        },
        drawing=LineFigure(
            panels,
            "length of learning curve (epochs)",
            "Spearman's ρ",
            f"{n_note(pools)} Hollow: printed in the paper.",
        ),
        notes=_notes(pools, scores, scale.curve),
    )


def scored(
    pools: Sequence[Pool],
    methods: Sequence[str],
    lengths: Sequence[int],
    scale: Scale,
    *,
    workers: int,
    watch: Watch,
) -> dict[tuple[str, int, str], Scored]:
    """Return (dataset, length, method) → its ρ and how far it is behind capacitance."""
    asked = {method: scale.method(method) for method in methods}
    answers = ask(pools, asked, lengths, workers=workers, watch=watch)
    truths = {pool.dataset: truth(pool) for pool in pools}
    found = {}
    for (dataset, length, method), one in answers.items():
        true, ours = truths[dataset], answers[dataset, length, paper.OURS]
        found[dataset, length, method] = Scored(
            one,
            rho(true, one.score),
            gain(true, ours.score, one.score),
            *counted(true, one.score),
        )
    return found


def _figures(scores: Scores, pool: Pool, length: int, method: str) -> dict[str, Any]:
    one = scores[pool.dataset, length, method]
    behind = {} if method == paper.OURS else {"capacitance_minus_it": figures_of(one.behind)}
    return {
        **figures_of(one.rho, n=one.n, repeats=one.repeats),
        **behind,
        "paper": _printed(pool, method, length),
        "refused": dict(one.answered.refused),
        "reason": one.answered.reason,
    }


def _printed(pool: Pool, method: str, length: int) -> float | None:
    if length not in paper.LENGTHS:
        return None
    return paper.printed(paper.TABLE_1, method, pool.dataset, paper.LENGTHS.index(length))


def _printed_improvement(pool: Pool, length: int) -> float | None:
    values = paper.IMPROVEMENT.get(pool.dataset)
    if values is None or length not in paper.LENGTHS:
        return None
    return values[paper.LENGTHS.index(length)]


def _improvement(scores: Scores, pool: Pool, length: int) -> tuple[Interval, str]:
    """Return the improvement over the best of the baselines that the paper's table has."""
    all_scores = {
        method: scores[pool.dataset, length, method].answered.score for method in paper.TABLE_1
    }
    return improvement(truth(pool), all_scores.pop(paper.OURS), all_scores)


def _rho_table(
    pool: Pool,
    scores: Scores,
    improvements: Mapping[tuple[str, int], tuple[Interval, str]],
    scale: Scale,
) -> Table:
    rows = []
    for method in TABLE_1:
        cells = []
        for length in scale.lengths:
            one = scores[pool.dataset, length, method]
            ours = "refused" if one.answered.reason else said(one.rho)
            few = f" n={one.n:.1f}" if not one.answered.reason and one.n < _full(pool) else ""
            cells.append(f"{ours}{few} ({number(_printed(pool, method, length))})")
        rows.append((f"{method} ({paper.NAMES[method]})", *cells))
    last = []
    for length in scale.lengths:
        found, best = improvements[pool.dataset, length]
        over = f" over {best}" if best else ""
        last.append(f"{said(found, 1)}{over} ({number(_printed_improvement(pool, length), 1)})")
    rows.append(("Imprv (%)", *last))
    title = f"{paper.title(pool.dataset)}: ρ [95% interval] (paper)"
    return Table(title, _headings(scale), tuple(rows))


def _gain_table(pool: Pool, scores: Scores, scale: Scale) -> Table:
    rows = tuple(
        (method, *(said(scores[pool.dataset, length, method].behind) for length in scale.lengths))
        for method in TABLE_1
        if method != paper.OURS
    )
    title = f"{paper.title(pool.dataset)}: ρ of capacitance less that of …, on the same models"
    return Table(title, _headings(scale), rows)


def _headings(scale: Scale) -> tuple[str, ...]:
    return ("", *(f"{length} epochs" for length in scale.lengths))


def _full(pool: Pool) -> float:
    """Return how many models have a truth, the mean over the repeats that count."""
    known = truth(pool)
    return counted(known, known)[0]


def _drawing(pools: Sequence[Pool], scores: Scores, scale: Scale) -> IntervalFigure:
    return IntervalFigure(
        tuple(
            tuple(
                IntervalPanel(
                    f"{paper.title(pool.dataset)}, {length} epochs",
                    tuple(_row(scores, pool, length, method) for method in TABLE_1),
                )
                for pool in pools
            )
            for length in scale.lengths
        ),
        "Spearman's ρ",
        caption=n_note(pools),
    )


def _row(scores: Scores, pool: Pool, length: int, method: str) -> IntervalRow:
    one = scores[pool.dataset, length, method]
    printed = _printed(pool, method, length)
    return IntervalRow(
        method,
        one.rho.value,
        one.rho.low,
        one.rho.high,
        float("nan") if printed is None else printed,
        "refused" if one.answered.reason else "",
    )


def _short_cell(one: Scored, pool: Pool) -> str:
    """Return ρ, marked where a method refused some models."""
    fewer = not one.answered.reason and one.n < _full(pool)
    return number(one.rho.value) + ("*" if fewer else "")


def _line(scores: Scores, pool: Pool, method: str, lengths: Sequence[int]) -> Line:
    each = [scores[pool.dataset, length, method] for length in lengths]
    unknown = float("nan")
    blank = Interval(unknown, unknown, unknown, 0)
    found = [one.rho if one.n >= min(FEW, _full(pool)) else blank for one in each]
    printed = paper.TABLE_1.get(method, {}).get(pool.dataset, ())
    return Line(
        method,
        tuple(map(float, lengths)),
        tuple(one.value for one in found),
        tuple(one.low for one in found),
        tuple(one.high for one in found),
        tuple(
            (float(length), value)
            for length, value in zip(paper.LENGTHS, printed, strict=False)
            if value is not None and length in lengths
        ),
    )


def _notes(pools: Sequence[Pool], scores: Scores, lengths: Sequence[int]) -> tuple[str, ...]:
    notes = [interval_note(pools), window_note(lengths, learners=True)]
    refusals: dict[str, str] = {}
    for (dataset, length, method), one in scores.items():
        if one.answered.reason:
            refusals[f"{method} on {dataset} after {length}"] = one.answered.reason
        else:
            for model, reason in one.answered.refused.items():
                refusals[f"{method} for {model} on {dataset} after {length}"] = reason
    notes += [f"refused: {line}" for line in grouped(refusals)]
    missing = {
        f"{run} on {pool.dataset}": reason
        for pool in pools
        for run, reason in left_out(pool, max(lengths)).items()
    }
    notes += [f"left out: {line}" for line in grouped(missing)]
    return tuple(notes)
