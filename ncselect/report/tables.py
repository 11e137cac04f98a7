"""Tables of the page: cells with what they are sorted by."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN = "–"


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes
    ----------
    heading
        At its top.
    numeric
        Whether its cells are numbers, set to the right.
    names
        Whether its cells name their rows.
    descending
        Whether the first sorting puts the greatest at the top.
    """

    heading: str
    numeric: bool = True
    names: bool = False
    descending: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes
    ----------
    text
        What is read.
    order
        What is sorted by: a number, or the text; empty where nothing is known.
    """

    text: str
    order: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    name
        Its id.
    caption
        What it is of.
    columns
        From left to right; exactly one ``names`` the rows.
    rows
        As many cells as columns.
    marks
        A class per row, or none.
    sortable
        Whether a reader can sort it.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marks: tuple[str, ...] = ()
    sortable: bool = False


def number(value: float, spec: str, *, scale: float = 1.0) -> Cell:
    """Return a cell of a number; a dash where it is not finite."""
    if not math.isfinite(value):
        return Cell(UNKNOWN)
    return Cell(format(scale * value, spec).replace("-", "−"), repr(float(value)))


def words(text: object) -> Cell:
    """Return a cell of text; a dash where there is none."""
    shown = "" if text is None else str(text)
    return Cell(shown or UNKNOWN, shown)


def spread(value: float, sd: float) -> Cell:
    """Return a cell of a predicted accuracy and its standard deviation."""
    if not math.isfinite(value):
        return Cell(UNKNOWN)
    return Cell(f"{value:.3f}" + (f" ± {sd:.3f}" if math.isfinite(sd) else ""), repr(float(value)))


def pairs(name: str, caption: str, values: Mapping[str, object]) -> Table:
    """Return a table of names and values."""
    return Table(
        name,
        caption,
        (Column("name", numeric=False, names=True), Column("value", numeric=False)),
        tuple((words(key), words(value)) for key, value in values.items()),
    )


def without_empty(table: Table) -> Table:
    """Return a table without the columns of which nothing is known in any row."""
    kept = [
        place
        for place in range(len(table.columns))
        if any(row[place].text != UNKNOWN for row in table.rows)
    ]
    return dataclasses.replace(
        table,
        columns=tuple(table.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in table.rows),
    )
