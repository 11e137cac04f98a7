"""Figure 3b: what the first observed epoch t0 does to ρ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.methods.capacitance import Capacitance
from ncselect.methods.pool import ACCURACY
from ncselect.numerics.agreement import Interval
from ncselect.numerics.ridge import ridge_line
from ncselect.plots import Line, LineFigure, LinePanel
from ncselect.reproduction import paper
from ncselect.reproduction.agreement import counted, rho
from ncselect.reproduction.answered import Watch, left_out, truth
from ncselect.reproduction.pools import Pool
from ncselect.reproduction.result import Result, Table, figures_of, grouped, said
from ncselect.reproduction.scales import Scale
from ncselect.reproduction.wording import interval_note, n_note
from ncselect.types import RunRecord
from zoo.errors import InputError

Floats = NDArray[np.float64]


def figure3b(pools: Sequence[Pool], scale: Scale, *, workers: int, watch: Watch) -> Result:  # noqa: ARG001
    """Return figure 3b: ρ against the length of [t0, t0 + length), for several t0.

    Raises
    ------
    InputError
        If the runs are shorter than the last window.
    """
    pool = pools[0]
    last = max(scale.starts) + max(scale.curve) - 1
    if last > pool.horizon:
        raise InputError(
            f"the runs on {pool.dataset} end at epoch {pool.horizon}; figure 3b reads up to epoch "
            f"{last}"
        )
    method, true = Capacitance(subset=scale.subset), truth(pool)
    found: dict[tuple[int, int], Interval] = {}
    of: dict[tuple[int, int], tuple[float, int]] = {}
    for start in scale.starts:
        for length in scale.curve:
            score = window_scores(pool, method, start, length)
            found[start, length], of[start, length] = rho(true, score), counted(true, score)
            watch("windows", len(found), len(scale.starts) * len(scale.curve))
    figures: dict[str, Any] = {
        pool.dataset: {
            f"t0={start}": {
                str(length): figures_of(
                    found[start, length], n=of[start, length][0], repeats=of[start, length][1]
                )
                for length in scale.curve
            }
            for start in scale.starts
        }
    }
    lines = tuple(
        Line(
            f"t0 = {start}",
            tuple(map(float, scale.curve)),
            tuple(found[start, length].value for length in scale.curve),
            tuple(found[start, length].low for length in scale.curve),
            tuple(found[start, length].high for length in scale.curve),
        )
        for start in sorted(scale.starts, reverse=True)
    )
    rows = tuple(
        (f"t0 = {start}", *(said(found[start, length]) for length in _shown(scale)))
        for start in scale.starts
    )
    return Result(
        target="figure3b",
        title=f"Figure 3b: ρ by starting epoch t0, {paper.title(pool.dataset)}",
        reading=(
            "A line is a starting epoch, a step to the right one observation more. The paper "
            "prints no numbers here; it finds that a higher t0 usually gives a higher ρ."
        ),
        tables=(
            Table(
                "ρ [95% interval] by length of the learning curve",
                ("", *(str(length) for length in _shown(scale))),
                rows,
            ),
        ),
        figures=figures,
        drawing=LineFigure(
            (LinePanel(paper.title(pool.dataset), lines),),
            "length of learning curve (epochs from t0)",
            "Spearman's ρ",
            f"{n_note(pools)} Band: 95% interval of the latest start.",
            ordered=True,
        ),
        notes=(
            interval_note([pool]),
            f"The line of capacitance (β_eff {method.definition}) is fitted in epochs t0 to "
            "t0 + length − 1, all of them. A later start thus sees later epochs and costs more "
            "training: at equal length it is not an equal price.",
            *(f"left out: {line}" for line in grouped(left_out(pool, last))),
        ),
    )


def window_scores(pool: Pool, method: Capacitance, start: int, length: int) -> Floats:
    """Return h(0) of every run's line in epochs start … start + length − 1.

    Returns
    -------
    ndarray
        Shape (repeats, models); nan for runs that are too short or have failed.
    """
    scores = np.full((len(pool.repeats), len(pool.models)), np.nan)
    for row, repeat in zip(scores, pool.repeats, strict=True):
        for run in repeat.runs:
            if run.status != "failed" and run.epochs >= start + length - 1:
                row[pool.models.index(run.spec.model)] = _at_zero(run, method, start, length)
    return scores


def _at_zero(run: RunRecord, method: Capacitance, start: int, length: int) -> float:
    window = slice(start - 1, start - 1 + length)
    beta, accuracy = method.inputs(run)[window], run.curve(ACCURACY)[window]
    if not (np.isfinite(beta).all() and np.isfinite(accuracy).all()):
        return float("nan")
    return ridge_line(beta, accuracy, scaling=method.scaling).mean


def _shown(scale: Scale) -> list[int]:
    """Return the lengths of the table: the ends and the middle of the curve."""
    curve = scale.curve
    return sorted({curve[0], curve[len(curve) // 2], curve[-1]})
