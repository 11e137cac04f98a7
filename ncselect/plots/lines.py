"""Lines with interval bands, labelled at their ends: ρ against the length of the curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ncselect.plots.labels import label_line_ends
from ncselect.plots.style import SOFT, captioned, colour, finite, marker, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Line:
    """A series.

    Attributes
    ----------
    label
        Its name.
    x, y
        Points; nan leaves one out.
    low, high
        Interval at each point; nan where there is none.
    printed
        (x, y) of values that the paper prints for it.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    printed: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class LinePanel:
    """The series of one panel, the one that matters most first.

    Attributes
    ----------
    title
        Above the panel.
    lines
        The series.
    """

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class LineFigure:
    """Panels side by side with a common y axis.

    Attributes
    ----------
    panels
        From left to right.
    x_label, y_label
        With units.
    caption
        Small print.
    ordered
        Whether the series are steps of one quantity: colours then go from dark to light.
    """

    panels: tuple[LinePanel, ...]
    x_label: str
    y_label: str
    caption: str = ""
    ordered: bool = False


def draw_lines(values: LineFigure) -> Figure:
    """Draw the panels; all have the same axes."""
    count = len(values.panels)
    with styled():
        figure, ((*row,),) = new_figure(
            1, count, width=max(5.2, 3.3 * count), height=3.6, sharey=True, sharex=True
        )
        for axes, panel in zip(row, values.panels, strict=True):
            _draw(axes, panel, ordered=values.ordered)
            axes.set_title(panel.title)
            axes.set_xlabel(values.x_label)
        row[0].set_ylabel(values.y_label)
        points = [
            y
            for panel in values.panels
            for place, line in enumerate(panel.lines)
            for y in (*_shown(line), *(line.low if _has_band(panel, place) else ()))
            if finite(y)
        ]
        low = math.floor(5 * min([0.5, *points]) - 0.25) / 5
        row[0].set_ylim(max(-1.0, low) - 0.02, 1.02)
        xs = sorted({x for panel in values.panels for line in panel.lines for x in line.x})
        row[0].set_xticks([x for x in xs if len(xs) < 6 or (x - xs[0]) % 5 == 0])
        widest = max(len(line.label) for panel in values.panels for line in panel.lines)
        share = min(0.45, (0.065 * widest + 0.15) / (figure.get_figwidth() / count - 0.6))
        room = share / (1 - share) * (xs[-1] - xs[0] or 1)  # for the labels
        row[0].set_xlim(xs[0] - 0.04 * (xs[-1] - xs[0] or 1), xs[-1] + room)
        captioned(figure, values.caption)
        figure.draw_without_rendering()
        for axes, panel in zip(row, values.panels, strict=True):
            _label_ends(axes, panel, ordered=values.ordered)
    return figure


def _draw(axes: Axes, panel: LinePanel, *, ordered: bool) -> None:
    axes.axhline(0, color=SOFT, linewidth=0.6)
    for place, line in reversed(list(enumerate(panel.lines))):
        first = place == 0
        look = _colour(panel, place, ordered=ordered)
        width = 2.2 if first else 1.3
        x, y = np.array(line.x), np.array(line.y)
        axes.plot(
            x,
            y,
            color=look,
            linewidth=width,
            marker=marker(place),
            markersize=4.5 if first else 3.5,
            zorder=4 if first else 3,
        )
        if _has_band(panel, place):
            axes.fill_between(
                x, np.array(line.low), np.array(line.high), color=look, alpha=0.15,
                linewidth=0, zorder=1,
            )  # fmt: skip
        for at, value in line.printed:
            axes.plot(
                at, value, marker=marker(place), markersize=8, markerfacecolor="none",
                markeredgecolor=look, markeredgewidth=1.4, linestyle="none", zorder=5,
            )  # fmt: skip


def _shown(line: Line) -> list[float]:
    return [y for y in (*line.y, *(y for _, y in line.printed)) if finite(y)]


def _has_band(panel: LinePanel, place: int) -> bool:
    """Tell whether a series' interval is drawn: that of all would cover each other."""
    return place == 0 or len(panel.lines) <= 2


def _colour(panel: LinePanel, place: int, *, ordered: bool) -> str:
    if not ordered:
        return colour(place)
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return to_hex(colormaps["viridis"](0.85 * place / max(1, len(panel.lines) - 1)))


def _label_ends(axes: Axes, panel: LinePanel, *, ordered: bool) -> None:
    ends, labels, colours = [], [], []
    for place, line in enumerate(panel.lines):
        known = [(x, y) for x, y in zip(line.x, line.y, strict=True) if finite(y)]
        if known:
            ends.append(known[-1])
            labels.append(line.label)
            colours.append(_colour(panel, place, ordered=ordered))
    label_line_ends(axes, ends, labels, colours)
