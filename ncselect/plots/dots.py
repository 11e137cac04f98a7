"""Dots with labels: predicted against true accuracy, one cost against another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ncselect.plots.labels import label_dots
from ncselect.plots.style import (
    INK,
    SOFT,
    captioned,
    colour,
    finite,
    marker,
    new_figure,
    styled,
    verbatim,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Segment = tuple[tuple[float, float], tuple[float, float]]
LABELLED_UP_TO = 20  # dots in a panel; of more only those at the ends have a label
ENDS = 2  # the farthest dots, in each direction, that then have one


@dataclass(frozen=True)
class Dot:
    """A dot.

    Attributes
    ----------
    label
        What is written beside it.
    group
        Dots of a group share colour and marker.
    x, y
        Where.
    x_low, x_high, y_low, y_high
        Ends of the bars through it; nan where there are none.
    """

    label: str
    group: str
    x: float
    y: float
    x_low: float = float("nan")
    x_high: float = float("nan")
    y_low: float = float("nan")
    y_high: float = float("nan")


@dataclass(frozen=True)
class Slope:
    """A line through 0.

    Attributes
    ----------
    label
        Its name.
    value
        dy/dx.
    paper
        Whether the paper prints it.
    """

    label: str
    value: float
    paper: bool = False


@dataclass(frozen=True)
class DotPanel:
    """The dots of one panel.

    Attributes
    ----------
    title
        Above it.
    dots
        In any order.
    note
        In its corner.
    slopes
        Lines through 0.
    aside
        Labels of dots that may be far from all others: the axes leave them out, an arrow with
        their values points to where they are.
    """

    title: str
    dots: tuple[Dot, ...]
    note: str = ""
    slopes: tuple[Slope, ...] = field(default=())
    aside: frozenset[str] = frozenset()


@dataclass(frozen=True)
class DotFigure:
    """Panels in rows of up to three.

    Attributes
    ----------
    panels
        In reading order.
    x_label, y_label
        With units.
    equal
        Whether both axes are the same quantity: a line then marks x = y.
    caption
        Small print.
    width
        In inches; None: as wide as the panels need.
    """

    panels: tuple[DotPanel, ...]
    x_label: str
    y_label: str
    equal: bool = False
    caption: str = ""
    width: float | None = None


def draw_dots(values: DotFigure) -> Figure:
    """Draw the panels; groups look alike in all of them."""
    groups = list(dict.fromkeys(dot.group for panel in values.panels for dot in panel.dots))
    count = len(values.panels)
    columns = min(3, count)
    rows = -(-count // columns)
    side = 4.6 if count == 1 else 4.2
    if values.width is not None:
        side = (values.width - 0.7) / columns
    with styled():
        figure, grid = new_figure(
            rows, columns, width=side * columns + 0.7, height=side * rows + 0.5
        )
        flat = [axes for row in grid for axes in row]
        for axes in flat[count:]:
            axes.set_axis_off()
        for axes, panel in zip(flat, values.panels, strict=False):
            _draw(axes, panel, groups, equal=values.equal)
            axes.set_title(panel.title)
            axes.set_xlabel(values.x_label)
            axes.set_ylabel(values.y_label)
        if len(groups) > 1:
            handles = [_handle(groups.index(group), group) for group in groups]
            figure.legend(handles=handles, loc="outside upper right", ncols=min(7, len(groups)))
        captioned(figure, values.caption)
        figure.draw_without_rendering()
        for axes, panel in zip(flat, values.panels, strict=False):
            label_dots(
                axes,
                [(dot.x, dot.y) for dot in panel.dots if _is_inside(axes, dot)],
                [
                    verbatim(dot.label) if dot in _labelled(panel.dots) else ""
                    for dot in panel.dots
                    if _is_inside(axes, dot)
                ],
                _segments(axes, panel, equal=values.equal),
            )
    return figure


def _labelled(dots: Sequence[Dot]) -> set[Dot]:
    """Return the dots whose label is written: of many those at the ends."""
    if len(dots) <= LABELLED_UP_TO:
        return set(dots)
    by = (lambda dot: dot.x, lambda dot: dot.y, lambda dot: dot.y / dot.x if dot.x else 0.0)
    orders = [sorted(dots, key=key) for key in by]
    return {dot for order in orders for dot in (order[0], *order[-ENDS:])}


def _is_inside(axes: Axes, dot: Dot) -> bool:
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    return left <= dot.x <= right and low <= dot.y <= high


def _draw(axes: Axes, panel: DotPanel, groups: Sequence[str], *, equal: bool) -> None:
    for dot in panel.dots:
        look = colour(groups.index(dot.group))
        for ends in _bars(dot):
            axes.plot(*zip(*ends, strict=True), color=look, alpha=0.45, linewidth=1, zorder=2)
        axes.plot(
            dot.x, dot.y, marker=marker(groups.index(dot.group)), color=look, markersize=6.5,
            markeredgecolor="white", markeredgewidth=0.6, linestyle="none", zorder=3,
        )  # fmt: skip
    if equal:
        near = [dot for dot in panel.dots if dot.label not in panel.aside]
        _equal_axes(axes, near or panel.dots)
        for dot in panel.dots:
            if not _is_inside(axes, dot):
                _point_to(axes, dot)
    if panel.slopes:
        _through_zero(axes, panel)
    if panel.note:
        axes.text(
            0.98, 0.03, panel.note, transform=axes.transAxes, ha="right", va="bottom",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}, zorder=4,
        )  # fmt: skip


def _bars(dot: Dot) -> list[Segment]:
    """Return the bars that a dot has."""
    both = (
        ((dot.x_low, dot.y), (dot.x_high, dot.y)),
        ((dot.x, dot.y_low), (dot.x, dot.y_high)),
    )
    return [(start, end) for start, end in both if finite(*start, *end)]


def _segments(axes: Axes, panel: DotPanel, *, equal: bool) -> list[Segment]:
    """Return all straight lines of a panel."""
    right = axes.get_xlim()[1]
    found = [bar for dot in panel.dots for bar in _bars(dot)]
    found += [
        ((0.0, 0.0), (right, slope.value * right)) for slope in panel.slopes if finite(slope.value)
    ]
    low, high = axes.get_xlim()
    return [*found, ((low, low), (high, high))] if equal else found


def _equal_axes(axes: Axes, dots: Sequence[Dot]) -> None:
    """Give both axes the dots' range, and mark where they are equal."""
    each = [
        (dot.x, dot.y, *(end for bar in _bars(dot) for point in bar for end in point))
        for dot in dots
    ]
    values = np.array([value for found in each for value in found])
    if not values.size:
        return
    pad = max(0.08 * np.ptp(values), 0.01)
    limits = float(values.min() - pad), float(values.max() + pad)
    axes.plot(limits, limits, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        "as predicted", (limits[0], limits[0]), xytext=(24, 27), textcoords="offset points",
        color=SOFT, fontsize=7, rotation=45, rotation_mode="anchor", ha="left", va="bottom",
    )  # fmt: skip
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_box_aspect(1)


