"""Labels beside what they name, set apart from each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ncselect.plots.style import SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_DIRECTIONS = (
    *((1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (-1.0, 1.0), (-1.0, 0.0), (-1.0, -1.0), (0.0, -1.0)),
    *((1.0, -1.0), (1.0, 0.4), (1.0, -0.4), (-1.0, 0.4), (-1.0, -0.4)),
)
_DISTANCES = (6.0, 12.0, 20.0, 30.0, 44.0)  # points from the dot
_LINE_FROM = 12.0  # from here on a thin line joins label and dot
_SAMPLES = 80  # points that stand for a line
_POINTS = 7.0  # size of a dot's label
_ALIGNED = {-1: "right", 0: "center", 1: "left"}


def label_line_ends(
    axes: Axes, ends: Sequence[tuple[float, float]], labels: Sequence[str], colours: Sequence[str]
) -> None:
    """Write labels right of the ends of lines, pushed apart where the ends are close.

    Parameters
    ----------
    axes
        Where; its limits must be final.
    ends
        The last point of each line, in data units.
    labels, colours
        One per line.
    """
    if not ends:
        return
    size = 8.0
    low, high = axes.get_ylim()
    points = axes.get_window_extent().height * 72 / axes.figure.dpi
    least = 1.15 * size * (high - low) / points
    wanted = np.array([y for _, y in ends])
    order = np.argsort(wanted)
    placed = wanted.copy()
    for _ in range(200):
        moved = False
        for below, above in itertools.pairwise(order):
            overlap = least - (placed[above] - placed[below])
            if overlap > 1e-9 * (high - low):
                placed[below] -= overlap / 2
                placed[above] += overlap / 2
                moved = True
        if not moved:
            break
    limit = high - least / 2  # labels stay inside: those at the top push the next ones down
    for one in order[::-1]:
        placed[one] = min(placed[one], limit)
        limit = placed[one] - least
    left, edge = axes.get_xlim()
    reach = 0.035 * (edge - left)  # from the last point to the text
    right = max(x for x, _ in ends)
    for (x, y), height, label, colour in zip(ends, placed, labels, colours, strict=True):
        far = abs(height - y) > least / 2 or x < right
        axes.annotate(
            label,
            (x, y),
            xytext=(right + reach, height),
            fontsize=size,
            color=colour,
            va="center",
            ha="left",
            annotation_clip=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},
        )
        if far:
            axes.plot(
                [x, right + 0.9 * reach], [y, height], color=colour, linewidth=0.6, clip_on=False,
                zorder=3.5,
            )  # fmt: skip


def label_dots(
    axes: Axes,
    dots: Sequence[tuple[float, float]],
    labels: Sequence[str],
    segments: Sequence[tuple[tuple[float, float], tuple[float, float]]] = (),
) -> None:
    """Write a label beside each dot where it covers no dot and no other label.

    Places are tried from near to far; one that finds none is joined to its dot by a line.

    Parameters
    ----------
    axes
        Where; its limits must be final.
    dots
        In data units.
    labels
        One per dot; an empty one is not written.
    segments
        Straight lines, in data units, that labels keep off where they can.
    """
    figure = axes.figure
    figure.draw_without_rendering()  # type: ignore[union-attr]
    to_pixels = axes.transData.transform
    pixel = figure.dpi / 72
    taken: list[Bbox] = [_box_round(to_pixels(dot), 3.5 * pixel) for dot in dots]
    frame = axes.get_window_extent()
    lines = np.concatenate(
        [
            np.empty((0, 2)),
            *(
                np.linspace(start, end, _SAMPLES)
                for start, end in (to_pixels(np.array(ends)) for ends in segments)
            ),
        ]
    )
    named = [place for place, label in enumerate(labels) if label]
    crowded = sorted(named, key=lambda one: -_neighbours(to_pixels(dots), one))
    for one in crowded:
        size = _size(axes, labels[one])
        at = to_pixels(dots[one])
        best, least = (0.0, 0.0), np.inf
        for distance in _DISTANCES:
            for across, up in _DIRECTIONS:
                diagonal = 0.75 if across and up else 1.0
                offset = across * distance * diagonal, up * distance * diagonal
                box = _box_beside(at + pixel * np.array(offset), size, offset)
                cost = _covered(box, taken, one) + _crossed(box, lines) + _outside(box, frame)
                cost += distance / 100
                if cost < least:
                    best, least = offset, cost
            if least < 0.25:
                break
        taken.append(_box_beside(at + pixel * np.array(best), size, best))
        _annotate(axes, labels[one], dots[one], best)


def _size(axes: Axes, label: str) -> tuple[float, float]:
    """Return a label's width and height in pixels."""
    text = axes.text(0, 0, label, fontsize=_POINTS)
    box = text.get_window_extent()
    text.remove()
    return box.width, box.height


def _box_beside(
    anchor: NDArray[np.float64], size: tuple[float, float], offset: tuple[float, float]
) -> Bbox:
    """Return the box of a label that an offset pushes away from its dot."""
    from matplotlib.transforms import Bbox

    x, y = anchor + np.array(size) * (np.sign(offset) - 1) / 2
    return Bbox.from_bounds(x, y, *size)


def _annotate(
    axes: Axes, label: str, dot: tuple[float, float], offset: tuple[float, float]
) -> None:
    across, up = np.sign(offset).astype(int)
    line = {"arrowstyle": "-", "color": SOFT, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
    far = np.hypot(*offset) >= _LINE_FROM
    axes.annotate(
        label,
        dot,
        xytext=offset,
        textcoords="offset points",
        fontsize=_POINTS,
        ha=_ALIGNED[across],
        va="center" if not up else ("bottom" if up > 0 else "top"),
        arrowprops=line if far else None,
        annotation_clip=False,
    )


def _box_round(centre: NDArray[np.float64], half: float) -> Bbox:
    from matplotlib.transforms import Bbox

    x, y = centre
    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _neighbours(pixels: NDArray[np.float64], one: int) -> int:
    return int((np.hypot(*(pixels - pixels[one]).T) < 60).sum())


def _covered(box: Bbox, taken: Sequence[Bbox], own: int) -> float:
    """Return how much of what is taken a label would cover, in labels."""
    from matplotlib.transforms import Bbox

    area = box.width * box.height
    covered = 0.0
    for place, other in enumerate(taken):
        common = Bbox.intersection(box, other)
        if common is not None and place != own:
            covered += 1 + common.width * common.height / area
    return covered


def _crossed(box: Bbox, points: NDArray[np.float64]) -> float:
    """Return 0 where no line passes below a label, up to 0.8 where one does all along."""
    inside = (
        (points[:, 0] > box.x0)
        & (points[:, 0] < box.x1)
        & (points[:, 1] > box.y0)
        & (points[:, 1] < box.y1)
    )
    return min(0.8, 0.3 + 0.02 * int(inside.sum())) if inside.any() else 0.0


def _outside(box: Bbox, frame: Bbox) -> float:
    """Return 0 for a label inside its axes, from 1 on for one that is partly outside."""
    from matplotlib.transforms import Bbox

    inside = Bbox.intersection(box, frame)
    area = box.width * box.height
    share = 0.0 if inside is None else inside.width * inside.height / area
    return 0.0 if share > 0.999 else 2 - share
