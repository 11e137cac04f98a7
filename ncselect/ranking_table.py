"""A table with what is said below it, as a person reads it on a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

LEAST_NEEDED = ("weights", "params", "seconds", "β", "MB", "ms/64", "last", "tie")
"""Columns that a narrow terminal does without, the first first."""

Columns = Mapping[str, list[str]]
"""Heading → cells, as many in each."""


@dataclass(frozen=True, kw_only=True)
class RankingTable:
    """The words and numbers of a ranking, laid out as wide as the reader's window allows.

    No cell is ever cut: on a terminal columns that do not fit are left out and named, and the
    ranks by other methods go into tables of their own.

    Attributes
    ----------
    title
        What is ranked, by what.
    columns
        Of the candidates, best first; among them ``model``.
    beside
        Other method → their ranks by it.
    failed
        Model → why it has no rank.
    notes
        What holds for some candidates or for the whole ranking.
    advice
        The last word.
    """

    title: str
    columns: Columns
    beside: Columns
    failed: Mapping[str, str]
    notes: tuple[str, ...]
    advice: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for a width."""
        from rich.text import Text

        width = options.max_width
        columns, beside = dict(self.columns), dict(self.beside)
        left_out = []
        if _width(columns | beside) <= width:
            columns |= beside
            beside = {}
        for heading in LEAST_NEEDED:
            if _width(columns) > width and heading in columns:
                del columns[heading]
                left_out.append(heading)
        yield from _tables(columns, title=self.title, width=width)
        if beside:
            yield from _tables(
                {"model": columns["model"], **beside}, title="ranks by other methods", width=width
            )
        for model, reason in self.failed.items():
            yield Text(f"failed: {model}: {reason}", style="red")
        narrow = [f"left out in {width} columns: {', '.join(left_out)}"] if left_out else []
        for note in (*narrow, *self.notes):
            yield Text(note, style="dim")
        yield Text(self.advice, style="bold")

    def to_html(self) -> str:
        """Return the same as HTML, with every column."""
        from html import escape

        columns = {**self.columns, **self.beside}
        head = "".join(f"<th>{escape(heading)}</th>" for heading in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
            for cells in zip(*columns.values(), strict=True)
        )
        body += "".join(
            f"<tr><td>–</td><td>{escape(model)}</td>"
            f'<td colspan="{len(columns) - 2}">failed: {escape(reason)}</td></tr>'
            for model, reason in self.failed.items()
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in (*self.notes, self.advice))
        return (
            f"<table><caption>{escape(self.title)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{notes}"
        )


def _tables(columns: Columns, *, title: str, width: int) -> RenderResult:
    """Yield a table, or several that repeat the models where one would be too wide."""
    from rich.table import Table

    part: dict[str, list[str]] = {}
    for heading, cells in columns.items():
        if "model" in part and len(part) > 1 and _width({**part, heading: cells}) > width:
            yield from _tables(part, title=title, width=width)
            part = {"model": columns["model"]}
        part[heading] = cells
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in part:
        words = heading in ("model", "weights")
        table.add_column(heading, justify="left" if words else "right", overflow="fold")
    for place, row in enumerate(zip(*part.values(), strict=True)):
        table.add_row(*row, style="bold" if place == 0 else "")
    yield table


def _width(columns: Columns) -> int:
    """Return the width of a table: its cells and two spaces between columns."""
    widest = [max(map(len, (heading, *cells))) for heading, cells in columns.items()]
    return sum(widest) + 2 * (len(widest) - 1)
