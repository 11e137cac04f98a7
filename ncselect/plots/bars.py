"""Quantities as bars from 0: what statistics weigh, what steps cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ncselect.plots.style import INK, SOFT, captioned, colour, finite, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Bar:
    """A quantity.

    Attributes
    ----------
    label
        Its name.
    value
        Its size; nan where it was not measured.
    low, high
        Its interval; nan where there is none.
    group
        Bars of a group share a colour.
    text
        Written behind the bar.
    """

    label: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    group: str = ""
    text: str = ""


@dataclass(frozen=True)
class BarPanel:
    """Bars of one unit.

    Attributes
    ----------
    title
        Above them.
    bars
        From top to bottom.
    """

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class BarFigure:
    """Panels side by side.

    Attributes
    ----------
    panels
        From left to right.
    x_labels
        One per panel, with units.
    logarithmic
        Whether the axes are; bars then begin at the axis' end, and only their ends mean anything.
    caption
        Small print.
    """

    panels: tuple[BarPanel, ...]
    x_labels: tuple[str, ...]
    logarithmic: bool = False
    caption: str = ""


def draw_bars(values: BarFigure) -> Figure:
    """Draw the panels; groups look alike in all of them."""
    count = len(values.panels)
    groups = list(dict.fromkeys(bar.group for panel in values.panels for bar in panel.bars))
    most = max(len(panel.bars) for panel in values.panels)
    with styled():
        figure, ((*row,),) = new_figure(
            1, count, width=max(4.6, 3.6 * count), height=1.0 + 0.32 * most
        )
        for axes, panel, label in zip(row, values.panels, values.x_labels, strict=True):
            _draw(axes, panel, groups, logarithmic=values.logarithmic)
            axes.set_title(panel.title)
            axes.set_xlabel(label)
        if len(groups) > 1:
            figure.legend(
                handles=_handles(groups), loc="outside upper right", ncols=min(5, len(groups))
            )
        captioned(figure, values.caption)
    return figure


def _draw(axes: Axes, panel: BarPanel, groups: list[str], *, logarithmic: bool) -> None:
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_yticks(range(len(panel.bars)), [bar.label for bar in panel.bars])
    axes.set_ylim(len(panel.bars) - 0.5, -0.5)
    if logarithmic:
        axes.set_xscale("log")
    else:
        axes.axvline(0, color=SOFT, linewidth=0.7)
    for place, bar in enumerate(panel.bars):
        if not finite(bar.value):
            axes.text(
                0.02, place, bar.text, transform=axes.get_yaxis_transform(), va="center",
                fontsize=7, color=SOFT, style="italic",
            )  # fmt: skip
            continue
        axes.barh(place, bar.value, height=0.66, color=colour(groups.index(bar.group)), zorder=2)
        if finite(bar.low, bar.high):
            axes.plot([bar.low, bar.high], [place, place], color=INK, linewidth=1.1, zorder=3)
        ends = [end for end in (bar.value, bar.high, 0.0) if finite(end)]
        axes.annotate(
            bar.text, (max(ends), place), xytext=(4, 0), textcoords="offset points", va="center",
            fontsize=7, color=INK,
        )  # fmt: skip
    axes.margins(x=0.18)


def _handles(groups: list[str]) -> list[object]:
    from matplotlib.patches import Patch

    return [Patch(color=colour(place), label=group) for place, group in enumerate(groups)]
