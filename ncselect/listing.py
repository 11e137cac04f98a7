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
            table = Table(caption=caption, caption_justify="left", box=None, pad_edge=False)
            for name, value in (rows[0] if rows else {"nothing here": ""}).items():
                right = isinstance(value, int | float) and name != "dataset"
                justify: Literal["right", "left"] = "right" if right else "left"
                table.add_column(name, justify=justify, no_wrap=not table.columns, overflow="fold")
            for row in rows:
                table.add_row(*(_cell(name, value) for name, value in row.items()))
            Console().print(table)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name in ("top1", "top5"):
        return f"{100 * value:.1f}%"
    if name == "parameters":
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) and name != "megabytes" else str(value)
