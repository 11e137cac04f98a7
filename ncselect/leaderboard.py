"""A comparison of methods as a person reads it: a leaderboard per observation length."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ncselect.numerics.agreement import Agreement, Interval
from ncselect.scoreboard import Comparison, Row

if TYPE_CHECKING:
    from rich.console import RenderableType

FEW = 5  # models below which no interval over models means anything
MEASURES = ("rho", "tau", "regret_points", "hit")


def leaderboard(comparison: Comparison) -> RenderableType:
    """Return one table per observation length, the highest ρ first, refused methods last."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    for epochs in dict.fromkeys(row.epochs for row in comparison.rows):
        rows = sorted((row for row in comparison.rows if row.epochs == epochs), key=_place)
        paired_here = [one for one in comparison.differences if one.epochs == epochs]
        reference = paired_here[0].reference if paired_here else ""
        against = {one.method: one for one in paired_here if one.reference == reference}
        table = Table(
            title=f"after {epochs} of {comparison.horizon} epochs, n = {max(r.n for r in rows)}",
            title_justify="left",
            box=None,
            pad_edge=False,
        )
        table.add_column("method", overflow="fold")
        for heading in ("ρ", "τ", "regret", "hit", f"ρ − {reference}"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in rows:
            if row.agreement is None:
                continue
            found, paired = row.agreement, against.get(row.method)
            table.add_row(
                row.method,
                _cell(found.rho),
                _number(found.tau.value, 2),
                _number(found.regret_points.value, 1),
                _number(found.hit.value, 2),
                _cell(paired.agreement.rho) if paired else "–",
            )
        parts.append(table)
        if max(row.n for row in rows) < FEW:
            parts.append(Text(f"Fewer than {FEW} models: these figures say next to nothing."))
        parts += [
            Text(f"refused: {row.method}: {row.reason}", style="red")
            for row in rows
            if row.agreement is None
        ]
        parts += [
            Text(f"left out: {model}: {reason}", style="dim")
            for model, reason in comparison.excluded.get(epochs, {}).items()
        ]
        parts.append(Text(""))
    parts.append(
        Text(
            f"In brackets: {100 * comparison.level:.0f}% intervals over {comparison.resamples} "
            f"resamples of the models, seed {comparison.seed}; differences are paired. "
            "τ is Kendall's, weighted; regret is in points of accuracy. "
            "All intervals: --format csv or json.",
            style="dim",
        )
    )
    return Group(*parts)


def flat_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return a flat row per method and observation length, for CSV; differences from the first.

    Those from further references are in the comparison's JSON.
    """
    first = comparison.differences[0].reference if comparison.differences else None
    paired = {
        (one.method, one.epochs): one.agreement
        for one in comparison.differences
        if one.reference == first
    }
    return [
        {
            "epochs": row.epochs,
            "method": row.method,
            "n": row.n,
            **_figures(row.agreement, ""),
            "reference": first,
            **_figures(paired.get((row.method, row.epochs)), "less_reference_"),
            "reason": row.reason,
        }
        for row in comparison.rows
    ]


def _figures(agreement: Agreement | None, prefix: str) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    for name in MEASURES:
        interval = None if agreement is None else getattr(agreement, name)
        figures[f"{prefix}{name}"] = interval and interval.value
        figures[f"{prefix}{name}_low"] = interval and interval.low
        figures[f"{prefix}{name}_high"] = interval and interval.high
    return figures


def _place(row: Row) -> tuple[bool, float]:
    if row.agreement is None or math.isnan(row.agreement.rho.value):
        return (True, 0.0)
    return (False, -row.agreement.rho.value)


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _cell(interval: Interval) -> str:
    if math.isnan(interval.value):
        return "–"
    if math.isnan(interval.low):
        return f"{interval.value:.2f}"
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
