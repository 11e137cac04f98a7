"""A reproduced table or figure: its numbers, the table beside the paper's, and what to draw."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncselect.answer_files import write_answer
from ncselect.plots import AnyFigure, drawn
from ncselect.reproduction.libraries import library_versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console, ConsoleOptions, RenderResult

_LIBRARIES = ("ncselect", "numpy", "scipy", "scikit-learn", "emcee", "matplotlib")


@dataclass(frozen=True)
class Table:
    """A table for a person.

    Attributes
    ----------
    title
        Above it.
    headings
        Of the columns; the first is of the rows' names.
    rows
        Cells; a row as long as the headings.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Result:
    """A table or figure of the paper, made from stored runs.

    Attributes
    ----------
    target
        Its name, such as ``table1``.
    title
        What it shows.
    reading
        How to read it.
    tables
        The numbers beside the paper's.
    figures
        The same and more, as JSON values, with intervals and n.
    drawing
        What its figure shows.
    deviations
        In what the runs differ from the paper's protocol, a sentence each.
    notes
        What else a reader must know: refusals, runs left out, how intervals are made.
    protocol, versions
        What was run, and what it was run with, as JSON values.
    """

    target: str
    title: str
    reading: str
    tables: tuple[Table, ...]
    figures: Mapping[str, Any]
    drawing: AnyFigure
    deviations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    protocol: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)

    def figure(self) -> Figure:
        """Return the figure."""
        return drawn(self.drawing)

    def to_json(self, *, command: str = "") -> dict[str, Any]:
        """Return everything as JSON values; what is not finite becomes None.

        Parameters
        ----------
        command
            What was typed to make it.
        """
        document: dict[str, Any] = _plain(
            {
                "target": self.target,
                "title": self.title,
                "command": command,
                "figures": self.figures,
                "tables": [dataclasses.asdict(table) for table in self.tables],
                "reading": self.reading,
                "deviations": self.deviations,
                "notes": self.notes,
                "protocol": self.protocol,
                "versions": {"runs": self.versions, "computed": library_versions(*_LIBRARIES)},
            }
        )
        return document

    def save(self, folder: Path, *, command: str = "") -> tuple[Path, ...]:
        """Write ``TARGET.json``, ``TARGET.svg`` and ``TARGET.png``; return their paths.

        Parameters
        ----------
        folder
            Made if it is not there.
        command
            What was typed to make them.

        Raises
        ------
        InputError
            If nothing can be written there.
        """
        return write_answer(
            folder,
            {self.target: self.to_json(command=command)},
            {self.target: self.drawing},
            argument="output",
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for a terminal."""
        from rich.table import Table as RichTable
        from rich.text import Text

        yield Text(self.title, style="bold")
        for table in self.tables:
            shown = RichTable(
                title=table.title or None, title_justify="left", box=None, pad_edge=False
            )
            for place, heading in enumerate(table.headings):
                shown.add_column(heading, justify="right" if place else "left", overflow="fold")
            for row in table.rows:
                shown.add_row(*row)
            yield shown
        yield Text(self.reading)
        for line in self.deviations:
            yield Text(f"differs from the paper: {line}", style="yellow")
        for line in self.notes:
            yield Text(line, style="dim")

    def _repr_html_(self) -> str:
        """Render for a notebook."""
        from html import escape

        parts = [f"<h4>{escape(self.title)}</h4>"]
        for table in self.tables:
            head = "".join(f"<th>{escape(cell)}</th>" for cell in table.headings)
            body = "".join(
                "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
                for row in table.rows
            )
            caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
            parts.append(
                f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            )
        parts.append(f"<p>{escape(self.reading)}</p>")
        parts += [
            f"<p><i>differs from the paper: {escape(line)}</i></p>" for line in self.deviations
        ]
        parts += [f"<p><small>{escape(line)}</small></p>" for line in self.notes]
        return "".join(parts)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
