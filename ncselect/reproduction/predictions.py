"""Figures 3a and F.4: predicted against true accuracy of every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.agreement import Interval
from ncselect.plots import Dot, DotFigure, DotPanel
from ncselect.reproduction import paper
from ncselect.reproduction.agreement import counted, rho
from ncselect.reproduction.answered import Answered, Watch, ask, left_out, truth
from ncselect.reproduction.families import family
from ncselect.reproduction.pools import Pool
from ncselect.reproduction.result import Result, Table, figures_of, grouped, said
from ncselect.reproduction.scales import Scale
from ncselect.reproduction.wording import interval_note, n_note, window_note

Floats = NDArray[np.float64]


def figure3a(pools: Sequence[Pool], scale: Scale, *, workers: int, watch: Watch) -> Result:  # noqa: ARG001
    """Return figure 3a: the first dataset, AlexNet counted but not drawn."""
    pool, length = pools[0], scale.lengths[0]
    answered = _answers([pool], scale, watch)[pool.dataset]
    values, with_all = _figures(pool, answered)
    values |= {"paper_rho": paper.RHO_F4.get(pool.dataset)}
    drawn = [model for model in pool.models if model != paper.ALEXNET]
    notes = [interval_note([pool]), window_note([length]), *_left_out([pool], answered, length)]
    corner = f"ρ = {said(with_all)}"
    if paper.ALEXNET in values["models"]:
        others = [pool.models.index(model) for model in drawn]
        without = rho(truth(pool)[:, others], answered.score[:, others])
        values |= {"rho_without_alexnet": figures_of(without)}
        corner = f"ρ = {said(without)}"
        if pool.dataset == paper.DATASET_3A:
            values |= {
                "paper_rho_without_alexnet": paper.RHO_3A_WITHOUT_ALEXNET,
                "paper_alexnet": dict(zip(("predicted", "true"), paper.ALEXNET_3A, strict=True)),
            }
        notes.append(_alexnet_note(pool, values["models"][paper.ALEXNET], without, with_all))
    return Result(
        target="figure3a",
        title=f"Figure 3a: predicted and true accuracy, {paper.title(pool.dataset)}",
        reading=_READING,
        tables=(_rho_table([pool], {pool.dataset: with_all}), _models_table(pool, values)),
        figures={pool.dataset: values},
        drawing=_drawing([_panel(pool, values, drawn, corner)], [pool], length),
        notes=tuple(notes),
    )


def figure_f4(pools: Sequence[Pool], scale: Scale, *, workers: int, watch: Watch) -> Result:  # noqa: ARG001
    """Return figure F.4: figure 3a for every dataset, AlexNet included."""
    length = scale.lengths[0]
    answers = _answers(pools, scale, watch)
    figures: dict[str, Any] = {}
    rhos: dict[str, Interval] = {}
    notes = [interval_note(pools), window_note([length])]
    for pool in pools:
        values, rhos[pool.dataset] = _figures(pool, answers[pool.dataset])
        figures[pool.dataset] = values | {"paper_rho": paper.RHO_F4.get(pool.dataset)}
        notes += _left_out([pool], answers[pool.dataset], length)
    return Result(
        target="figure-f4",
        title="Figure F.4: predicted and true accuracy on every dataset",
        reading=_READING,
        tables=(
            _rho_table(pools, rhos),
            *(_models_table(pool, figures[pool.dataset]) for pool in pools),
        ),
        figures=figures,
        drawing=_drawing(
            [
                _panel(pool, figures[pool.dataset], pool.models, f"ρ = {said(rhos[pool.dataset])}")
                for pool in pools
            ],
            pools,
            length,
        ),
        notes=tuple(notes),
    )


_READING = (
    "A dot on the broken line is predicted exactly; for the choice of a model only the order "
    "counts, which ρ measures."
)


def _alexnet_note(
    pool: Pool, found: Mapping[str, float], without: Interval, with_all: Interval
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
        f"AlexNet (predicted {found['predicted']:.3f}, true {found['true']:.3f}{printed[0]}) is "
        f"not drawn. Without it ρ = {said(without)}{printed[1]}, with it {said(with_all)}"
        f"{printed[2]}."
    )


def _answers(pools: Sequence[Pool], scale: Scale, watch: Watch) -> dict[str, Answered]:
    methods = {paper.OURS: scale.method(paper.OURS)}
    answers = ask(pools, methods, [scale.lengths[0]], watch=watch)
    return {dataset: one for (dataset, _, _), one in answers.items()}


def _figures(pool: Pool, answered: Answered) -> tuple[dict[str, Any], Interval]:
    true = truth(pool)
    found = rho(true, answered.score)
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
    n, repeats = counted(true, answered.score)
    return {"rho": figures_of(found, n=n, repeats=repeats), "models": models}, found


def _spread(values: Floats) -> float:
    return float(values.std(ddof=1))


def _rho_table(pools: Sequence[Pool], rhos: Mapping[str, Interval]) -> Table:
    rows = tuple(
        (
            paper.title(pool.dataset),
            said(rhos[pool.dataset]),
            f"{paper.RHO_F4[pool.dataset]:.2f}" if pool.dataset in paper.RHO_F4 else "–",
        )
        for pool in pools
    )
    return Table("ρ of capacitance", ("", "ρ [95% interval]", "paper"), rows)


def _models_table(pool: Pool, values: Mapping[str, Any]) -> Table:
    order = sorted(values["models"], key=lambda model: -values["models"][model]["true"])
    rows = tuple(
        (
            model,
            f"{one['predicted']:.3f} ± {one['predicted_sd']:.3f}",
            f"{one['true']:.3f}"
            + (f" ± {one['true_sd']:.3f}" if np.isfinite(one["true_sd"]) else ""),
        )
        for model, one in ((model, values["models"][model]) for model in order)
    )
    return Table(paper.title(pool.dataset), ("", "predicted", "true"), rows)


def _panel(pool: Pool, values: Mapping[str, Any], models: Sequence[str], corner: str) -> DotPanel:
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
        for model, one in values["models"].items()
        if model in models
    )
    return DotPanel(paper.title(pool.dataset), dots, corner, aside=frozenset({paper.ALEXNET}))


def _drawing(panels: Sequence[DotPanel], pools: Sequence[Pool], length: int) -> DotFigure:
    several = any(len(pool.repeats) > 1 for pool in pools)
    bars = (
        "Means over repeats; bars: their standard deviation."
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


def _left_out(pools: Sequence[Pool], answered: Answered, length: int) -> list[str]:
    lines = [f"refused: {line}" for line in grouped(answered.refused)]
    for pool in pools:
        lines += [f"left out: {line}" for line in grouped(left_out(pool, length))]
    return lines
