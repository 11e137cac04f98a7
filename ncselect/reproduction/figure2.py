"""Figure 2: learning curves, β_eff, and the fitted line of five representative models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ncselect.methods.capacitance import Capacitance
from ncselect.methods.pool import ACCURACY
from ncselect.plots import Fit, FitFigure
from ncselect.reproduction import paper
from ncselect.reproduction.cells import number
from ncselect.reproduction.families import family
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool, left_out
from ncselect.reproduction.readings import FROM_T0, latest_start
from ncselect.reproduction.result import Result, Table
from ncselect.reproduction.wording import grouped, n_note
from ncselect.types import RunRecord
from zoo.errors import InputError


def figure2(material: Material) -> Result:
    """Return figure 2: the first repeat's runs of one model per family.

    Drawn is the window that BIC chooses in the epochs of the longer observation length; that of
    the other reading, of the shorter length from any t0 on, is in the table.
    """
    pool, scale = material.pool, material.scale
    length, epochs = scale.lengths[0], max(scale.lengths)
    from_t0 = length + latest_start(scale, length, pool.horizon) - 1
    runs = _representatives(pool, max(epochs, from_t0))
    method = Capacitance(subset=scale.subset)
    fits = tuple(_fit(run, method, epochs, pool.horizon) for run in runs)
    other = Capacitance(subset=scale.subset, window=length)
    others = tuple(_fit(run, other, from_t0, pool.horizon) for run in runs)
    figures: dict[str, Any] = {
        fit.model: {
            "family": family(run),
            **_window(fit),
            FROM_T0: _window(second),
            "test": fit.test,
            "training_accuracy": fit.train,
            "validation_accuracy": fit.validation,
            "beta": fit.beta,
            "paper": {"t0": paper.WINDOWS_2.get(family(run), (None, None))[0]},
        }
        for run, fit, second in zip(runs, fits, others, strict=True)
    }
    seed = pool.repeats[0].seed
    images = f"{'all' if scale.measure_whole else 'the probe subset of the'} training images"
    return Result(
        target="figure2",
        title=f"Figure 2: learning curves, β_eff and the fitted line, {paper.title(pool.dataset)}",
        reading=(
            "Top: accuracy by epoch; middle: |β_eff| by epoch; bottom: the line through the "
            "observed epochs (grey above) is read off at β = 0, where the star should meet the "
            "triangle."
        ),
        tables=(
            _table(
                f"{paper.OURS}: {fits[0].length} epochs, chosen in epochs 1 to {epochs} (drawn), "
                f"seed {seed}",
                fits,
                figures,
            ),
            _table(
                f"{FROM_T0}: {length} epochs from t0 on, chosen in epochs 1 to {from_t0}, "
                f"seed {seed}",
                others,
                figures,
            ),
        ),
        figures=figures,
        drawing=FitFigure(
            fits,
            f"{n_note([pool])} Seed {seed}. β_eff {method.definition} on {images}; "
            f"window of {fits[0].length} chosen in epochs 1 to {epochs}.",
        ),
        notes=(
            n_note([pool]),
            "Training accuracy is 1 − the training error on the probe subset; the test accuracy "
            "is measured at the last epoch alone.",
            "The paper's bottom row has |β_eff| on a logarithmic axis, which has no 0; here the "
            "axis is that of the fit, so that the distance of the extrapolation is seen.",
            "The paper prints no formula of its BIC; here it is n·ln(RSS/n) + k·ln n, RSS/n "
            "floored at the validation accuracy's sampling variance: no number to hold beside it.",
            *(f"left out: {line}" for line in grouped(left_out(pool, max(epochs, from_t0)))),
        ),
    )


def _window(fit: Fit) -> dict[str, Any]:
    """Return what the window and the line in it came to, as JSON values."""
    return {
        "t0": fit.start,
        "window": fit.length,
        "bic": fit.bic,
        "slope": fit.slope,
        "predicted": fit.predicted,
        "sd": fit.sd,
    }


def _table(title: str, fits: Sequence[Fit], figures: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            fit.model,
            f"{fit.start} ({figures[fit.model]['paper']['t0'] or '–'})",
            number(fit.bic, 1),
            f"{fit.predicted:.3f} ± {fit.sd:.3f}",
            f"{fit.test:.3f}",
            f"{100 * (fit.predicted - fit.test):+.1f}",
        )
        for fit in fits
    )
    return Table(title, ("", "t0 (paper's)", "BIC", "predicted", "true", "error (points)"), rows)


def _representatives(pool: Pool, epochs: int) -> list[RunRecord]:
    """Return a run of each of the paper's five families, filled up to five from the others."""
    usable = [
        run
        for run in pool.repeats[0].runs
        if run.status != "failed" and run.epochs >= epochs and pool.horizon in run.truth
    ]
    if not usable:
        raise InputError(
            f"no run on {pool.dataset} with the seed {pool.repeats[0].seed} has {epochs} epochs "
            f"and a test accuracy at epoch {pool.horizon}; complete them with 'ncselect reproduce'"
        )
    firsts = [
        next((run for run in usable if family(run) == name), None) for name in paper.FAMILIES_2
    ]
    chosen = [run for run in firsts if run is not None]
    others = [run for run in usable if all(run is not one for one in chosen)]
    return [*chosen, *others][: len(paper.FAMILIES_2)]


def _fit(run: RunRecord, method: Capacitance, epochs: int, horizon: int) -> Fit:
    window, line = method.fitted(run.observed(epochs))
    return Fit(
        model=run.spec.model,
        train=tuple((1 - run.curve("training-error")).tolist()),
        validation=tuple(run.curve(ACCURACY).tolist()),
        beta=tuple(np.asarray(method.inputs(run)).tolist()),
        start=window.start + 1,
        length=window.length,
        bic=window.bic,
        slope=line.slope,
        predicted=line.mean,
        sd=line.sd,
        test=run.truth[horizon],
    )
