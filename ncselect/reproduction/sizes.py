"""Figure 3c: what the number of training images does to ρ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ncselect.numerics.agreement import Interval
from ncselect.plots import Line, LineFigure, LinePanel
from ncselect.reproduction import paper
from ncselect.reproduction.agreement import counted, gain, rho
from ncselect.reproduction.answered import Answered, Watch, ask, truth
from ncselect.reproduction.pools import Pool, Repeat
from ncselect.reproduction.result import Result, Table, figures_of, grouped, said
from ncselect.reproduction.scales import Scale
from ncselect.reproduction.wording import interval_note, n_note, window_note
from zoo.errors import InputError


def figure3c(pools: Sequence[Pool], scale: Scale, *, workers: int, watch: Watch) -> Result:
    """Return figure 3c: ρ against the length of the curve, by number of training images.

    The truth is the test accuracy of the full-size run in all cases, as in the paper.

    Raises
    ------
    InputError
        If there are no runs on fewer images, or they are of other models and seeds.
    """
    pool = pools[0]
    if not pool.reduced:
        raise InputError(
            f"the store has no runs on {pool.dataset} with fewer training images; make them with "
            f"'ncselect reproduce figure3c --scale {scale.name}'"
        )
    true = truth(pool)
    sizes = {size: _like(pool, repeats) for size, repeats in pool.reduced.items()}
    full = pool.train or 0
    if max(sizes) >= full:
        raise InputError(
            f"the runs on {max(sizes):,} images of {pool.dataset} are not on fewer than those on "
            f"all {full:,}; choose a scale with smaller sizes"
        )
    sizes[full] = Pool(pool.dataset, pool.horizon, pool.repeats)
    answers: dict[tuple[int, int], Answered] = {}
    for size, runs in sizes.items():
        named = Pool(f"{size:,}", runs.horizon, runs.repeats)
        for (_, length, _), one in ask(
            [named],
            {paper.OURS: scale.method(paper.OURS)},
            scale.curve,
            workers=workers,
            watch=_named(watch, size),
        ).items():
            answers[size, length] = one
    places = {size: _places(pool, runs) for size, runs in sizes.items()}
    scores = {
        (size, length): _aligned(one, places[size], true.shape)
        for (size, length), one in answers.items()
    }
    rhos = {key: rho(true, score) for key, score in scores.items()}
    of = {key: counted(true, score) for key, score in scores.items()}
    gains = {
        (size, length): gain(true, scores[full, length], scores[size, length])
        for size, length in answers
        if size != full
    }
    return Result(
        target="figure3c",
        title=f"Figure 3c: ρ by number of training images, {paper.title(pool.dataset)}",
        reading=(
            "A line is a number of training images; the truth is that of the largest. The paper, "
            "which prints no numbers here, finds 25K as good as 35K. The second table's intervals "
            "say whether fewer images cost anything: those with 0 inside do not show it."
        ),
        tables=_tables(sizes, rhos, gains, scale),
        figures={pool.dataset: _figures(sizes, rhos, gains, scale, of)},
        drawing=_drawing(pool, sizes, rhos, scale),
        deviations=(
            *(
                [f"Runs on fewer images end after {ends} epochs (paper: {paper.HORIZON})."]
                if (ends := _ends(pool)) != paper.HORIZON
                else []
            ),
            "The first and last images are those of the source's order; tensorflow-datasets "
            "shuffles its own once for all (paper: of the original files).",
        ),
        notes=(
            interval_note([pool]),
            window_note(scale.curve),
            f"Runs on fewer images have the first so many of the training split and validate on "
            f"its last {_validation(pool):,}; they are trained for the {scale.longest} epochs that "
            "are read.",
            *(
                f"refused: {line}"
                for line in grouped(
                    {
                        f"{model}, {size:,} images, {length} epochs": reason
                        for (size, length), one in answers.items()
                        for model, reason in one.refused.items()
                    }
                )
            ),
        ),
    )


def _like(pool: Pool, repeats: tuple[Repeat, ...]) -> Pool:
    """Return a pool of runs on fewer images, checked against the full size."""
    seeds = {repeat.seed for repeat in pool.repeats}
    kept = tuple(repeat for repeat in repeats if repeat.seed in seeds)
    if not kept:
        raise InputError(
            f"the runs on {pool.dataset} with fewer images have other seeds than those with all; "
            "complete them with 'ncselect reproduce figure3c'"
        )
    return Pool(pool.dataset, pool.horizon, kept)


def _places(pool: Pool, runs: Pool) -> list[tuple[int, int, int, int]]:
    """Return (row, column in runs, row, column in pool) of every run that both have."""
    rows = {repeat.seed: row for row, repeat in enumerate(pool.repeats)}
    return [
        (row, column, rows[repeat.seed], pool.models.index(model))
        for row, repeat in enumerate(runs.repeats)
        for column, model in enumerate(runs.models)
        if model in pool.models
    ]


def _aligned(
    answered: Answered, places: list[tuple[int, int, int, int]], shape: tuple[int, ...]
) -> np.ndarray:
    """Return scores in the full pool's rows and columns; nan where there is no run."""
    score = np.full(shape, np.nan)
    for row, column, to_row, to_column in places:
        score[to_row, to_column] = answered.score[row, column]
    return score


