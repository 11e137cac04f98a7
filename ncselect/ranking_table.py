"""A ranking as a person reads it: on a terminal and in a notebook."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from ncselect.ranking import Ranking, Row

LEAST_NEEDED = ("weights", "params", "seconds", "β", "last", "tie")
"""Columns that a narrow terminal does without, the first first."""


@dataclass(frozen=True)
class TerminalTable:
    """The table as wide as the terminal allows, what failed, notes and the advice.

    No cell is ever cut: columns that do not fit are left out and named, and the ranks by other
    methods go into tables of their own.
    """

    ranking: Ranking

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for a width."""
        from rich.text import Text

        ranking, width = self.ranking, options.max_width
        columns, beside = _columns(ranking), _ranks_beside(ranking)
        left_out = []
        if _width(columns | beside) <= width:
            columns |= beside
            beside = {}
        for heading in LEAST_NEEDED:
            if _width(columns) > width and heading in columns:
                del columns[heading]
                left_out.append(heading)
        yield from _tables(columns, title=_title(ranking), width=width)
        if beside:
            yield from _tables(
                {"model": columns["model"], **beside}, title="ranks by other methods", width=width
            )
        for model, reason in ranking.failed.items():
            yield Text(f"failed: {model}: {reason}", style="red")
        narrow = [f"left out in {width} columns: {', '.join(left_out)}"] if left_out else []
        for note in (*narrow, *_row_notes(ranking), *ranking.notes):
            yield Text(note, style="dim")
        yield Text(ranking.advice, style="bold")


def html_table(ranking: Ranking) -> str:
    """Return the same as HTML."""
    from html import escape

    columns = _columns(ranking) | _ranks_beside(ranking)
    head = "".join(f"<th>{escape(heading)}</th>" for heading in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
        for cells in zip(*columns.values(), strict=True)
    )
    body += "".join(
        f"<tr><td>–</td><td>{escape(model)}</td>"
        f'<td colspan="{len(columns) - 2}">failed: {escape(reason)}</td></tr>'
        for model, reason in ranking.failed.items()
    )
    said = (*_row_notes(ranking), *ranking.notes, ranking.advice)
    notes = "".join(f"<p>{escape(note)}</p>" for note in said)
    return (
        f"<table><caption>{escape(_title(ranking))}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{notes}"
    )


def _tables(columns: dict[str, list[str]], *, title: str, width: int) -> RenderResult:
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


def _width(columns: dict[str, list[str]]) -> int:
    """Return the width of a table: its cells and two spaces between columns."""
    widest = [max(map(len, (heading, *cells))) for heading, cells in columns.items()]
    return sum(widest) + 2 * (len(widest) - 1)


def _title(ranking: Ranking) -> str:
    return f"{ranking.dataset}, ranked by {ranking.method}"


def _columns(ranking: Ranking) -> dict[str, list[str]]:
    """Return heading → cells, of those columns that have anything to say."""
    rows = ranking.rows
    predicts = any(math.isfinite(row.accuracy) for row in rows)
    columns = {"#": [str(row.rank) for row in rows], "model": [row.model for row in rows]}
    if predicts or not rows:
        columns["predicted"] = [_predicted(row) for row in rows]
    else:
        columns[ranking.method] = [f"{row.score:.4g}" for row in rows]
    if any(math.isfinite(row.p_best) for row in rows):
        columns["P(best)"] = [_number(row.p_best, ".2f") for row in rows]
        columns["tie"] = [str(row.tie) for row in rows]
    if any(row.epochs for row in rows):
        columns["last"] = [_number(row.last, ".3f") for row in rows]
        columns["β"] = [_number(row.beta, ".3g") for row in rows]
    columns["params"] = [f"{row.parameters / 1e6:.2f} M" if row.parameters else "–" for row in rows]
    if any(row.seconds for row in rows):
        columns["seconds"] = [f"{row.seconds:.0f}" for row in rows]
    columns["weights"] = [
        f"{row.weights} (!)" if row.weights == "random" else row.weights.split()[0] for row in rows
    ]
    return columns


def _ranks_beside(ranking: Ranking) -> dict[str, list[str]]:
    """Return other method → each candidate's rank by it."""
    return {
        method: [
            str(ranking.place(method, row.model)) if method in row.beside else "–"
            for row in ranking.rows
        ]
        for method in ranking.others
    }


def _row_notes(ranking: Ranking) -> list[str]:
    """Return what happened to candidates, each note once, with those it happened to."""
    models: dict[str, list[str]] = {}
    for row in ranking.rows:
        if row.notes:
            models.setdefault(row.notes, []).append(row.model)
    told = [f"{note}: {', '.join(names)}" for note, names in models.items()]
    random = [row.model for row in ranking.rows if row.weights == "random"]
    told += [f"random weights (!), not pre-trained: {', '.join(random)}"] if random else []
    if ranking.others:
        told.append(
            f"{', '.join(ranking.others)}: ranks; their scores are in JSON, CSV and dataframe"
        )
    return told


def _predicted(row: Row) -> str:
    if not math.isfinite(row.accuracy):
        return "–"
    return f"{row.accuracy:.3f}" + (f" ± {row.sd:.3f}" if math.isfinite(row.sd) else "")


def _number(value: float, spec: str) -> str:
    return format(value, spec) if math.isfinite(value) else "–"
