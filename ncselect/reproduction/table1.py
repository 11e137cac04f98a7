"""Table 1: Spearman's ρ of every method after so many epochs, and the gain over the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ncselect.numerics.agreement import Interval
from ncselect.plots import IntervalFigure, IntervalPanel, IntervalRow
from ncselect.reproduction import paper
from ncselect.reproduction.agreement import improvement
from ncselect.reproduction.cells import figures_of, number, said
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool, truth
from ncselect.reproduction.readings import AS_FAR, FROM_T0, READINGS, labelled, rival
from ncselect.reproduction.result import Result, Table
from ncselect.reproduction.scales import Scale
from ncselect.reproduction.scored import (
    REFUSED,
    Scores,
    models_with_truth,
    printed_rho,
    score_figures,
    score_notes,
    scored,
)
from ncselect.reproduction.wording import lc_note, n_note

METHODS = (paper.OURS, FROM_T0, AS_FAR, "best-value", "last-value", "bgrn", "cl", "lc")
IMPROVEMENT = {paper.OURS: "improvement_percent", FROM_T0: "improvement_percent_from_t0"}
"""Reading → what its "Imprv (%)" is called in JSON."""


def table1(material: Material) -> Result:
    """Return table 1: methods × datasets × observation lengths."""
    pools, scale = material.pools, material.scale
    scores = scored(material, METHODS, scale.lengths)
    improvements = {
        (pool.dataset, length, reading): _improvement(scores, pool, length, reading)
        for pool in pools
        for length in scale.lengths
        for reading in READINGS
    }
    figures: dict[str, Any] = {}
    for pool in pools:
        for length in scale.lengths:
            cell = figures.setdefault(pool.dataset, {}).setdefault(str(length), {})
            for method in METHODS:
                cell[method] = score_figures(scores, pool, length, method)
            for reading in READINGS:
                found, best = improvements[pool.dataset, length, reading]
                cell[IMPROVEMENT[reading]] = figures_of(
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
        notes=(*score_notes(material, scores, scale.lengths), lc_note(scale)),
    )


def _printed_improvement(pool: Pool, length: int) -> float | None:
    values = paper.IMPROVEMENT.get(pool.dataset)
    if values is None or length not in paper.LENGTHS:
        return None
    return values[paper.LENGTHS.index(length)]


def _improvement(scores: Scores, pool: Pool, length: int, reading: str) -> tuple[Interval, str]:
    """Return a reading's improvement over the best of the baselines that the paper's table has."""
    of = {
        method: scores[pool.dataset, length, method].answered.score
        for method in (reading, *paper.TABLE_1)
    }
    return improvement(
        truth(pool), of[reading], {name: of[name] for name in paper.TABLE_1 if name != paper.OURS}
    )


def _rho_table(
    pool: Pool,
    scores: Scores,
    improvements: Mapping[tuple[str, int, str], tuple[Interval, str]],
    scale: Scale,
) -> Table:
    rows = []
    for method in METHODS:
        cells = []
        for length in scale.lengths:
            one = scores[pool.dataset, length, method]
            ours = REFUSED if one.answered.reason else said(one.rho)
            if not one.answered.reason and one.n < models_with_truth(pool):
                ours += f" n={one.n:.1f}"
            cells.append(f"{ours} ({number(printed_rho(pool, method, length))})")
        rows.append((labelled(method), *cells))
    for reading in READINGS:
        cells = []
        for length in scale.lengths:
            found, best = improvements[pool.dataset, length, reading]
            over = f" over {best}" if best else ""
            printed = number(_printed_improvement(pool, length), 1)
            cells.append(f"{said(found, 1)}{over} ({printed})")
        rows.append((f"Imprv (%) of {reading}", *cells))
    title = f"{paper.title(pool.dataset)}: ρ [95% interval] (paper)"
    return Table(title, _headings(scale), tuple(rows))


def _gain_table(pool: Pool, scores: Scores, scale: Scale) -> Table:
    rows = tuple(
        (
            method if rival(method) == paper.OURS else f"{rival(method)} less {method}",
            *(
                REFUSED if one.answered.reason else said(one.behind)
                for one in (scores[pool.dataset, length, method] for length in scale.lengths)
            ),
        )
        for method in METHODS
        if method != paper.OURS
    )
    title = f"{paper.title(pool.dataset)}: ρ of capacitance less that of …, on the same models"
    return Table(title, _headings(scale), rows)


def _headings(scale: Scale) -> tuple[str, ...]:
    return ("", *(f"{length} epochs" for length in scale.lengths))


def _drawing(pools: Sequence[Pool], scores: Scores, scale: Scale) -> IntervalFigure:
    return IntervalFigure(
        tuple(
            tuple(
                IntervalPanel(
                    f"{paper.title(pool.dataset)}, {length} epochs",
                    tuple(_row(scores, pool, length, method) for method in METHODS),
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
    printed = printed_rho(pool, method, length)
    return IntervalRow(
        method,
        one.rho.value,
        one.rho.low,
        one.rho.high,
        float("nan") if printed is None else printed,
        REFUSED if one.answered.reason else "",
    )