def _point_to(axes: Axes, dot: Dot) -> None:
    """Point from the edge to a dot that is beyond it."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    away = np.array([dot.x - np.clip(dot.x, left, right), dot.y - np.clip(dot.y, low, high)])
    across, up = np.sign(away)
    corner = (
        np.interp(dot.x, [left, right], [0.02, 0.98]),
        np.interp(dot.y, [low, high], [0.02, 0.98]),
    )
    tail = corner[0] - 0.07 * across, corner[1] - 0.07 * up
    axes.annotate(
        "", corner, xytext=tail, xycoords="axes fraction", textcoords="axes fraction",
        arrowprops={"arrowstyle": "->", "color": SOFT, "linewidth": 0.9, "shrinkA": 0},
    )  # fmt: skip
    axes.annotate(
        f"{dot.label} ({dot.x:.2f}, {dot.y:.2f})", corner, xycoords="axes fraction",
        xytext=(-14 * across + (4 if not across else 0), 6 if up <= 0 else -8),
        textcoords="offset points", color=SOFT, fontsize=7,
        ha="right" if across > 0 or corner[0] > 0.6 else "left", va="center",
    )  # fmt: skip


def _through_zero(axes: Axes, panel: DotPanel) -> None:
    """Begin both axes at 0 and draw lines through it."""
    right = 1.12 * max((dot.x for dot in panel.dots), default=1.0)
    slopes = [slope for slope in panel.slopes if finite(slope.value)]
    highest = max([0.0, *(dot.y for dot in panel.dots)])
    axes.set_xlim(0, right)
    axes.set_ylim(0, 1.15 * max([highest, *(slope.value * right for slope in slopes[:1])]) or 1)
    top = axes.get_ylim()[1]
    for slope in slopes:
        end = min(right, top / slope.value) if slope.value > 0 else right
        style = (0, (4, 3)) if slope.paper else "-"
        axes.plot(
            [0, end], [0, slope.value * end], color=SOFT if slope.paper else INK, linewidth=1.1,
            linestyle=style, zorder=1, label=slope.label,
        )  # fmt: skip
    axes.legend(loc="lower right")


def _handle(place: int, label: str) -> object:
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], color=colour(place), marker=marker(place), linestyle="none", markersize=6,
        label=label,
    )  # fmt: skip
