"""A ranking as a person reads it: on a terminal and in a notebook."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ncselect.ranking import Ranking, Row


def terminal_table(ranking: Ranking) -> RenderableType:
    """Return the table, what failed, notes and the advice."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=_title(ranking), title_justify="left", box=None, pad_edge=False)
    columns = _columns(ranking)
    for heading in columns:
        words = heading in ("model", "weights")
        table.add_column(
            heading, justify="left" if words else "right", no_wrap=True, overflow="fold"
        )
    for row, cells in zip(ranking.rows, zip(*columns.values(), strict=True), strict=False):
        table.add_row(*cells, style="bold" if row.rank == 1 else "")
    failed = [
        Text(f"failed: {model}: {reason}", style="red") for model, reason in ranking.failed.items()
    ]
    notes = [Text(note, style="dim") for note in (*_row_notes(ranking), *ranking.notes)]
    return Group(table, *failed, *notes, Text(ranking.advice, style="bold"))


def html_table(ranking: Ranking) -> str:
    """Return the same as HTML."""
    from html import escape

    columns = _columns(ranking)
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
    for method in ranking.others:
        columns[method] = [
            str(ranking.place(method, row.model)) if method in row.beside else "–" for row in rows
        ]
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


def _row_notes(ranking: Ranking) -> list[str]:
    """Return what happened to candidates, each note once, with those it happened to."""
    beside = [f"{', '.join(ranking.others)}: ranks; their scores are in JSON, CSV and dataframe"]
    models: dict[str, list[str]] = {}
    for row in ranking.rows:
        if row.notes:
            models.setdefault(row.notes, []).append(row.model)
    told = [f"{note}: {', '.join(names)}" for note, names in models.items()]
    return told + (beside if ranking.others else [])


def _predicted(row: Row) -> str:
    if not math.isfinite(row.accuracy):
        return "–"
    return f"{row.accuracy:.3f}" + (f" ± {row.sd:.3f}" if math.isfinite(row.sd) else "")


def _number(value: float, spec: str) -> str:
    return format(value, spec) if math.isfinite(value) else "–"
