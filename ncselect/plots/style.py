"""How all figures look: colours that colour-blind readers tell apart, few lines, readable sizes."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, FAINT = "#222222", "#6b6b6b", "#d9d9d9"
COLOURS = (  # Okabe & Ito (2008), without yellow, which print loses
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7F7F7F",
    "#000000",
)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">")
OURS = COLOURS[0]
PAPER = COLOURS[1]

_NOT_IN_XML = ("Cc", "Cn", "Cs")  # control, unassigned, surrogate

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "ncselect",  # the same values give the same file
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style, whatever the user's own settings are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def new_figure(
    rows: int,
    columns: int,
    *,
    width: float,
    height: float,
    sharex: bool | str = False,
    sharey: bool | str = False,
    height_ratios: Sequence[float] | None = None,
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure with axes in rows and columns; width and height in inches."""
    from ncselect.plots.shown import ShownFigure

    figure = ShownFigure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(
        rows,
        columns,
        squeeze=False,
        sharex=sharex,  # type: ignore[arg-type]
        sharey=sharey,  # type: ignore[arg-type]
        height_ratios=height_ratios,
    )
    return figure, [list(row) for row in axes]


def save(figure: Figure, path: Path) -> None:
    """Write a figure; its format is that of the path's ending, the same values the same file.

    Parameters
    ----------
    figure
        As ``drawn`` returns it.
    path
        Ends in ``.svg``, ``.png`` or ``.pdf``.
    """
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with styled():
        figure.savefig(path, dpi=200, metadata=undated.get(path.suffix))


def captioned(figure: Figure, caption: str) -> None:
    """Set a line of small print below a figure, wrapped to its width."""
    import textwrap

    if caption:
        characters = int(figure.get_figwidth() * 17)
        text = "\n".join(textwrap.wrap(caption, characters))
        figure.supxlabel(text, fontsize=7.5, color=SOFT, x=0.01, ha="left")


def colour(place: int) -> str:
    """Return the colour of the series at a place."""
    return COLOURS[place % len(COLOURS)]


def marker(place: int) -> str:
    """Return the marker of the series at a place."""
    return MARKERS[place % len(MARKERS)]


def verbatim(name: str, most: int = 40) -> str:
    """Return a name so that matplotlib writes it as it is, and SVG may hold it.

    A dollar sign begins no formula; what XML cannot hold becomes the replacement character; of a
    name of more than ``most`` characters the middle is left out.
    """
    if len(name) > most:
        half = (most - 1) // 2
        name = f"{name[: most - 1 - half]}…{name[-half:]}"
    held = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign) in _NOT_IN_XML else sign
        for sign in name
    )
    return held.replace("$", r"\$")


def in_lines(name: str, characters: int) -> str:
    """Return a name, :func:`verbatim`, in up to three lines, broken behind hyphens if it can be."""
    import textwrap

    width = max(6, characters)
    lines = textwrap.wrap(name, width)
    if len(lines) > 3:
        lines = textwrap.wrap(verbatim(name, 2 * width), width, break_on_hyphens=False)
        return "\n".join(lines)
    return "\n".join(map(verbatim, lines))


def finite(*values: float) -> bool:
    """Tell whether all values are numbers."""
    return all(math.isfinite(value) for value in values)
