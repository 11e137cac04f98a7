"""Values with intervals beside printed ones, a row per method: tables as figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ncselect.plots.style import OURS, PAPER, SOFT, captioned, finite, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class IntervalRow:
    """One method.

    Attributes
    ----------
    label
        Its name.
    value, low, high
        Ours with the interval; nan where there is none.
    printed
        The paper's; nan where it has none.
    reason
        In a word, why there is no value.
    """

    label: str
    value: float
    low: float
    high: float
    printed: float
    reason: str = ""


@dataclass(frozen=True)
class IntervalPanel:
    """Methods on one dataset at one length.

    Attributes
    ----------
    title
        Above it.
    rows
        From top to bottom.
    """

    title: str
    rows: tuple[IntervalRow, ...]


@dataclass(frozen=True)
class IntervalFigure:
    """Panels in a grid: a row of panels per observation length, a column per dataset.

    Attributes
    ----------
    panels
        Rows of panels.
    x_label
        With units.
    logarithmic
        Whether the axis is; else it is that of a correlation.
    caption
        Small print.
    spread
        What the bars are.
    """

    panels: tuple[tuple[IntervalPanel, ...], ...]
    x_label: str
    logarithmic: bool = False
    caption: str = ""
    spread: str = "95% interval"


def draw_intervals(values: IntervalFigure) -> Figure:
    """Draw the grid; the first row of every panel is the method that it is about."""
    rows, columns = len(values.panels), len(values.panels[0])
    most = max(len(panel.rows) for row in values.panels for panel in row)
    with styled():
        figure, grid = new_figure(
            rows,
            columns,
            width=max(5.2, 1.6 + 2.9 * columns),
            height=0.9 + rows * (0.75 + 0.27 * most),
            sharex=True,
            sharey=True,
        )
        for line, panels in zip(grid, values.panels, strict=True):
            for axes, panel in zip(line, panels, strict=True):
                _draw(axes, panel, logarithmic=values.logarithmic)
        for axes in grid[-1]:
            axes.set_xlabel(values.x_label)
        if not values.logarithmic:
            grid[0][0].set_xlim(_lowest(values) - 0.05, 1.05)
        for first in grid:
            for label in first[0].get_yticklabels()[:1]:
                label.set_fontweight("bold")
        figure.legend(handles=_handles(values), loc="outside upper right", ncols=2)
        captioned(figure, values.caption)
    return figure


def _draw(axes: Axes, panel: IntervalPanel, *, logarithmic: bool) -> None:
    axes.set_title(panel.title)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(range(len(panel.rows)), [row.label for row in panel.rows])
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    if logarithmic:
        axes.set_xscale("log")
    else:
        axes.axvline(0, color=SOFT, linewidth=0.7)
    for place, row in enumerate(panel.rows):
        if finite(row.low, row.high):
            axes.plot([row.low, row.high], [place, place], color=OURS, linewidth=1.6, alpha=0.55)
        if finite(row.value):
            axes.plot(row.value, place, "o", color=OURS, markersize=6, zorder=3)
        if finite(row.printed):
            axes.plot(
                row.printed, place, "D", markersize=6, markerfacecolor="none",
                markeredgecolor=PAPER, markeredgewidth=1.3, zorder=4,
            )  # fmt: skip
        if row.reason:
            axes.text(
                0.03, place, row.reason, transform=axes.get_yaxis_transform(), fontsize=7,
                color=SOFT, va="center", style="italic",
            )  # fmt: skip


def _lowest(values: IntervalFigure) -> float:
    """Return where the axis of a correlation begins: at 0, or at the half below the lowest end."""
    ends = [
        end
        for panels in values.panels
        for panel in panels
        for row in panel.rows
        for end in (row.value, row.low, row.printed)
        if finite(end)
    ]
    return max(-1.0, math.floor(2 * min([0.0, *ends])) / 2)


def _handles(values: IntervalFigure) -> list[object]:
    from matplotlib.lines import Line2D

    rows = [row for panels in values.panels for panel in panels for row in panel.rows]
    spread = f", {values.spread}" if any(finite(row.low) for row in rows) else ""
    ours = Line2D(
        [], [], color=OURS, marker="o", markersize=6, label=f"these runs{spread}",
        linestyle="-" if spread else "none",
    )  # fmt: skip
    paper = Line2D(
        [], [], color=PAPER, marker="D", markersize=6, markerfacecolor="none", linestyle="none",
        markeredgewidth=1.3, label="printed in the paper",
    )  # fmt: skip
    return [ours, paper] if any(finite(row.printed) for row in rows) else [ours]
