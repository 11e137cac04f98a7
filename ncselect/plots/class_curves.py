"""How statistics go over the epochs in networks of high and of low accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ncselect.plots.style import COLOURS, captioned, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HIGH, LOW = COLOURS[0], COLOURS[1]


@dataclass(frozen=True)
class ClassCurves:
    """The networks of one class.

    Attributes
    ----------
    epochs
        At which.
    curves
        Of each network, as long.
    mean
        Of all, as long.
    high
        Whether they are those of high accuracy.
    """

    epochs: tuple[int, ...]
    curves: tuple[tuple[float, ...], ...]
    mean: tuple[float, ...]
    high: bool


@dataclass(frozen=True)
class ClassCurvesPanel:
    """One statistic.

    Attributes
    ----------
    title
        Its name.
    classes
        At most one of each.
    """

    title: str
    classes: tuple[ClassCurves, ...]


@dataclass(frozen=True)
class ClassCurvesFigure:
    """Statistics side by side, in rows of up to three, each with its own scale.

    Attributes
    ----------
    panels
        In reading order.
    y_label
        What the statistics are of, with units.
    caption
        Small print.
    x_label
        With units.
    """

    panels: tuple[ClassCurvesPanel, ...]
    y_label: str
    caption: str = ""
    x_label: str = "epoch"


def draw_class_curves(values: ClassCurvesFigure) -> Figure:
    """Draw a thin line per network and a thick one for the mean of its class."""
    count = len(values.panels)
    columns = min(3, count)
    rows = -(-count // columns)
    with styled():
        figure, grid = new_figure(
            rows, columns, width=max(4.2, 2.9 * columns + 0.3), height=2.5 * rows + 0.6
        )
        flat = [axes for row in grid for axes in row]
        for axes in flat[count:]:
            axes.set_axis_off()
        for axes, panel in zip(flat, values.panels, strict=False):
            _draw(axes, panel)
            axes.set_title(panel.title)
            axes.set_xlabel(values.x_label)
        for row in grid:
            row[0].set_ylabel(values.y_label)
        figure.legend(handles=_handles(values), loc="outside upper right", ncols=2)
        captioned(figure, values.caption)
    return figure


def _draw(axes: Axes, panel: ClassCurvesPanel) -> None:
    for one in panel.classes:
        look = HIGH if one.high else LOW
        faint = min(0.5, 12 / max(1, len(one.curves)))
        for curve in one.curves:
            axes.plot(one.epochs, curve, color=look, linewidth=0.5, alpha=faint, zorder=2)
        axes.plot(one.epochs, one.mean, color=look, linewidth=2.4, zorder=3)
    shown = [y for one in panel.classes for curve in one.curves for y in curve]
    if shown and min(shown) > 0 and max(shown) > 30 * min(shown):
        axes.set_yscale("log")


def _handles(values: ClassCurvesFigure) -> list[object]:
    from matplotlib.lines import Line2D

    counts = {
        one.high: len(one.curves) for panel in values.panels for one in panel.classes
    }  # the same in all panels
    return [
        Line2D([], [], color=look, linewidth=2.4, label=f"{name} accuracy ({counts[high]})")
        for high, name, look in ((True, "high", HIGH), (False, "low", LOW))
        if high in counts
    ]
