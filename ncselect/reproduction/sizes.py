"""Figure 3c: what the number of training images does to ρ."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ncselect.numerics.agreement import Interval
from ncselect.plots import Line, LineFigure, LinePanel
from ncselect.reproduction import paper
from ncselect.reproduction.agreement import counted, gain, rho
from ncselect.reproduction.asking import Answered, ask
from ncselect.reproduction.cells import figures_of, said
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool, Repeat, truth
from ncselect.reproduction.readings import READINGS, questions, readings_note
from ncselect.reproduction.result import Result, Table
from ncselect.reproduction.scales import Scale
from ncselect.reproduction.wording import grouped, interval_note, n_note
from zoo.errors import InputError


@dataclass(frozen=True)
class Scored:
    """ρ with so many training images, at one length, in one reading.

    Attributes
    ----------
    rho
        With its interval.
    n, repeats
        Models it is of, the mean over the repeats that count, and those repeats.
    full_minus_it
        By how much ρ with all images is above it, paired; None for all images.
    """

    rho: Interval
    n: float
    repeats: int
    full_minus_it: Interval | None


Cells = Mapping[tuple[int, int, str], Scored]  # images, length, reading


def figure3c(material: Material) -> Result:
    """Return figure 3c: ρ against the length of the curve, by number of training images.

    The truth is the test accuracy of the full-size run in all cases, as in the paper.

    Raises
    ------
    InputError
        If there are no runs on fewer images, or they are of other models and seeds.
    """
    pool, scale = material.pool, material.scale
    if not pool.reduced:
        raise InputError(
            f"the store has no runs on {pool.dataset} with fewer training images; make them with "
            f"'ncselect reproduce figure3c --scale {scale.name}'"
        )
    sizes = {size: _like(pool, repeats) for size, repeats in pool.reduced.items()}
    full = pool.train or 0
    if max(sizes) >= full:
        raise InputError(
            f"the runs on {max(sizes):,} images of {pool.dataset} are not on fewer than those on "
            f"all {full:,}; choose a scale with smaller sizes"
        )
    sizes[full] = Pool(pool.dataset, pool.horizon, pool.repeats)
    end = _end(pool)
    asked = questions(scale, READINGS, scale.curve, end=end)
    answers = {
        (size, length, reading): one
        for size, runs in sizes.items()
        for (_, length, reading), one in ask(_of_size(material, runs, size), asked).items()
    }
    cells = _scored(pool, sizes, answers)
    refusals = {
        f"{reading} of {model}, {size:,} images, {length} epochs": reason
        for (size, length, reading), one in answers.items()
        for model, reason in one.refused.items()
    }
    return Result(
        target="figure3c",
        title=f"Figure 3c: ρ by number of training images, {paper.title(pool.dataset)}",
        reading=(
            "A line is a number of training images; the truth is that of the largest. The paper, "
            "which prints no numbers here, finds 25K as good as 35K. The tables of differences "
            "say whether fewer images cost anything: intervals with 0 inside do not show it."
        ),
        tables=tuple(
            table
            for reading in READINGS
            for table in (
                _rho_table(reading, list(sizes), cells, scale),
                _gain_table(reading, list(sizes), cells, scale),
            )
        ),
        figures={
            pool.dataset: {
                reading: {
                    str(size): {
                        str(length): _figures(cells[size, length, reading])
                        for length in scale.curve
                    }
                    for size in sorted(sizes)
                }
                for reading in READINGS
            }
        },
        drawing=LineFigure(
            tuple(
                LinePanel(reading, _lines(reading, list(sizes), cells, scale))
                for reading in READINGS
            ),
            "length of learning curve (epochs)",
            "Spearman's ρ",
            f"{paper.title(pool.dataset)}, by training images. {n_note([pool])} Band: 95% interval "
            "with the most images.",
            ordered=True,
        ),
        deviations=(
            *(
                [f"Runs on fewer images end after {end} epochs (paper: {paper.HORIZON})."]
                if end != paper.HORIZON
                else []
            ),
            "The first and last images are those of the source's order; tensorflow-datasets "
            "shuffles its own once for all (paper: of the original files).",
        ),
        notes=(
            interval_note([pool]),
            readings_note(scale, scale.curve, end=end),
            f"Runs on fewer images have the first so many of the training split and validate on "
            f"its last {_validation(pool):,}; they are trained for the {scale.longest} epochs that "
            "are read.",
            *(f"refused: {line}" for line in grouped(refusals)),
        ),
    )


def _scored(
    pool: Pool, sizes: Mapping[int, Pool], answers: Mapping[tuple[int, int, str], Answered]
) -> Cells:
    """Return every ρ and its distance from that with all images, on the full pool's truth."""
    true, full = truth(pool), max(sizes)
    places = {size: _places(pool, runs) for size, runs in sizes.items()}
    scores = {key: _aligned(one, places[key[0]], true.shape) for key, one in answers.items()}
    return {
        (size, length, reading): Scored(
            rho(true, score),
            *counted(true, score),
            None if size == full else gain(true, scores[full, length, reading], score),
        )
        for (size, length, reading), score in scores.items()
    }


def _of_size(material: Material, runs: Pool, size: int) -> Material:
    """Return the material of one number of images."""
    named = Pool(f"{size:,}", runs.horizon, runs.repeats)

    def watch(_what: str, done: int, total: int) -> None:
        material.watch(f"{size:,} images", done, total)

    return dataclasses.replace(material, pools=(named,), watch=watch)


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


def _end(pool: Pool) -> int:
    """Return the last epoch of any run on fewer images."""
    return max(
        run.epochs for repeats in pool.reduced.values() for repeat in repeats for run in repeat.runs
    )


def _validation(pool: Pool) -> int:
    (repeats, *_) = pool.reduced.values()
    return int(repeats[0].runs[0].spec.data["counts"]["validation"])


def _figures(one: Scored) -> dict[str, Any]:
    gained = one.full_minus_it
    more = {} if gained is None else {"full_minus_it": figures_of(gained)}
    return {**figures_of(one.rho, n=one.n, repeats=one.repeats), **more}


def _rho_table(reading: str, sizes: Sequence[int], cells: Cells, scale: Scale) -> Table:
    shown = scale.shown_lengths
    rows = tuple(
        (f"{size:,}", *(said(cells[size, length, reading].rho) for length in shown))
        for size in sorted(sizes)
    )
    title = f"{reading}: ρ [95% interval] by length of the learning curve"
    return Table(title, ("training images", *map(str, shown)), rows)


def _gain_table(reading: str, sizes: Sequence[int], cells: Cells, scale: Scale) -> Table:
    shown = scale.shown_lengths
    rows = []
    for size in sorted(sizes)[:-1]:
        gained = [cells[size, length, reading].full_minus_it for length in shown]
        rows.append((f"{size:,}", *("–" if one is None else said(one) for one in gained)))
    title = f"{reading}: ρ with {max(sizes):,} images less that with …"
    return Table(title, ("training images", *map(str, shown)), tuple(rows))


def _lines(reading: str, sizes: Sequence[int], cells: Cells, scale: Scale) -> tuple[Line, ...]:
    """Return a line per number of images, the largest first."""
    lines = []
    for size in sorted(sizes, reverse=True):
        each = [cells[size, length, reading].rho for length in scale.curve]
        lines.append(
            Line(
                f"{size:,}",
                tuple(map(float, scale.curve)),
                tuple(one.value for one in each),
                tuple(one.low for one in each),
                tuple(one.high for one in each),
            )
        )
    return tuple(lines)
