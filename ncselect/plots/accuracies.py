"""How often classifiers are right against the epochs they have seen, with controls beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ncselect.plots.style import SOFT, captioned, colour, finite, marker, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

CHANCE = 0.5  # of two classes in equal numbers
DODGE = 0.035  # between neighbouring series' intervals, as a share of the axis


@dataclass(frozen=True)
class AccuracySeries:
    """A classifier's accuracy on one kind of inputs.

    Attributes
    ----------
    label
        Its name.
    epochs
        How many epochs it has seen, ascending.
    accuracy, low, high
        With the interval, at each; nan where there is none.
    control
        Whether it is a control: drawn with dashes.
    """

    label: str
    epochs: tuple[int, ...]
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    control: bool = False


@dataclass(frozen=True)
class AccuracyPanel:
    """The series of one panel.

    Attributes
    ----------
    title
        Above it.
    series
        The same labels in the same order in all panels.
    """

    title: str
    series: tuple[AccuracySeries, ...]


@dataclass(frozen=True)
class AccuracyFigure:
    """Panels side by side with common axes, such as one a classifier.

    Attributes
    ----------
    panels
        From left to right.
    caption
        Small print.
    x_label, y_label
        With units.
    """

    panels: tuple[AccuracyPanel, ...]
    caption: str = ""
    x_label: str = "epochs seen"
    y_label: str = "share of networks classified rightly"


def draw_accuracies(values: AccuracyFigure) -> Figure:
    """Draw the panels: a line and bars per series, and what chance gives."""
    count = len(values.panels)
    with styled():
        figure, ((*row,),) = new_figure(
            1, count, width=max(5.6, 4.4 * count), height=3.8, sharex=True, sharey=True
        )
        series = [one for panel in values.panels for one in panel.series]
        epochs = sorted({epoch for one in series for epoch in one.epochs})
        width = epochs[-1] - epochs[0] or 1
        for axes, panel in zip(row, values.panels, strict=True):
            _draw(axes, panel, step=DODGE * width / max(1, len(panel.series)))
            axes.set_title(panel.title)
            axes.set_xlabel(values.x_label)
        row[0].set_ylabel(values.y_label)
        ends = [end for one in series for end in (*one.accuracy, *one.low) if finite(end)]
        row[0].set_ylim(math.floor(10 * min([CHANCE, *ends]) - 0.3) / 10, 1.02)
        row[0].set_xticks([x for x in epochs if len(epochs) < 8 or x % 5 == 0])
        row[0].set_xlim(epochs[0] - 0.05 * width, epochs[-1] + 0.05 * width)
        looks = [_line(one, place) for place, one in enumerate(values.panels[0].series)]
        widest = max(len(one.label) for one in series)
        columns = max(1, int(figure.get_figwidth() / (0.07 * widest + 0.7)))
        figure.legend(handles=looks, loc="outside upper left", ncols=min(len(looks), columns))
        captioned(figure, values.caption)
    return figure


def _draw(axes: Axes, panel: AccuracyPanel, *, step: float) -> None:
    axes.axhline(CHANCE, color=SOFT, linewidth=0.8, linestyle=(0, (1, 2)))
    for place, one in enumerate(panel.series):
        axes.add_line(_line(one, place))
        aside = (place - (len(panel.series) - 1) / 2) * step
        for epoch, low, high in zip(one.epochs, one.low, one.high, strict=True):
            if finite(low, high):
                at = (epoch + aside, epoch + aside)
                axes.plot(at, (low, high), color=colour(place), linewidth=0.9, alpha=0.5, zorder=2)


def _line(one: AccuracySeries, place: int) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D(
        one.epochs, one.accuracy, color=colour(place), linewidth=1.3 if one.control else 2.0,
        linestyle=(0, (4, 2)) if one.control else "-", marker=marker(place), markersize=4,
        zorder=3 if one.control else 4, label=one.label,
    )  # fmt: skip
