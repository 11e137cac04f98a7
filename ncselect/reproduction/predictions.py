"""Figures 3a and F.4: predicted against true accuracy of every model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.agreement import Interval
from ncselect.plots import Dot, DotFigure, DotPanel
from ncselect.reproduction import paper
from ncselect.reproduction.agreement import counted, rho
from ncselect.reproduction.asking import Answered, ask
from ncselect.reproduction.cells import figures_of, said
from ncselect.reproduction.families import family
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool, left_out, truth
from ncselect.reproduction.readings import FROM_T0, READINGS, questions, readings_note
from ncselect.reproduction.result import Result, Table
from ncselect.reproduction.wording import grouped, interval_note, n_note

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """What one reading of capacitance predicts of a pool.

    Attributes
    ----------
    rho
        With its interval.
    n, repeats
        Models it is of, the mean over the repeats that count, and those repeats.
    models
        Model → ``predicted`` and ``true``, the means over repeats, with their ``_sd``.
    without_alexnet
        ρ of the other models; None where AlexNet is not in.
    """

    rho: Interval
    n: float
    repeats: int
    models: Mapping[str, Mapping[str, float]]
    without_alexnet: Interval | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        others = self.without_alexnet
        return {
            "rho": figures_of(self.rho, n=self.n, repeats=self.repeats),
            "models": self.models,
            **({} if others is None else {"rho_without_alexnet": figures_of(others)}),
        }


def figure3a(material: Material) -> Result:
    """Return figure 3a: the first dataset, AlexNet counted but not drawn."""
    pool, end = material.pool, material.horizon
    length = material.scale.lengths[0]
    found, left = _predictions(dataclasses.replace(material, pools=(pool,)))
    of = found[pool.dataset]
    ours = of[paper.OURS]
    values = _figures(pool, of)
    notes = [interval_note([pool]), readings_note(material.scale, [length], end=end), *left]
    drawn = [model for model in pool.models if model != paper.ALEXNET]
    corner = f"ρ = {said(ours.rho)}"
    if ours.without_alexnet is not None:
        corner = f"ρ = {said(ours.without_alexnet)}"
        if pool.dataset == paper.DATASET_3A:
            values |= {
                "paper_rho_without_alexnet": paper.RHO_3A_WITHOUT_ALEXNET,
                "paper_alexnet": dict(zip(("predicted", "true"), paper.ALEXNET_3A, strict=True)),
            }
        notes += [
            _alexnet_note(pool, reading, one.models[paper.ALEXNET], one.without_alexnet, one.rho)
            for reading, one in of.items()
            if one.without_alexnet is not None
        ]
    return Result(
        target="figure3a",
        title=f"Figure 3a: predicted and true accuracy, {paper.title(pool.dataset)}",
        reading=_READING,
        tables=(_rho_table([pool], found), _models_table(pool, of)),
        figures={pool.dataset: values},
        drawing=_drawing([_panel(pool, ours, drawn, corner)], [pool], length),
        notes=tuple(notes),
    )


def figure_f4(material: Material) -> Result:
    """Return figure F.4: figure 3a for every dataset, AlexNet included."""
    pools, scale, end = material.pools, material.scale, material.horizon
    length = scale.lengths[0]
    found, left = _predictions(material)
    return Result(
        target="figure-f4",
        title="Figure F.4: predicted and true accuracy on every dataset",
        reading=_READING,
        tables=(
            _rho_table(pools, found),
            *(_models_table(pool, found[pool.dataset]) for pool in pools),
        ),
        figures={pool.dataset: _figures(pool, found[pool.dataset]) for pool in pools},
        drawing=_drawing(
            [
                _panel(pool, ours, pool.models, f"ρ = {said(ours.rho)}")
                for pool in pools
                for ours in [found[pool.dataset][paper.OURS]]
            ],
            pools,
            length,
        ),
        notes=(interval_note(pools), readings_note(scale, [length], end=end), *left),
    )


_READING = (
    "A dot on the broken line is predicted exactly; for the choice of a model only the order "
    "counts, which ρ measures. Drawn is the reading capacitance; the tables have both."
)


def _alexnet_note(
    pool: Pool, reading: str, found: Mapping[str, float], without: Interval, with_all: Interval
) -> str:
    """Say what AlexNet came to, beside the paper's where it is of the same dataset."""
    printed = ("", "", "")
    if pool.dataset == paper.DATASET_3A:
        predicted, true = paper.ALEXNET_3A
        printed = (
            f"; paper: {predicted:.3f} and {true:.3f}",
            f" (paper: {paper.RHO_3A_WITHOUT_ALEXNET:.2f})",
            f" (paper: {paper.RHO_F4[pool.dataset]:.2f})",
        )
    return (
        f"{reading}: AlexNet (predicted {found['predicted']:.3f}, true {found['true']:.3f}"
        f"{printed[0]}) is not drawn. Without it ρ = {said(without)}{printed[1]}, "
        f"with it {said(with_all)}{printed[2]}."
    )


