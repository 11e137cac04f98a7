"""Table G.2: seconds that methods take to predict the final accuracies of a pool."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from ncselect.plots import IntervalFigure, IntervalPanel, IntervalRow
from ncselect.reproduction import paper
from ncselect.reproduction.answered import Answered, Watch, ask
from ncselect.reproduction.pools import Pool, Repeat
from ncselect.reproduction.result import Result, Table, grouped
from ncselect.reproduction.scales import Scale
from ncselect.reproduction.wording import lc_note, n_note
from ncselect.types import RunRecord

METHODS = (paper.OURS, "bgrn", "last-value", "best-value", "cl", "lc")
TIMES = 3  # each answer is timed so often where there are few repeats; the libraries are warm


def table_g2(pools: Sequence[Pool], scale: Scale, *, workers: int, watch: Watch) -> Result:  # noqa: ARG001
    """Return table G.2: methods × datasets, one process, the first observation length.

    Every method first answers once untimed, so that loading libraries is not counted.
    """
    length = scale.lengths[0]
    often = [_often(pool) for pool in pools]
    methods = {method: scale.method(method) for method in METHODS}
    ask([_first(pools[0], length)], methods, [length])
    answers = ask(often, methods, [length], watch=watch)
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
                    (f"{method} ({paper.NAMES[method]})", *_cells(figures[pool.dataset][method]))
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
        "paper": paper.printed(paper.TABLE_G2, method, pool.dataset, 0),
        "reason": answered.reason,
    }


def _cells(figures: dict[str, Any]) -> tuple[str, str]:
    printed = "–" if figures["paper"] is None else f"{figures['paper']:g}"
    if figures["seconds"] is None:
        return "refused", printed
    ends = f"{figures['fastest']:.2g}, {figures['slowest']:.2g}"
    return f"{figures['seconds']:.2g} [{ends}]", printed


def _row(figures: dict[str, Any], method: str) -> IntervalRow:
    value, low, high, printed = (
        float("nan") if figures[name] is None else figures[name]
        for name in ("seconds", "fastest", "slowest", "paper")
    )
    return IntervalRow(
        method, value, low, high, printed, "refused" if figures["seconds"] is None else ""
    )
