"""Table G.2: seconds that methods take to predict the final accuracies of a pool."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

import numpy as np

from ncselect.plots import IntervalFigure, IntervalPanel, IntervalRow
from ncselect.reproduction import paper
from ncselect.reproduction.asking import Answered, ask
from ncselect.reproduction.cells import NO_INTERVAL
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool, Repeat
from ncselect.reproduction.readings import FROM_T0, in_paper, labelled, questions, readings_note
from ncselect.reproduction.result import Result, Table
from ncselect.reproduction.wording import grouped, lc_note, n_note
from ncselect.types import RunRecord

METHODS = (paper.OURS, FROM_T0, "bgrn", "last-value", "best-value", "cl", "lc")
TIMES = 3  # each answer is timed so often where there are few repeats; the libraries are warm
FEW_STEPS = 10  # of lc's sampler, to load what it loads


def table_g2(material: Material) -> Result:
    """Return table G.2: methods × datasets, one process, the first observation length.

    Every method first answers once untimed, so that loading libraries is not counted.
    """
    pools, scale, end = material.pools, material.scale, material.horizon
    length = scale.lengths[0]
    often = tuple(_often(pool) for pool in pools)
    asked = questions(scale, METHODS, [length], end=end)
    quick = questions(dataclasses.replace(scale, lc_steps=FEW_STEPS), METHODS, [length], end=end)
    first = _first(pools[0], max(one.epochs for one in quick))
    ask(Material(pools=(first,), scale=scale), quick)
    kept = material.kept and dataclasses.replace(material.kept, timed=True)
    answers = ask(dataclasses.replace(material, pools=often, workers=1, kept=kept), asked)
    figures: dict[str, Any] = {
        pool.dataset: {
            method: _figures(answers[pool.dataset, length, method], pool, method)
            for method in METHODS
        }
        for pool in pools
    }
    refusals = {
        f"{method} on {pool.dataset}": reason
        for pool in pools
        for method in METHODS
        if (reason := answers[pool.dataset, length, method].reason)
    }
    return Result(
        target="table-g2",
        title="Table G.2: seconds to predict, fitting the predictor included",
        reading=(
            "Median seconds of one process for a whole pool, fastest and slowest in brackets. "
            "Training the models and measuring β is not in them; the paper does not state its "
            "machine."
        ),
        tables=tuple(
            Table(
                f"{paper.title(pool.dataset)}: seconds after {length} epochs",
                ("", "seconds [range]", "paper"),
                tuple(
                    (
                        labelled(method),
                        *_cells(figures[pool.dataset][method]),
                    )
                    for method in METHODS
                ),
            )
            for pool in pools
        ),
        figures=figures,
        drawing=IntervalFigure(
            (
                tuple(
                    IntervalPanel(
                        paper.title(pool.dataset),
                        tuple(_row(figures[pool.dataset][method], method) for method in METHODS),
                    )
                    for pool in pools
                ),
            ),
            "seconds to predict a pool",
            logarithmic=True,
            caption=f"{n_note(pools)} Loading libraries is not counted.",
            spread="fastest to slowest",
        ),
        notes=(
            f"{n_note(pools)} Each pool was answered {len(often[0].repeats)} times. bgrn and cl "
            "learn anew for every candidate, from the curves of the others.",
            lc_note(scale),
            readings_note(scale, [length], end=end),
            *(
                [
                    "lc's seconds were measured when this machine first answered; they are kept in "
                    f"'{kept.folder}', whose deletion has them measured anew."
                ]
                if kept
                else []
            ),
            *(f"refused: {line}" for line in grouped(refusals)),
        ),
    )


def _often(pool: Pool) -> Pool:
    """Return a pool whose repeats are asked until there are some answers to time."""
    times = -(-TIMES // len(pool.repeats))
    return Pool(pool.dataset, pool.horizon, pool.repeats * times)


def _first(pool: Pool, length: int) -> Pool:
    """Return two runs that are long enough: enough to load what methods load."""
    seed, runs = next(
        ((repeat.seed, runs) for repeat in pool.repeats if (runs := _long(repeat, length))),
        (pool.repeats[0].seed, pool.repeats[0].runs),
    )
    return Pool(pool.dataset, pool.horizon, (Repeat(seed, runs[:2]),))


def _long(repeat: Repeat, length: int) -> tuple[RunRecord, ...]:
    return tuple(run for run in repeat.runs if run.status != "failed" and run.epochs >= length)


def _figures(answered: Answered, pool: Pool, method: str) -> dict[str, Any]:
    seconds = answered.seconds if answered.reason is None else ()
    return {
        "seconds": statistics.median(seconds) if seconds else None,
        "fastest": min(seconds, default=None),
        "slowest": max(seconds, default=None),
        "answers": len(seconds),
        "n": int(np.isfinite(answered.score).any(axis=0).sum()),
        "paper": paper.printed(paper.TABLE_G2, in_paper(method), pool.dataset, 0),
        "reason": answered.reason,
    }


def _cells(figures: dict[str, Any]) -> tuple[str, str]:
    printed = "–" if figures["paper"] is None else f"{figures['paper']:g}"
    if figures["seconds"] is None:
        return "refused", printed
    low, high = f"{figures['fastest']:.2g}", f"{figures['slowest']:.2g}"
    ends = NO_INTERVAL if low == high else f"[{low}, {high}]"
    return f"{figures['seconds']:.2g} {ends}", printed


def _row(figures: dict[str, Any], method: str) -> IntervalRow:
    value, low, high, printed = (
        float("nan") if figures[name] is None else figures[name]
        for name in ("seconds", "fastest", "slowest", "paper")
    )
    return IntervalRow(
        method, value, low, high, printed, "refused" if figures["seconds"] is None else ""
    )
