"""A comparison of methods as a person reads it: a leaderboard per observation length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ncselect.numerics.agreement import MEASURES, Agreement, Interval
from ncselect.scoreboard import RECOMMENDED, Comparison, PoolsComparison, PoolsRow, Row, in_short

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

FEW = 5  # models below which no interval over models means anything
PICKED = {  # heading → measure and digits, of the table about what is picked
    "τ": ("tau", 2),
    "hit": ("hit", 2),
    "hit 3": ("hit3", 2),
    "Brier": ("brier", 3),
    "ECE": ("calibration_error", 3),
}
PREDICTED = {  # and of the table about the accuracies predicted
    "error": ("rmse_points", 2),
    "sd": ("sd_points", 2),
    "CRPS": ("crps_points", 2),
    "in 50%": ("coverage_50", 2),
    "in 80%": ("coverage_80", 2),
    "in 95%": ("coverage_95", 2),
}

AnyComparison = Comparison | PoolsComparison
AnyRow = Row | PoolsRow


def leaderboard(comparison: AnyComparison) -> RenderableType:
    """Return three tables per observation length, the highest ρ first, refused methods last."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for epochs in dict.fromkeys(row.epochs for row in comparison.rows):
        rows = sorted((row for row in comparison.rows if row.epochs == epochs), key=_place)
        scored = [row for row in rows if row.agreement is not None]
        title = f"after {epochs} of {comparison.horizon} epochs, {_of_what(comparison, rows)}"
        parts.append(Text(title, style="italic"))
        if scored:
            parts += [_orders(comparison, scored, epochs), Text("")]
            parts += [_picks(scored), Text(""), _predictions(scored)]
        if isinstance(comparison, Comparison):
            if max(row.n for row in rows) < FEW:
                parts.append(Text(f"Fewer than {FEW} models: these figures say next to nothing."))
            parts += [
                Text(f"left out: {model}: {reason}", style="dim")
                for model, reason in comparison.excluded.get(epochs, {}).items()
            ]
        else:
            parts += [Text(line, style="dim") for line in _left_out(comparison, rows)]
        parts += [
            Text(f"refused: {row.method}: {row.reason}", style="red")
            for row in rows
            if row.agreement is None
        ]
        parts += [Text(line) for line in losses(comparison, epochs)]
        parts.append(Text(""))
    parts.append(Text(_legend(comparison), style="dim"))
    return Group(*parts)


def losses(comparison: AnyComparison, epochs: int) -> list[str]:
    """Say which methods order better than the recommended one or lose less by their pick.

    Parameters
    ----------
    comparison
        Of any methods.
    epochs
        Observation length.

    Returns
    -------
    list of str
        A line for each label of the recommended method that was scored at this length.
    """
    lines = []
    for row in comparison.rows:
        if row.epochs != epochs or row.agreement is None or not _is_recommended(row.method):
            continue
        better: dict[str, list[str]] = {}
        for one in comparison.differences:
            if (one.reference, one.epochs) != (row.method, epochs):
                continue
            for name, said, sign in (("rho", "ρ", 1), ("regret_points", "regret", -1)):
                gain = getattr(one.agreement, name)
                if sign * gain.value > 0:
                    low, high = gain.bounds
                    figures = f"{said} {gain.value:+.3f} [{low:+.3f}, {high:+.3f}]"
                    better.setdefault(one.method, []).append(figures)
        found = "; ".join(f"{method}: {', '.join(all_)}" for method, all_ in better.items())
        lines.append(
            f"{row.method} loses to {found}"
            if found
            else f"{row.method}: no method here has a higher ρ or less regret"
        )
    return lines


def _is_recommended(label: str) -> bool:
    return label.partition(":")[0] == RECOMMENDED


