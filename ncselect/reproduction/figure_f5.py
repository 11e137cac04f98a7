"""Figure F.5: Spearman's ρ of every method against the length of the learning curve."""

from __future__ import annotations

from collections.abc import Sequence

from ncselect.numerics.agreement import Interval
from ncselect.plots import Line, LineFigure, LinePanel
from ncselect.reproduction import paper
from ncselect.reproduction.cells import number
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool
from ncselect.reproduction.readings import AS_FAR, FROM_T0, in_paper
from ncselect.reproduction.result import Result, Table
from ncselect.reproduction.scored import (
    REFUSED,
    Scored,
    Scores,
    models_with_truth,
    score_figures,
    score_notes,
    scored,
)
from ncselect.reproduction.wording import FEW, n_note

METHODS = (paper.OURS, FROM_T0, AS_FAR, "best-value", "last-value", "bgrn", "cl")


def figure_f5(material: Material) -> Result:
    """Return figure F.5: ρ against the length of the learning curve."""
    pools, scale = material.pools, material.scale
    scores = scored(material, METHODS, scale.curve)
    panels = tuple(
        LinePanel(
            paper.title(pool.dataset),
            tuple(_line(scores, pool, method, scale.curve) for method in METHODS),
        )
        for pool in pools
    )
    return Result(
        target="figure-f5",
        title="Figure F.5: ρ against the length of the learning curve",
        reading=(
            "The higher the better, the further left the cheaper. Hollow marks are the paper's "
            "numbers at 5 and 10 epochs (table 1); the band is the 95% interval of capacitance. "
            f"* is scored on fewer models than there are; below {FEW} models no point is drawn, "
            "and none where a method refused."
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
                    for method in METHODS
                ),
            )
            for pool in pools
        ),
        figures={
            pool.dataset: {
                str(length): {
                    method: score_figures(scores, pool, length, method) for method in METHODS
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
        notes=score_notes(material, scores, scale.curve),
    )


def _short_cell(one: Scored, pool: Pool) -> str:
    """Return ρ, marked where a method refused some models, or that it refused all."""
    if one.answered.reason:
        return REFUSED
    return number(one.rho.value) + ("*" if one.n < models_with_truth(pool) else "")


def _line(scores: Scores, pool: Pool, method: str, lengths: Sequence[int]) -> Line:
    each = [scores[pool.dataset, length, method] for length in lengths]
    unknown = float("nan")
    blank = Interval(unknown, unknown, unknown, 0)
    found = [one.rho if one.n >= min(FEW, models_with_truth(pool)) else blank for one in each]
    printed = paper.TABLE_1.get(in_paper(method), {}).get(pool.dataset, ())
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
