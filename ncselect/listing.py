"""Rows as a table for a person, as JSON or as CSV for a program."""

from __future__ import annotations

import csv
import enum
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

_SHORT = {  # headings of the table, where the column's name is too long for it
    "parameters": "params",
    "megabytes": "MB",
    "smallest": "least",
    "preprocessing": "pixels",
}


class Format(enum.StrEnum):
    """How to print."""

    table = "table"
    json = "json"
    csv = "csv"


def show(rows: Sequence[Mapping[str, Any]], output: Format, caption: str = "") -> None:
    """Print rows of one shape on standard output.

    Parameters
    ----------
    rows
        Column → value, the same columns in each.
    output
        How.
    caption
        A line below the table.
    """
    match output:
        case Format.json:
            typer.echo(json.dumps(rows, indent=1))
        case Format.csv:
            writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        case Format.table:
            Console().print(listed(rows, caption))


def listed(rows: Sequence[Mapping[str, Any]], caption: str = "") -> Table:
    """Return rows of one shape as a table for a terminal, without columns that say nothing."""
    table = Table(caption=caption, caption_justify="left", box=None, pad_edge=False)
    said = [name for name in (rows[0] if rows else {}) if _is_said(name, rows)]
    for name in said or ["nothing here"]:
        right = said and any(isinstance(row[name], int | float) for row in rows)
        justify: Literal["right", "left"] = "right" if right else "left"
        table.add_column(
            _SHORT.get(name, name),
            justify=justify,
            no_wrap=name in ("key", "model", "method", "status"),
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(_cell(name, row[name])) for name in said))
    return table


def _is_said(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether any row has something in this column."""
    return any(row[name] is not None for row in rows)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name in ("top1", "top5"):
        return f"{100 * value:.1f}%"
    if name == "parameters":
        return f"{value / 1e6:.1f} M"
    if name == "key":
        return str(value)[:8]
    return f"{value:.3f}" if isinstance(value, float) and name != "megabytes" else str(value)
