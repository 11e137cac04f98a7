"""Figure G.6: what measuring costs against training, per model and dataset."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from ncselect.plots import Dot, DotFigure, DotPanel, Slope
from ncselect.reproduction import paper
from ncselect.reproduction.agreement import Resamples, interval
from ncselect.reproduction.cells import figures_of, said
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool
from ncselect.reproduction.result import Result, Table
from ncselect.reproduction.wording import n_note
from ncselect.types import Observation
from zoo.errors import InputError

Timed = Mapping[str, Sequence[Sequence[Observation]]]  # model → repeats → epochs

SKIPPED = 1  # the first epoch: caches and the file system are cold
APART, TOGETHER = "beta_seconds", "measuring_seconds"
AXES = {
    APART: "T_β: seconds of measuring on training images after it",
    TOGETHER: "T_β: seconds of measuring after it",
}


def figure_g6(material: Material) -> Result:
    """Return figure G.6: seconds of measuring an epoch against seconds of training it.

    A model's figures are the medians over its epochs, then over its repeats. What is measured on
    the training images alone is T_β where all observations have its seconds apart; otherwise
    T_β is all that is measured, validation included.

    Raises
    ------
    InputError
        If no run has two epochs.
    """
    pools = material.pools
    timed = {pool.dataset: _timed(pool) for pool in pools}
    seen = [one for each in timed.values() for repeats in each.values() for one in chain(*repeats)]
    if not seen:
        raise InputError("no run has two epochs or more; complete them with 'ncselect reproduce'")
    field = APART if all(one.beta_seconds is not None for one in seen) else TOGETHER
    costs = {dataset: _costs(each, field) for dataset, each in timed.items()}
    points = np.array([cost for each in costs.values() for cost in each.values()])
    resamples = Resamples.drawn(len(points), 1).models
    slope = interval(_slopes(points, resamples))
    figures: dict[str, Any] = {
        "t_beta": field,
        "slope": figures_of(slope, n=len(points), paper=paper.COST_G6),
        "datasets": {
            dataset: {
                model: {"training_seconds": x, field: y, "ratio": y / x}
                for model, (x, y) in each.items()
            }
            for dataset, each in costs.items()
        },
    }
    rows = tuple(
        (paper.title(dataset), model, f"{x:.2f}", f"{y:.2f}", f"{y / x:.3f}")
        for dataset, each in costs.items()
        for model, (x, y) in sorted(each.items(), key=lambda item: item[1])
    )
    dots = tuple(
        Dot(model, paper.title(dataset), x, y)
        for dataset, each in costs.items()
        for model, (x, y) in each.items()
    )
    ours = Slope(f"these runs: {slope.value:.3f}", slope.value)
    printed = Slope(f"paper: {paper.COST_G6}", paper.COST_G6, paper=True)
    return Result(
        target="figure-g6",
        title="Figure G.6: seconds of measuring against seconds of training, per epoch",
        reading=(
            "The slope through 0 is the price of an observation in epochs of training: below 1, "
            "observing costs less than training an epoch more."
        ),
        tables=(
            Table(
                "slope through 0",
                ("", "c = T_β / T_train"),
                (("these runs", said(slope, 3)), ("paper (4 × V100)", str(paper.COST_G6))),
            ),
            Table(
                "seconds per epoch",
                ("dataset", "model", "training", "measuring", "ratio"),
                rows,
            ),
        ),
        figures=figures,
        drawing=DotFigure(
            (DotPanel("", dots, slopes=(ours, printed)),),
            "T_train: seconds of training an epoch",
            AXES[field],
            caption=f"{n_note(pools)} Medians over epochs and repeats, the first epoch left out.",
        ),
        notes=(
            n_note(pools),
            _apart_note(pools) if field == APART else _TOGETHER_NOTE,
            f"95% interval of the slope: {len(points)} points (model × dataset) resampled. "
            "Seconds are wall-clock seconds of a machine that may have done other work.",
        ),
    )


_TOGETHER_NOTE = (
    "T_β here is everything that is done after an epoch: validation on all validation "
    "images, the forward pass of the probe subset through the network, and every signal, "
    "among them all definitions of β_eff. Validation, which training without ncselect "
    "does too, and β alone are not told apart in the runs. The paper's T_β is that of "
    "computing β_eff of the whole training set. The two are not the same quantity."
)


def _apart_note(pools: Sequence[Pool]) -> str:
    """Say what T_β is where validation is not in it, and on which images."""
    settings = [run.spec.settings for pool in pools for run in pool.runs]
    probes = " or ".join(f"{size:,}" for size in sorted({one.probe_size for one in settings}))
    wholes = {one.measure_whole for one in settings}
    if wholes == {True}:
        images = f"Measured on {probes} training images and again on all of them"
    elif wholes == {False}:
        images = f"Measured on at most {probes} training images, whatever their number"
    else:
        images = f"Measured on {probes} training images and, in some runs, again on all of them"
    return (
        "T_β here is everything that is done with training images after an epoch: their forward "
        "pass through the network and every signal, among them all definitions of β_eff; "
        f"validation is not in it. {images}; the paper's T_β is that of computing β_eff of the "
        "whole training set."
    )


def _timed(pool: Pool) -> Timed:
    """Return the observations whose seconds count."""
    found: dict[str, list[tuple[Observation, ...]]] = {}
    for run in pool.runs:
        seen = run.observations[1 + SKIPPED :]
        if run.status != "failed" and seen:
            found.setdefault(run.spec.model, []).append(seen)
    return found


def _costs(timed: Timed, field: str) -> dict[str, tuple[float, float]]:
    """Return model → median seconds of training an epoch and of what a field counts."""

    def median(repeats: Sequence[Sequence[Observation]], name: str) -> float:
        each = [statistics.median(getattr(one, name) for one in seen) for seen in repeats]
        return float(statistics.median(each))

    return {
        model: (median(repeats, "seconds"), median(repeats, field))
        for model, repeats in timed.items()
    }


def _slopes(points: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the least-squares slope through 0 in each resample: Σxy / Σx²."""
    x, y = points[:, 0], points[:, 1]
    return np.asarray((counts @ (x * y)) / (counts @ (x * x)))
