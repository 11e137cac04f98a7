"""A learning curve, its β_eff and the line fitted to both: one column per model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ncselect.plots.style import (
    COLOURS,
    INK,
    SOFT,
    captioned,
    finite,
    in_lines,
    new_figure,
    styled,
    verbatim,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAIN, VALIDATION, TEST, BETA, LINE = (
    COLOURS[4],
    COLOURS[0],
    COLOURS[1],
    COLOURS[2],
    COLOURS[0],
)

PANEL = 1.75  # inches that a column should be wide where the width is given
NARROW = 1.6  # inches of a column below which BIC is left to the table
LABELS = ("accuracy", "|β_eff| on training images", "validation accuracy")
SHORT_LABELS = ("accuracy", "|β_eff|", "accuracy")  # where rows are low

_SIGNS = ((1, BETA), (-1, "white"))  # of β_eff → how its mark is filled


@dataclass(frozen=True)
class Fit:
    """One model.

    Attributes
    ----------
    model
        Its name.
    train, validation, beta
        After epochs 1 … T: accuracy on the probe subset of the training images, validation
        accuracy, β_eff.
    start, length
        First epoch t0 and number of epochs of the window that the line was fitted in.
    bic
        Of the line in the window.
    slope
        Of the line, in accuracy per unit of β.
    predicted, sd
        The line at β = 0 and its standard deviation.
    test
        True test accuracy at T; nan where it is not known.
    """

    model: str
    train: tuple[float, ...]
    validation: tuple[float, ...]
    beta: tuple[float, ...]
    start: int
    length: int
    bic: float
    slope: float
    predicted: float
    sd: float
    test: float


@dataclass(frozen=True)
class FitFigure:
    """Models side by side.

    Attributes
    ----------
    fits
        From left to right.
    caption
        Small print.
    width
        In inches: models go into as many lines as they need; None: into one, as wide as it is.
    """

    fits: tuple[Fit, ...]
    caption: str = ""
    width: float | None = None


def draw_fits(values: FitFigure) -> Figure:
    """Draw three rows: accuracy by epoch, |β_eff| by epoch, accuracy by β_eff with the line."""
    count = len(values.fits)
    columns = count if values.width is None else min(count, max(2, int(values.width / PANEL)))
    lines = -(-count // columns)
    with styled():
        if values.width is None:
            width, height = max(5.2, 2.5 * columns + 0.5), 7.2
        else:
            width, height = values.width, 0.8 + 4.7 * lines
        figure, grid = new_figure(3 * lines, columns, width=width, height=height)
        for place in range(columns * lines):
            first, column = 3 * (place // columns), place % columns
            three = [row[column] for row in grid[first : first + 3]]
            if place < count:
                broken = values.width is not None
                _column(three, values.fits[place], width / columns, broken=broken)
            else:
                for axes in three:
                    axes.set_axis_off()
        for place, row in enumerate(grid):
            row[0].set_ylabel((LABELS if values.width is None else SHORT_LABELS)[place % 3])
        wide = int(width / 1.6) if values.width is not None else columns + 1
        figure.legend(handles=_handles(values.fits), loc="outside upper left", ncols=min(6, wide))
        captioned(figure, values.caption)
    return figure


def _column(axes: Sequence[Axes], fit: Fit, width: float, *, broken: bool) -> None:
    """Draw the three panels of a model, from top to bottom; width in inches."""
    top, middle, bottom = axes
    _accuracy(top, fit)
    _beta(middle, fit)
    _line(bottom, fit, brief=width < NARROW)
    if broken:
        top.set_title(in_lines(fit.model, int((width - 0.4) / 0.078)), fontsize=8)
    else:
        top.set_title(verbatim(fit.model), fontsize=min(9.5, 9.5 * 17 / len(fit.model)))


def _accuracy(axes: Axes, fit: Fit) -> None:
    epochs = np.arange(1, len(fit.validation) + 1)
    axes.axvspan(fit.start, fit.start + fit.length - 1, color=SOFT, alpha=0.15, linewidth=0)
    axes.plot(epochs, fit.train, color=TRAIN, linewidth=1.1)
    axes.plot(epochs, fit.validation, color=VALIDATION, linewidth=1.1)
    axes.plot(epochs[-1], fit.test, "^", color=TEST, markersize=6, zorder=4)
    _logarithmic_epochs(axes, len(epochs))


def _beta(axes: Axes, fit: Fit) -> None:
    size = np.abs(np.array(fit.beta))
    epochs = np.arange(1, len(size) + 1)
    axes.axvspan(fit.start, fit.start + fit.length - 1, color=SOFT, alpha=0.15, linewidth=0)
    axes.plot(epochs, size, color=BETA, linewidth=0.8)
    for sign, filled in _SIGNS:
        chosen = np.sign(fit.beta) == sign
        axes.plot(
            epochs[chosen], size[chosen], "s", markersize=3, markerfacecolor=filled,
            markeredgecolor=BETA, markeredgewidth=0.8,
        )  # fmt: skip
    positive = size[size > 0]
    if positive.size and positive.max() > 30 * positive.min():
        axes.set_yscale("log")
    _logarithmic_epochs(axes, len(epochs))
    axes.set_xlabel("epoch t")


def _line(axes: Axes, fit: Fit, *, brief: bool) -> None:
    window = slice(fit.start - 1, fit.start - 1 + fit.length)
    beta, accuracy = np.array(fit.beta)[window], np.array(fit.validation)[window]
    ends = np.array([min(0.0, beta.min()), max(0.0, beta.max())])
    axes.axvline(0, color=SOFT, linewidth=0.7)
    axes.plot(ends, fit.predicted + fit.slope * ends, color=LINE, linewidth=1.3)
    for sign, filled in _SIGNS:
        chosen = np.sign(beta) == sign
        axes.plot(
            beta[chosen], accuracy[chosen], "s", markersize=4.5, markerfacecolor=filled,
            markeredgecolor=BETA, markeredgewidth=0.9, zorder=3,
        )  # fmt: skip
    if finite(fit.sd):
        axes.errorbar(0, fit.predicted, yerr=fit.sd, color=LINE, linewidth=1, capsize=2)
    axes.plot(0, fit.predicted, "*", color=LINE, markersize=11, markeredgecolor="white", zorder=4)
    axes.plot(0, fit.test, "^", color=TEST, markersize=6.5, zorder=5)
    bic = "" if brief else f", BIC = {fit.bic:.1f}".replace("-", "−")
    axes.set_title(
        f"t0 = {fit.start}{bic}",
        fontsize=7.5,
        fontweight="normal",
        color=INK,
    )
    axes.set_xlabel("β_eff")
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 3))
    axes.margins(0.12)


def _handles(fits: Sequence[Fit]) -> list[Any]:
    from matplotlib.lines import Line2D

    def mark(label: str, look: str, shape: str, line: Any = "none", fill: Any = "full") -> Any:
        return Line2D(
            [], [], color=look, marker=shape, linestyle=line, label=label, markersize=6,
            fillstyle=fill,
        )  # fmt: skip

    tested = any(finite(fit.test) for fit in fits)
    return [
        mark("training accuracy (probe subset)", TRAIN, "", "-"),
        mark("validation accuracy", VALIDATION, "", "-"),
        *([mark("test accuracy at T", TEST, "^")] if tested else []),
        mark("β_eff > 0, and observations", BETA, "s"),
        mark("β_eff < 0", BETA, "s", fill="none"),
        mark("predicted: h(0) ± sd", LINE, "*", "-"),
    ]


def _logarithmic_epochs(axes: Axes, last: int) -> None:
    axes.set_xscale("log")
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200) if tick <= last]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
