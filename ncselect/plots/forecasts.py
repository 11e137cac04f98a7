"""Learning curves with what is predicted of their ends: a panel per candidate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ncselect.plots.style import (
    FAINT,
    INK,
    OURS,
    PAPER,
    SOFT,
    captioned,
    finite,
    in_lines,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = 1.8  # inches that a panel should be wide, two side by side at least
DASHES = (0, (4, 2))


@dataclass(frozen=True)
class Band:
    """What is predicted of a curve, epoch by epoch, each of the same length.

    Attributes
    ----------
    epochs
        Ascending.
    middle
        The predicted accuracy.
    inner, outer
        (low, high) of the narrow and of the wide interval; empty where there are none.
    """

    epochs: tuple[float, ...]
    middle: tuple[float, ...]
    inner: tuple[tuple[float, float], ...] = ()
    outer: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Forecast:
    """One candidate.

    Attributes
    ----------
    label
        Its name.
    seen
        Accuracy after epochs 1 … E, which the prediction rests on.
    later
        Accuracy at the epochs after E that are known by now.
    band
        What is predicted; None where nothing is.
    truth
        What it came to at the horizon; nan where that is not known.
    """

    label: str
    seen: tuple[float, ...]
    later: tuple[float, ...] = ()
    band: Band | None = None
    truth: float = math.nan


@dataclass(frozen=True)
class ForecastFigure:
    """Candidates in reading order, all with the same axes.

    Attributes
    ----------
    forecasts
        The candidates.
    background
        Curves of all candidates, which every panel has behind its own.
    horizon
        The epoch that is predicted.
    inner_label, outer_label
        What the bands are.
    width
        In inches.
    caption
        Small print.
    x_label, y_label
        With units.
    """

    forecasts: tuple[Forecast, ...]
    background: tuple[tuple[float, ...], ...]
    horizon: int
    inner_label: str = ""
    outer_label: str = ""
    width: float = 7.2
    caption: str = ""
    x_label: str = "epoch"
    y_label: str = "validation accuracy"


def draw_forecasts(values: ForecastFigure) -> Figure:
    """Draw a panel per candidate: what was seen, what is predicted, what came."""
    from matplotlib.ticker import MaxNLocator

    count = len(values.forecasts)
    columns = min(count, max(2, int(values.width / PANEL)))
    rows = -(-count // columns)
    with styled():
        figure, grid = new_figure(
            rows, columns, width=values.width, height=0.9 + rows * 1.65, sharex=True, sharey=True
        )
        flat = [axes for row in grid for axes in row]
        for axes in flat[count:]:
            axes.set_axis_off()
        characters = int(values.width / columns / 0.082)
        for axes, one in zip(flat, values.forecasts, strict=False):
            _draw(axes, one, values)
            axes.set_title(in_lines(one.label, characters), fontsize=8)
        low, high = _bounds(values)
        flat[0].set_ylim(low, high)
        flat[0].set_xlim(0, 1.06 * values.horizon)
        flat[0].xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=(1, 2, 5, 10)))
        for axes in flat[max(0, count - columns) : count]:
            axes.set_xlabel(values.x_label)
            axes.tick_params(labelbottom=True)
        figure.supylabel(values.y_label, fontsize=8.5, color=INK)
        figure.legend(
            handles=_handles(values), loc="outside upper left", ncols=6 if values.width > 5 else 2
        )
        captioned(figure, values.caption)
    return figure


def _draw(axes: Axes, one: Forecast, values: ForecastFigure) -> None:
    for curve in values.background:
        axes.plot(range(1, len(curve) + 1), curve, color=FAINT, linewidth=0.9, zorder=1)
    axes.axvline(values.horizon, color=SOFT, linewidth=0.6, linestyle=(0, (1, 2)), zorder=1)
    band = one.band
    if band is not None:
        for ends, alpha in ((band.outer, 0.18), (band.inner, 0.28)):
            if ends:
                low, high = zip(*ends, strict=True)
                axes.fill_between(
                    band.epochs, low, high, color=OURS, alpha=alpha, linewidth=0, zorder=2
                )
        axes.plot(band.epochs, band.middle, color=OURS, linewidth=1.1, linestyle=DASHES)
        axes.plot(band.epochs[-1], band.middle[-1], "o", color=OURS, markersize=4.5, zorder=5)
    if one.later:
        start = len(one.seen)
        axes.plot(
            range(start, start + len(one.later) + 1), (*one.seen[-1:], *one.later), color=INK,
            linewidth=0.8, zorder=3,
        )  # fmt: skip
    mark = "o" if len(one.seen) == 1 else ""
    axes.plot(
        range(1, len(one.seen) + 1), one.seen, color=OURS, linewidth=2.0, marker=mark,
        markersize=3, zorder=4,
    )  # fmt: skip
    if finite(one.truth):
        axes.plot(values.horizon, one.truth, "^", color=PAPER, markersize=6, zorder=6)


def _bounds(values: ForecastFigure) -> tuple[float, float]:
    """Return limits that hold every panel's own marks."""
    import numpy as np

    curves = [(*one.seen, *one.later) for one in values.forecasts]
    each = [y for curve in curves for y in curve]
    each += [one.truth for one in values.forecasts]
    for one in values.forecasts:
        if one.band is not None:
            each += [*one.band.middle, *(y for ends in one.band.outer for y in ends)]
    known = [y for y in each if finite(y)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    pad = max(0.01, 0.06 * (high - low))
    return float(np.clip(low - pad, -0.02, 1.0)), float(np.clip(high + pad, 0.0, 1.02))


def _handles(values: ForecastFigure) -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def line(label: str, look: str, **style: Any) -> Line2D:
        return Line2D([], [], color=look, label=label, **style)

    shown = values.forecasts
    found: list[object] = [line("seen", OURS, linewidth=2.0)]
    if any(one.band is not None for one in shown):
        dashes: dict[str, Any] = {
            "linewidth": 1.1,
            "linestyle": DASHES,
            "marker": "o",
            "markersize": 4.5,
        }
        found.append(line("predicted", OURS, **dashes))
    if any(one.band is not None and one.band.outer for one in shown):
        found += [
            Patch(color=OURS, alpha=0.45, linewidth=0, label=values.inner_label),
            Patch(color=OURS, alpha=0.18, linewidth=0, label=values.outer_label),
        ]
    if any(one.later for one in shown):
        found.append(line("came later", INK, linewidth=0.8))
    if any(finite(one.truth) for one in shown):
        found.append(line("test accuracy", PAPER, marker="^", markersize=6, linestyle="none"))
    return found
