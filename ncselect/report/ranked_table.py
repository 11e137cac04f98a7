"""The table of the candidates, and those of their decisions and fits."""

from __future__ import annotations

import math

from ncselect.kept_ranking import KeptRanking
from ncselect.plots import Fit
from ncselect.ranking import Ranking
from ncselect.ranking_rows import Row
from ncselect.report.tables import (
    UNKNOWN,
    Cell,
    Column,
    Table,
    number,
    spread,
    without_empty,
    words,
)


def ranked_table(kept: KeptRanking) -> Table:
    """Return the candidates best first, with everything that is known of each."""
    ranking = kept.ranking
    methods = ranking.others
    columns = (
        Column("rank"),
        Column("model", numeric=False, names=True),
        Column("predicted accuracy", descending=True),
        Column(f"score by {ranking.method}", descending=True),
        Column("P(best)", descending=True),
        Column("expected loss"),
        Column("tie"),
        Column("last seen", descending=True),
        Column("test accuracy", descending=True),
        *(Column(f"rank by {_unbroken(name)}") for name in methods),
        Column("β_eff"),
        Column("parameters, millions"),
        Column("megabytes"),
        Column("ms for an image"),
        Column("ms for 64 images"),
        Column("epochs"),
        Column("seconds"),
        Column("weights", numeric=False),
    )
    table = Table(
        "ranking",
        f"{ranking.dataset}, ranked by {ranking.method}",
        columns,
        tuple(_cells(row, ranking, kept.horizon) for row in ranking),
        tuple("tied" if row.tie == 1 else "" for row in ranking),
        sortable=True,
    )
    return without_empty(table)


def _unbroken(name: str) -> str:
    """Return a method's name with hyphens at which no line is broken."""
    return name.replace("-", "\N{NON-BREAKING HYPHEN}")


def _cells(row: Row, ranking: Ranking, horizon: int) -> tuple[Cell, ...]:
    predicts = math.isfinite(row.accuracy)
    record = ranking.records.get(row.model)
    truth = math.nan if record is None else record.truth.get(horizon, math.nan)
    return (
        number(row.rank, ".0f"),
        words(row.model),
        spread(row.accuracy, row.sd),
        Cell(UNKNOWN) if predicts else number(row.score, ".4g"),
        number(row.p_best, ".2f"),
        number(row.regret_points, ".1f"),
        number(row.tie or math.nan, ".0f"),
        number(row.last, ".3f"),
        number(truth, ".3f"),
        *(
            number(ranking.place(name, row.model), ".0f") if name in row.beside else Cell(UNKNOWN)
            for name in ranking.others
        ),
        number(row.beta, ".3g"),
        number(row.parameters or math.nan, ".2f", scale=1e-6),
        number(row.megabytes, ".1f"),
        number(row.latency_ms, ".2f"),
        number(row.latency_64_ms, ".1f"),
        number(row.epochs or math.nan, ".0f"),
        number(row.seconds or math.nan, ".0f"),
        words("random (!)" if row.weights == "random" else row.weights.split()[0]),
    )


def outlook_table(ranking: Ranking) -> Table | None:
    """Return what more epochs are expected to do for the certainty; None where nothing is said."""
    if not ranking.outlook:
        return None
    ahead = sorted(ranking.outlook.items())
    return Table(
        "outlook",
        "How probable it is that the candidate that leads after further epochs is the best",
        (
            Column("further epochs of every candidate", numeric=False, names=True),
            *(Column(str(more)) for more, _ in ahead),
        ),
        ((words("P(best) of the leader"), *(number(sure, ".2f") for _, sure in ahead)),),
    )


def failed_table(ranking: Ranking) -> Table | None:
    """Return the candidates without a rank and why; None where there are none."""
    if not ranking.failed:
        return None
    return Table(
        "failed",
        "Candidates without a rank",
        (Column("model", numeric=False, names=True), Column("reason", numeric=False)),
        tuple((words(model), words(reason)) for model, reason in ranking.failed.items()),
    )


def decisions_table(ranking: Ranking) -> Table | None:
    """Return what was decided on the way, in order; None where nobody was dropped."""
    if not ranking.decisions:
        return None
    return Table(
        "decisions",
        "What was decided, in order",
        (
            Column("seconds"),
            Column("epochs seen"),
            Column("decision", numeric=False, names=True),
            Column("candidates", numeric=False),
            Column("reason", numeric=False),
        ),
        tuple(
            (
                number(one["spent"], ".0f"),
                number(one["epochs"], ".0f"),
                words(one["what"]),
                words(", ".join(one["models"])),
                words(one["reason"]),
            )
            for one in ranking.decisions
        ),
    )


def fits_table(fits: list[Fit]) -> Table | None:
    """Return the ridge line of every candidate that has one; None where none has."""
    if not fits:
        return None
    table = Table(
        "fits",
        "The ridge line of each candidate: window, slope, and the accuracy at β_eff = 0",
        (
            Column("model", numeric=False, names=True),
            Column("t0"),
            Column("window, epochs"),
            Column("BIC"),
            Column("slope"),
            Column("accuracy at β_eff = 0", descending=True),
            Column("test accuracy", descending=True),
        ),
        tuple(
            (
                words(fit.model),
                number(fit.start, ".0f"),
                number(fit.length, ".0f"),
                number(fit.bic, ".1f"),
                number(fit.slope, ".3g"),
                spread(fit.predicted, fit.sd),
                number(fit.test, ".3f"),
            )
            for fit in fits
        ),
        sortable=True,
    )
    return without_empty(table)