def _predictions(material: Material) -> tuple[dict[str, dict[str, Predictions]], list[str]]:
    """Return dataset → reading → what it predicts, and a line for each that is not in it."""
    scale, end = material.scale, material.horizon
    asked = questions(scale, READINGS, [scale.lengths[0]], end=end)
    found: dict[str, dict[str, Predictions]] = {pool.dataset: {} for pool in material.pools}
    refused: dict[str, str] = {}
    pools = {pool.dataset: pool for pool in material.pools}
    for (dataset, _, reading), one in ask(material, asked).items():
        found[dataset][reading] = _of(pools[dataset], one)
        refused |= {f"{reading} of {model} on {dataset}": why for model, why in one.refused.items()}
    missing = {
        f"{run} on {pool.dataset}": why
        for pool in material.pools
        for run, why in left_out(pool, scale.lengths[0]).items()
    }
    lines = [
        *(f"refused: {line}" for line in grouped(refused)),
        *(f"left out: {line}" for line in grouped(missing)),
    ]
    return found, lines


def _of(pool: Pool, answered: Answered) -> Predictions:
    true = truth(pool)
    models = {}
    for place, model in enumerate(pool.models):
        both = np.isfinite(true[:, place]) & np.isfinite(answered.mean[:, place])
        if not both.any():
            continue
        said_, was = answered.mean[both, place], true[both, place]
        several = int(both.sum()) > 1
        models[model] = {
            "predicted": float(said_.mean()),
            "true": float(was.mean()),
            "predicted_sd": _spread(said_) if several else float(answered.sd[both, place][0]),
            "true_sd": _spread(was) if several else float("nan"),
            "repeats": int(both.sum()),
        }
    others = [place for place, model in enumerate(pool.models) if model != paper.ALEXNET]
    without = rho(true[:, others], answered.score[:, others]) if paper.ALEXNET in models else None
    return Predictions(rho(true, answered.score), *counted(true, answered.score), models, without)


def _figures(pool: Pool, of: Mapping[str, Predictions]) -> dict[str, Any]:
    return {
        **of[paper.OURS].to_json(),
        FROM_T0: of[FROM_T0].to_json(),
        "paper_rho": paper.RHO_F4.get(pool.dataset),
    }


def _spread(values: Floats) -> float:
    return float(values.std(ddof=1))


def _rho_table(pools: Sequence[Pool], found: Mapping[str, Mapping[str, Predictions]]) -> Table:
    rows = tuple(
        (
            paper.title(pool.dataset),
            *(said(found[pool.dataset][reading].rho) for reading in READINGS),
            f"{paper.RHO_F4[pool.dataset]:.2f}" if pool.dataset in paper.RHO_F4 else "–",
        )
        for pool in pools
    )
    return Table("ρ [95% interval]", ("", *READINGS, "paper"), rows)


def _models_table(pool: Pool, of: Mapping[str, Predictions]) -> Table:
    true = {model: one for each in of.values() for model, one in each.models.items()}
    rows = tuple(
        (
            model,
            *(_cell(of[reading].models.get(model), "predicted") for reading in READINGS),
            _cell(true[model], "true"),
        )
        for model in sorted(true, key=lambda model: -true[model]["true"])
    )
    return Table(paper.title(pool.dataset), ("", *READINGS, "true"), rows)


def _cell(of: Mapping[str, float] | None, name: str) -> str:
    """Return a mean with its spread, if it has one."""
    if of is None:
        return "–"
    spread = of[f"{name}_sd"]
    return f"{of[name]:.3f}" + (f" ± {spread:.3f}" if np.isfinite(spread) else "")


def _panel(pool: Pool, found: Predictions, models: Sequence[str], corner: str) -> DotPanel:
    families = {run.spec.model: family(run) for run in pool.runs}
    dots = tuple(
        Dot(
            model,
            families[model],
            one["predicted"],
            one["true"],
            one["predicted"] - one["predicted_sd"],
            one["predicted"] + one["predicted_sd"],
            one["true"] - one["true_sd"],
            one["true"] + one["true_sd"],
        )
        for model, one in found.models.items()
        if model in models
    )
    return DotPanel(paper.title(pool.dataset), dots, corner, aside=frozenset({paper.ALEXNET}))


def _drawing(panels: Sequence[DotPanel], pools: Sequence[Pool], length: int) -> DotFigure:
    several = any(len(pool.repeats) > 1 for pool in pools)
    bars = (
        "Means over repeats; bars: their standard deviation (of one repeat, the predicted one)."
        if several
        else "Bars: the predicted standard deviation."
    )
    return DotFigure(
        tuple(panels),
        f"accuracy predicted after {length} epochs",
        f"test accuracy at epoch {pools[0].horizon}",
        equal=True,
        caption=f"{n_note(pools)} {bars}",
    )
