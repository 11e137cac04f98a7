"""Accuracy against a cost, with the candidates that no other beats on both."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ncselect.plots.labels import label_dots
from ncselect.plots.style import (
    OURS,
    PAPER,
    SOFT,
    captioned,
    finite,
    new_figure,
    styled,
    verbatim,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEPS = ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8))
"""Ticks of a decade: few, and more where few would leave too few."""
LEAST_TICKS = 4


@dataclass(frozen=True)
class TradeoffDot:
    """One candidate.

    Attributes
    ----------
    label
        Its name.
    cost
        Positive.
    value, low, high
        Accuracy and its interval; low and high nan where there is none.
    group
        Number of the candidates that cannot be told apart, 1 for the best's; 0 for none.
    on_front
        Whether no candidate is as cheap and better, or as good and cheaper.
    labelled
        Whether its label is written.
    """

    label: str
    cost: float
    value: float
    low: float = float("nan")
    high: float = float("nan")
    group: int = 0
    on_front: bool = False
    labelled: bool = True


@dataclass(frozen=True)
class TradeoffFigure:
    """Candidates as dots, the front as a stair.

    Attributes
    ----------
    dots
        In any order.
    x_label, y_label
        With units.
    spread
        What the bars are.
    width
        In inches.
    caption
        Small print.
    """

    dots: tuple[TradeoffDot, ...]
    x_label: str
    y_label: str
    spread: str = ""
    width: float = 7.2
    caption: str = ""


def draw_tradeoff(values: TradeoffFigure) -> Figure:
    """Draw cost on a logarithmic axis, accuracy upwards."""
    with styled():
        figure, ((axes,),) = new_figure(
            1, 1, width=values.width, height=min(0.9 * values.width + 0.8, 4.3)
        )
        for dot in values.dots:
            look = OURS if dot.group == 1 else SOFT
            if finite(dot.low, dot.high):
                axes.plot(
                    (dot.cost, dot.cost), (dot.low, dot.high), color=look, alpha=0.4, linewidth=1
                )
            axes.plot(dot.cost, dot.value, "o", color=look, markersize=6, zorder=4)
        _draw_front(axes, values)
        axes.set_xscale("log")
        _ticks(axes, values)
        axes.set_xlabel(values.x_label)
        axes.set_ylabel(values.y_label)
        axes.margins(y=0.08)
        figure.legend(
            handles=_handles(values), loc="outside upper left", ncols=4 if values.width > 5 else 2
        )
        captioned(figure, values.caption)
        figure.draw_without_rendering()
        label_dots(
            axes,
            [(dot.cost, dot.value) for dot in values.dots],
            [verbatim(dot.label) if dot.labelled else "" for dot in values.dots],
            [
                *(
                    ((dot.cost, dot.low), (dot.cost, dot.high))
                    for dot in values.dots
                    if finite(dot.low, dot.high)
                ),
                *itertools.pairwise(_stair(values)),
            ],
        )
    return figure


def _stair(values: TradeoffFigure) -> list[tuple[float, float]]:
    """Return the corners of the front, from cheap to dear."""
    front = sorted((dot.cost, dot.value) for dot in values.dots if dot.on_front)
    corners = front[:1]
    for cost, accuracy in front[1:]:
        corners += [(cost, corners[-1][1]), (cost, accuracy)]
    return corners


def _draw_front(axes: Axes, values: TradeoffFigure) -> None:
    corners = _stair(values)
    if len(corners) > 1:
        axes.plot(*zip(*corners, strict=True), color=PAPER, linewidth=1.2, zorder=3)
    for cost, accuracy in {(dot.cost, dot.value) for dot in values.dots if dot.on_front}:
        axes.plot(
            cost, accuracy, "o", markersize=10, markerfacecolor="none", markeredgecolor=PAPER,
            markeredgewidth=1.2, zorder=3,
        )  # fmt: skip


def _ticks(axes: Axes, values: TradeoffFigure) -> None:
    """Write costs as plain numbers, with room for the labels of the outermost dots."""
    costs = [dot.cost for dot in values.dots]
    ratio = max(costs) / min(costs)
    left, right = min(costs) / 1.3 / ratio**0.12, max(costs) * 1.3 * ratio**0.12
    for steps in STEPS:
        every = [step * 10.0**power for power in range(-6, 13) for step in steps]
        inside = [tick for tick in every if left <= tick <= right]
        if len(inside) >= LEAST_TICKS:
            break
    axes.set_xlim(left, right)
    axes.set_xticks(inside, [f"{tick:,.10g}" for tick in inside])
    axes.minorticks_off()


def _handles(values: TradeoffFigure) -> list[object]:
    from matplotlib.lines import Line2D

    found: list[object] = []
    groups = {dot.group == 1 for dot in values.dots}
    for best, look, label in ((True, OURS, "tied with the best"), (False, SOFT, "others")):
        if best in groups:
            name = label if len(groups) > 1 else "candidates"
            found.append(Line2D([], [], color=look, marker="o", linestyle="none", label=name))
    if values.spread and any(finite(dot.low) for dot in values.dots):
        found.append(Line2D([], [], color=SOFT, linewidth=1, alpha=0.6, label=values.spread))
    if any(dot.on_front for dot in values.dots):
        ring: dict[str, Any] = {
            "marker": "o",
            "markersize": 9,
            "markerfacecolor": "none",
            "linewidth": 1.2,
        }
        found.append(Line2D([], [], color=PAPER, label="Pareto front", **ring))
    return found