def _orders(comparison: AnyComparison, rows: Sequence[AnyRow], epochs: int) -> RenderableType:
    """Return the table of how well the methods order, with the differences from the reference."""
    paired_here = [one for one in comparison.differences if one.epochs == epochs]
    reference = paired_here[0].reference if paired_here else ""
    against = {one.method: one for one in paired_here if one.reference == reference}
    table = _table()
    for heading in ("ρ", "ρ½", "regret", f"ρ − {reference}" if reference else ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        if row.agreement is not None:
            paired = against.get(row.method)
            table.add_row(
                row.method,
                _cell(row.agreement.rho, 2),
                _value(row.agreement, "rho_better_half", 2),
                _value(row.agreement, "regret_points", 2),
                _cell(paired.agreement.rho, 3) if paired else "–",
            )
    return table


def _picks(rows: Sequence[AnyRow]) -> RenderableType:
    """Return the table about the picks, their probabilities, and what estimating costs."""
    table = _table()
    for heading in (*PICKED, "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        if row.agreement is not None:
            figures = [_value(row.agreement, *which) for which in PICKED.values()]
            table.add_row(row.method, *figures, f"{row.seconds:.2g}")
    return table


def _predictions(rows: Sequence[AnyRow]) -> RenderableType:
    """Return the table about the accuracies of the methods that predict any."""
    table = _table()
    for heading in PREDICTED:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        if row.agreement is not None and not math.isnan(row.agreement.rmse_points.value):
            table.add_row(row.method, *(_value(row.agreement, *one) for one in PREDICTED.values()))
    return table


def _table() -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("method", overflow="fold")
    return table


def _of_what(comparison: AnyComparison, rows: Sequence[AnyRow]) -> str:
    if isinstance(comparison, Comparison):
        return f"n = {max(row.n for row in rows)}"
    return (
        f"{comparison.pools} pools of {comparison.size} from {comparison.runs} runs of "
        f"{comparison.models} models on {comparison.dataset}{_mean_n(rows)}"
    )


def _mean_n(rows: Sequence[AnyRow]) -> str:
    """Say how many models a pool is scored on; methods may be scored in different pools."""
    means = [row.mean_n for row in _counted(rows) if row.pools]
    if not means:
        return ""
    least, most = f"{min(means):.1f}", f"{max(means):.1f}"
    return f", n = {most if least == most else f'{least} to {most}'} per pool on average"


def _left_out(comparison: PoolsComparison, rows: Sequence[AnyRow]) -> list[str]:
    """Say which methods' refusals cost all methods runs, and which runs are in no pool."""
    lines = [
        f"left out by {row.method}: {row.left_out} of {comparison.runs} runs"
        + (f": {reasons}" if (reasons := in_short(row.refused.values())) else "")
        for row in _counted(rows)
        if row.left_out
    ]
    if comparison.excluded:
        n, reasons = len(comparison.excluded), in_short(comparison.excluded.values())
        lines.append(f"in no pool: {n} of {comparison.runs + n} runs: {reasons}")
    return lines


def _counted(rows: Sequence[AnyRow]) -> list[PoolsRow]:
    return [row for row in rows if isinstance(row, PoolsRow)]


def _legend(comparison: AnyComparison) -> str:
    level = f"{100 * comparison.level:.0f}%"
    over = (
        f"{level} intervals over {comparison.resamples} resamples of the models, "
        f"seed {comparison.seed}"
        if isinstance(comparison, Comparison)
        else f"{level} intervals over models (jackknife: the pools share runs; those over "
        f"{comparison.resamples} resamples of the pools, in csv and json, are narrower), seed "
        f"{comparison.seed}"
    )
    return (
        f"In brackets: {over}; differences are paired. ρ½: ρ among the better half by truth. "
        "regret: points of accuracy lost by the pick. τ is Kendall's, weighted. hit, hit 3: how "
        "often the pick, or one of the first three, is a best model. Brier, ECE: errors of P(best) "
        "(expected calibration error). error: root mean square; error, sd and CRPS in points of "
        "accuracy. in 50%, 80%, 95%: truths inside those intervals. "
        "All intervals: --format csv or json."
    )


def flat_rows(comparison: AnyComparison) -> list[dict[str, Any]]:
    """Return a flat row per method and observation length, for CSV; differences from the first.

    Those from further references are in the comparison's JSON.
    """
    first = comparison.differences[0].reference if comparison.differences else None
    paired = {
        (one.method, one.epochs): one.agreement
        for one in comparison.differences
        if one.reference == first
    }
    pools = isinstance(comparison, PoolsComparison)
    return [
        {
            "epochs": row.epochs,
            "method": row.method,
            "n": row.n,
            **({"pools": row.pools} if isinstance(row, PoolsRow) else {}),
            **(
                {"mean_n": row.mean_n, "left_out": row.left_out}
                if isinstance(row, PoolsRow)
                else {}
            ),
            "seconds": row.seconds,
            **_figures(row.agreement, "", pools),
            "reference": first,
            **_figures(paired.get((row.method, row.epochs)), "less_reference_", pools),
            "reason": row.reason,
        }
        for row in comparison.rows
    ]


def _figures(agreement: Agreement | None, prefix: str, pools: bool) -> dict[str, float | None]:
    ends = ("low", "high", "low_models", "high_models") if pools else ("low", "high")
    figures: dict[str, float | None] = {}
    for name in MEASURES:
        interval = None if agreement is None else getattr(agreement, name)
        figures[f"{prefix}{name}"] = interval and interval.value
        for end in ends:
            figures[f"{prefix}{name}_{end}"] = interval and getattr(interval, end)
    return figures


def _place(row: AnyRow) -> tuple[bool, float]:
    if row.agreement is None or math.isnan(row.agreement.rho.value):
        return (True, 0.0)
    return (False, -row.agreement.rho.value)


def _value(agreement: Agreement, name: str, digits: int) -> str:
    value = getattr(agreement, name).value
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _cell(interval: Interval, digits: int) -> str:
    if math.isnan(interval.value):
        return "–"
    low, high = interval.bounds
    if math.isnan(low):
        return f"{interval.value:.{digits}f}"
    return f"{interval.value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
