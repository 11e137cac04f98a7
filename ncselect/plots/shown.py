"""A figure that a notebook shows by itself, without ``%matplotlib inline``."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

from ncselect.plots.style import styled


class ShownFigure(Figure):
    """A figure whose last line in a notebook's cell is enough to see it."""

    def _repr_svg_(self) -> str:
        """Return the figure for a notebook."""
        text = io.StringIO()
        with styled():
            self.savefig(text, format="svg", metadata={"Date": None})
        return text.getvalue()
