"""Predicted accuracies best first: a row per candidate, with what was seen and what came true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ncselect.plots.style import (
    INK,
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

LETTER = 0.066  # inches that a letter of a label takes
ROOM = 0.38  # share of the width beyond which labels stand above their rows, not beside them


@dataclass(frozen=True)
class Prediction:
    """One candidate.

    Attributes
    ----------
    label
        Its name.
    value
        What it is ordered by, or predicted accuracy.
    inner, outer
        Ends of the narrow and of the wide interval; nan where there are none.
    seen
        Accuracy when last seen; nan where it was not.
    truth
        What it came to; nan where that is not known.
    group
        Number of the candidates that cannot be told apart, 1 for the best's; 0 for none.
    text
        At the right end of its row.
    """

    label: str
    value: float
    inner: tuple[float, float] = (float("nan"), float("nan"))
    outer: tuple[float, float] = (float("nan"), float("nan"))
    seen: float = float("nan")
    truth: float = float("nan")
    group: int = 0
    text: str = ""


@dataclass(frozen=True)
class PredictionFigure:
    """Candidates from top to bottom.

    Attributes
    ----------
    predictions
        Best first.
    x_label
        With the unit.
    text_label
        What the texts at the right are.
    value_label, inner_label, outer_label
        What the dots and intervals are.
    width
        In inches.
    caption
        Small print.
    """

    predictions: tuple[Prediction, ...]
    x_label: str
    text_label: str = ""
    value_label: str = "predicted"
    inner_label: str = ""
    outer_label: str = ""
    width: float = 7.2
    caption: str = ""


def draw_predictions(values: PredictionFigure) -> Figure:
    """Draw a row per candidate; those of the best's group in colour."""
    rows = values.predictions
    widest = max(len(one.label) for one in rows)
    above = LETTER * widest > ROOM * values.width
    with styled():
        height = 1.05 + (0.42 if above else 0.28) * len(rows)
        figure, ((axes,),) = new_figure(1, 1, width=values.width, height=height)
        for place, one in enumerate(rows):
            _draw(axes, one, place)
        axes.set_ylim(len(rows) - 0.5, -0.9 if above else -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(values.x_label)
        labels = [verbatim(one.label) for one in rows]
        axes.set_yticks(range(len(rows)), [] if above else labels)
        axes.margins(x=0.04)
        for place, one in enumerate(rows):
            weight = "bold" if place == 0 else "normal"
            if above:
                axes.text(
                    0.0, place - 0.42, labels[place], transform=axes.get_yaxis_transform(),
                    va="center", fontweight=weight, fontsize=8,
                )  # fmt: skip
            axes.text(
                1.02, place, one.text, transform=axes.get_yaxis_transform(), va="center",
                fontweight=weight,
            )  # fmt: skip
        if values.text_label:
            axes.text(
                1.02, 1.0, values.text_label, transform=axes.transAxes, va="bottom", color=SOFT,
                fontsize=8,
            )  # fmt: skip
        if above:
            axes.spines["left"].set_visible(False)
        else:
            axes.get_yticklabels()[0].set_fontweight("bold")
        handles = _handles(values)
        columns = len(handles) if values.width > 5 else 2
        figure.legend(handles=handles, loc="outside upper left", ncols=columns)
        captioned(figure, values.caption)
    return figure


def _draw(axes: Axes, one: Prediction, place: int) -> None:
    look = OURS if one.group == 1 or (place == 0 and not one.group) else SOFT
    for ends, width in ((one.outer, 1.5), (one.inner, 4.5)):
        if finite(*ends):
            axes.plot(
                ends, (place, place), color=look, linewidth=width, alpha=0.45,
                solid_capstyle="butt", zorder=2,
            )  # fmt: skip
    if finite(one.value):
        axes.plot(one.value, place, "o", color=look, markersize=5.5, zorder=4)
    if finite(one.seen):
        axes.plot(one.seen, place, "|", color=INK, markersize=9, markeredgewidth=1.4, zorder=3)
    if finite(one.truth):
        axes.plot(one.truth, place, "^", color=PAPER, markersize=6, zorder=5)


def _handles(values: PredictionFigure) -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def mark(label: str, look: str, shape: str, **style: Any) -> Line2D:
        return Line2D([], [], color=look, marker=shape, linestyle="none", label=label, **style)

    rows = values.predictions
    found: list[object] = [mark(values.value_label, OURS, "o")]
    if any(finite(*one.inner) for one in rows):
        found += [
            Patch(color=OURS, alpha=0.45, linewidth=0, label=values.inner_label),
            Line2D([], [], color=OURS, alpha=0.45, linewidth=1.5, label=values.outer_label),
        ]
    if any(finite(one.seen) for one in rows):
        found.append(mark("last seen", INK, "|", markersize=9, markeredgewidth=1.4))
    if any(finite(one.truth) for one in rows):
        found.append(mark("test accuracy", PAPER, "^", markersize=6))
    return found