def _named(watch: Watch, size: int) -> Watch:
    return lambda _what, done, total: watch(f"{size:,} images", done, total)


def _ends(pool: Pool) -> int:
    """Return the last epoch of any run on fewer images."""
    return max(
        run.epochs for repeats in pool.reduced.values() for repeat in repeats for run in repeat.runs
    )


def _validation(pool: Pool) -> int:
    (repeats, *_) = pool.reduced.values()
    return int(repeats[0].runs[0].spec.data["counts"]["validation"])


def _figures(
    sizes: dict[int, Pool],
    rhos: dict[tuple[int, int], Interval],
    gains: dict[tuple[int, int], Interval],
    scale: Scale,
    of: dict[tuple[int, int], tuple[float, int]],
) -> dict[str, Any]:
    return {
        f"{size}": {
            str(length): {
                **figures_of(
                    rhos[size, length], n=of[size, length][0], repeats=of[size, length][1]
                ),
                **(
                    {"full_minus_it": figures_of(gains[size, length])}
                    if (size, length) in gains
                    else {}
                ),
            }
            for length in scale.curve
        }
        for size in sorted(sizes)
    }


def _tables(
    sizes: dict[int, Pool],
    rhos: dict[tuple[int, int], Interval],
    gains: dict[tuple[int, int], Interval],
    scale: Scale,
) -> tuple[Table, Table]:
    curve = scale.curve
    shown = sorted({curve[0], curve[len(curve) // 2], curve[-1]})
    headings = ("training images", *(str(length) for length in shown))
    full = max(sizes)
    return (
        Table(
            "ρ [95% interval] by length of the learning curve",
            headings,
            tuple(
                (f"{size:,}", *(said(rhos[size, length]) for length in shown))
                for size in sorted(sizes)
            ),
        ),
        Table(
            f"ρ with {full:,} images less that with …",
            headings,
            tuple(
                (f"{size:,}", *(said(gains[size, length]) for length in shown))
                for size in sorted(sizes)
                if size != full
            ),
        ),
    )


def _drawing(
    pool: Pool, sizes: dict[int, Pool], rhos: dict[tuple[int, int], Interval], scale: Scale
) -> LineFigure:
    lines = tuple(
        Line(
            f"{size:,}",
            tuple(map(float, scale.curve)),
            tuple(rhos[size, length].value for length in scale.curve),
            tuple(rhos[size, length].low for length in scale.curve),
            tuple(rhos[size, length].high for length in scale.curve),
        )
        for size in sorted(sizes, reverse=True)
    )
    return LineFigure(
        (LinePanel(f"{paper.title(pool.dataset)}, by training images", lines),),
        "length of learning curve (epochs)",
        "Spearman's ρ",
        f"{n_note([pool])} Band: 95% interval with the most images.",
        ordered=True,
    )
