"""Figure 3b: what the first observed epoch t0 does to ρ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ncselect.methods.capacitance import Capacitance
from ncselect.methods.pool import ACCURACY
from ncselect.numerics.agreement import Interval
from ncselect.numerics.ridge import ridge_line
from ncselect.plots import Line, LineFigure, LinePanel
from ncselect.reproduction import paper
from ncselect.reproduction.agreement import counted, rho
from ncselect.reproduction.cells import figures_of, said
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool, left_out, truth
from ncselect.reproduction.readings import FROM_T0
from ncselect.reproduction.result import Result, Table
from ncselect.reproduction.scales import Scale
from ncselect.reproduction.wording import grouped, interval_note, n_note
from ncselect.types import RunRecord
from zoo.errors import InputError

Floats = NDArray[np.float64]
Found = dict[tuple[int, int], tuple[Interval, float, int]]  # (t0, length) → ρ, models, repeats

TITLES = {FROM_T0: "epochs t0 to t0 + L − 1", paper.OURS: "epochs t0 to L"}
"""Reading → the window of a t0 in it."""


def figure3b(material: Material) -> Result:
    """Return figure 3b: ρ against the length of the learning curve, for several t0.

    In the one reading the window is [t0, t0 + length), in the other what is left of epochs 1 to
    the length: [t0, length].

    Raises
    ------
    InputError
        If the runs are shorter than the last window.
    """
    pool, scale = material.pool, material.scale
    last = max(scale.starts) + max(scale.curve) - 1
    if last > pool.horizon:
        raise InputError(
            f"the runs on {pool.dataset} end at epoch {pool.horizon}; figure 3b reads up to epoch "
            f"{last}"
        )
    method, true = Capacitance(subset=scale.subset), truth(pool)
    windows = {
        FROM_T0: {(start, length): length for start in scale.starts for length in scale.curve},
        paper.OURS: {
            (start, length): length - start + 1
            for start in scale.starts
            for length in scale.curve
            if length - start + 1 >= method.least_epochs
        },
    }
    total = sum(map(len, windows.values()))
    of: dict[str, Found] = {}
    done = 0
    for reading, each in windows.items():
        of[reading] = {}
        for (start, length), epochs in each.items():
            score = window_scores(pool, method, start, epochs)
            of[reading][start, length] = (rho(true, score), *counted(true, score))
            done += 1
            material.watch("windows", done, total)
    return Result(
        target="figure3b",
        title=f"Figure 3b: ρ by starting epoch t0, {paper.title(pool.dataset)}",
        reading=(
            "A line is a starting epoch, a step to the right one observation more. The paper "
            "prints no numbers here; it finds that a higher t0 usually gives a higher ρ. It does "
            "not say where a curve of length L begins: both readings are shown."
        ),
        tables=tuple(_table(reading, of[reading], scale) for reading in of),
        figures={
            pool.dataset: {
                reading: {
                    f"t0={start}": {
                        str(length): figures_of(value, n=n, repeats=repeats)
                        for (own, length), (value, n, repeats) in each.items()
                        if own == start
                    }
                    for start in scale.starts
                }
                for reading, each in of.items()
            }
        },
        drawing=LineFigure(
            tuple(LinePanel(TITLES[reading], _lines(each, scale)) for reading, each in of.items()),
            "length of learning curve (epochs)",
            "Spearman's ρ",
            f"{paper.title(pool.dataset)}. {n_note([pool])} Band: 95% interval of the latest "
            "start.",
            ordered=True,
        ),
        notes=(
            interval_note([pool]),
            f"The line of capacitance (β_eff {method.definition}) is fitted in all epochs of the "
            f"window. {FROM_T0}: epochs t0 to t0 + L − 1, of which a later start sees later ones "
            "and costs more training: at equal length it is not an equal price. "
            f"{paper.OURS}: epochs t0 to L, of which a later start sees fewer, at the same price.",
            *(f"left out: {line}" for line in grouped(left_out(pool, last))),
        ),
    )


def _table(reading: str, found: Found, scale: Scale) -> Table:
    shown = scale.shown_lengths
    rows = tuple(
        (
            f"t0 = {start}",
            *(
                said(found[start, length][0]) if (start, length) in found else "–"
                for length in shown
            ),
        )
        for start in scale.starts
    )
    title = f"{reading}: ρ [95% interval] by length L of the learning curve, {TITLES[reading]}"
    return Table(title, ("", *map(str, shown)), rows)


def _lines(found: Found, scale: Scale) -> tuple[Line, ...]:
    """Return a line per start, the latest first."""
    nothing = Interval(np.nan, np.nan, np.nan, 0)
    lines = []
    for start in sorted(scale.starts, reverse=True):
        each = [found.get((start, length), (nothing, 0.0, 0))[0] for length in scale.curve]
        lines.append(
            Line(
                f"t0 = {start}",
                tuple(map(float, scale.curve)),
                tuple(one.value for one in each),
                tuple(one.low for one in each),
                tuple(one.high for one in each),
            )
        )
    return tuple(lines)


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
