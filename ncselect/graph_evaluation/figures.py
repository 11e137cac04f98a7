"""The paper's figures 4, 5, 7 to 10 of an evaluation, controls drawn in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ncselect.graphs.prediction.judging import ClassifierScore
from ncselect.plots.accuracies import AccuracyFigure, AccuracyPanel, AccuracySeries
from ncselect.plots.bars import Bar, BarFigure, BarPanel
from ncselect.plots.class_curves import ClassCurves, ClassCurvesFigure, ClassCurvesPanel

if TYPE_CHECKING:
    from ncselect.graph_evaluation.evaluation import Evaluation, Explanation
    from ncselect.plots import AnyFigure


def figures(found: Evaluation) -> dict[str, AnyFigure]:
    """Return name → figure."""
    first = found.classifications[0]
    people = f"{first.population.networks} networks, {first.sampled} in a balanced sample"
    made: dict[str, AnyFigure] = {
        "classification": _accuracies(
            found,
            [(one.last, one.scores) for one in found.classifications],
            f"{found.dataset}, {', '.join(first.population.architectures)}: {people}, high above "
            f"{first.threshold:.3f}; {first.folds} folds, {len(first.scores[0].repeats)} times. "
            "Dashed: controls. Bars: 95% intervals over networks.",
        )
    }
    for architecture in sorted(
        {name for one in found.transfers for name in one.judged.architectures}
    ):
        moved = [one for one in found.transfers if architecture in one.judged.architectures]
        made[f"transfer-{_slug(architecture)}"] = _accuracies(
            found,
            [(one.last, one.scores) for one in moved],
            f"{moved[0].judged.networks} networks of {architecture}, judged by what "
            f"{moved[0].sampled} of {', '.join(moved[0].learnt.architectures)} taught; high above "
            f"{moved[0].threshold:.3f}. Dashed: controls. Bars: 95% intervals over networks.",
        )
    for one in found.explanations:
        made[f"importances-{_slug(one.inputs)}"] = _importances(one)
        made[f"trajectories-{_slug(one.inputs)}"] = _trajectories(found, one)
    return made


def _accuracies(
    found: Evaluation, scored: Sequence[tuple[int, Sequence[ClassifierScore]]], caption: str
) -> AccuracyFigure:
    """Return figure 4's or 5's form: a panel per classifier, a line per kind of inputs."""
    epochs = tuple(last for last, _ in scored)
    panels = []
    for name in found.question.classifiers:
        series = []
        for place, first in enumerate(scored[0][1]):
            if first.classifier == name:
                shown = [scores[place].accuracy for _, scores in scored]
                series.append(
                    AccuracySeries(
                        first.inputs,
                        epochs,
                        tuple(one.value for one in shown),
                        tuple(one.low for one in shown),
                        tuple(one.high for one in shown),
                        control=first.control,
                    )
                )
        series.sort(key=lambda one: one.control)  # signatures have the first colours
        panels.append(AccuracyPanel(name.replace("-", " ").upper(), tuple(series)))
    return AccuracyFigure(tuple(panels), caption, x_label="last epoch seen, from 0 on")


def _importances(one: Explanation) -> BarFigure:
    """Return the form of figures 7a, 8a and 9a, and what shuffling costs beside it."""
    named = _statistics([row.signal for row in one.importances])
    weights = tuple(
        Bar(named[row.signal], row.weight.value, row.weight.low, row.weight.high,
            text=f"{row.weight.value:.2f}")
        for row in one.importances
    )  # fmt: skip
    losses = tuple(
        Bar(named[row.signal], row.loss.value, row.loss.low, row.loss.high,
            text=f"{row.loss.value:+.2f}")
        for row in one.importances
    )  # fmt: skip
    return BarFigure(
        (BarPanel("weights of a linear SVM", weights), BarPanel("shuffling a statistic", losses)),
        ("share of the absolute weights", "accuracy of the SVM that is lost"),
        caption=f"{one.inputs}, epochs {one.first}-{one.last}. Lines: the middle 95% of the fits.",
    )


def _trajectories(found: Evaluation, one: Explanation) -> ClassCurvesFigure:
    """Return the form of figures 7b to 9d, a panel per statistic."""
    named = _statistics([row.signal for row in one.trajectories])
    panels = tuple(
        ClassCurvesPanel(
            name,
            tuple(
                ClassCurves(row.epochs, row.curves, row.mean, row.high)
                for row in one.trajectories
                if row.signal == signal
            ),
        )
        for signal, name in named.items()
    )
    return ClassCurvesFigure(
        panels,
        one.inputs,
        f"{found.dataset}; high: a final accuracy above {found.question.threshold:.3f}. Thin: "
        "networks, one that stopped keeps its last value; thick: means.",
    )


def _statistics(signals: Sequence[str]) -> dict[str, str]:
    """Return signal → its statistic, with the sign of the edges where signals are of both."""
    parts = {signal: signal.split("/") for signal in signals}
    both = len({kind for _, kind, _, _ in parts.values()}) > 1
    return {
        signal: f"{statistic}, {kind.rpartition('-')[2]}" if both else statistic
        for signal, (_, kind, _, statistic) in parts.items()
    }


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")
