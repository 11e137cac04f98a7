"""Figures as SVG inside a page: text stays text, colours are the page's, and they have words."""

from __future__ import annotations

import io
import re
import warnings
from xml.etree import ElementTree

from ncselect.plots import AnyFigure, drawn
from ncselect.plots.style import COLOURS, FAINT, INK, SOFT, styled

PIXELS = 1.66
"""Pixels of the page that a point of a figure may take at most."""

VARIABLES = {
    INK: "ink",
    SOFT: "soft",
    FAINT: "faint",
    "#ffffff": "paper",
    **{look.lower(): f"series-{place}" for place, look in enumerate(COLOURS)},
}
"""Colour in figures → the page's custom property that takes its place."""

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_DROPPED = {f"{_SVG}metadata", f"{_SVG}style"}  # a style in a page is the whole page's


def inline_svg(values: AnyFigure, *, name: str, title: str, description: str) -> str:
    """Return a figure as SVG that can stand in an HTML page.

    Parameters
    ----------
    values
        What it shows.
    name
        Begins every id in it, so that several can stand in a page.
    title, description
        What a screen reader says of it.

    Returns
    -------
    str
        An ``svg`` element, safe whatever the figure's texts are.
    """
    root = ElementTree.fromstring(_saved(values))
    _without(root, _DROPPED)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        _rename(element, name)
    box = root.get("viewBox", "").split()
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title")
    root.set("aria-describedby", f"{name}-description")
    root.set("style", f"max-width: {float(box[2]) * PIXELS:.0f}px")
    for place, (kind, text) in enumerate((("title", title), ("description", description))):
        said = ElementTree.Element("title" if kind == "title" else "desc", id=f"{name}-{kind}")
        said.text = text
        root.insert(place, said)
    return ElementTree.tostring(root, encoding="unicode")


def _saved(values: AnyFigure) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    text = io.StringIO()
    with warnings.catch_warnings():
        # the reader's browser writes the text, with fonts of its own
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        figure = drawn(values)
        with styled():
            mpl.rcParams["svg.fonttype"] = "none"
            # as savefig does, which draws twice
            FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    return text.getvalue()


def _without(element: ElementTree.Element, tags: set[str]) -> None:
    for child in list(element):
        if child.tag in tags:
            element.remove(child)
        else:
            _without(child, tags)


def _rename(element: ElementTree.Element, name: str) -> None:
    """Make ids the figure's own, colours the page's, and numbers no longer than they need be."""
    link = element.attrib.pop(_LINK, None)
    if link is not None:
        element.set("href", f"#{name}-{link.removeprefix('#')}")
    for key, value in element.attrib.items():
        match key:
            case "id":
                element.set(key, f"{name}-{value}")
            case "clip-path":
                element.set(key, value.replace("url(#", f"url(#{name}-"))
            case "style":
                element.set(key, _themed(value))
            case "d":
                element.set(key, re.sub(r"\s+", " ", _rounded(value)).strip())
            case "x" | "y" | "transform":
                element.set(key, _rounded(value))


def _themed(style: str) -> str:
    """Return a style with the page's colours and the page's font."""
    style = re.sub(r"font-family: [^;]*;?\s*", "", style)
    return re.sub(
        r"#[0-9a-f]{6}\b",
        lambda found: f"var(--{VARIABLES[found[0]]})" if found[0] in VARIABLES else found[0],
        style,
    )


def _rounded(numbers: str) -> str:
    return re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", numbers)
