"""What the figures of a ranking show: from its rows and runs to plain values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ncselect.capacitance_fits import asked_capacitance, capacitance_fits
from ncselect.lost_runs import lost_runs
from ncselect.methods.capacitance import Capacitance
from ncselect.methods.pool import ACCURACY
from ncselect.pareto import pareto_front
from ncselect.plots import (
    AnyFigure,
    Band,
    Dot,
    DotFigure,
    DotPanel,
    FitFigure,
    Forecast,
    ForecastFigure,
    Prediction,
    PredictionFigure,
    TradeoffDot,
    TradeoffFigure,
)
from ncselect.predicted_courses import Course, predicted_courses
from ncselect.ranking_rows import Row
from zoo.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from ncselect.ranking import Ranking

INNER, OUTER = 0.6745, 1.2816
"""Standard deviations to the ends of the central 50% and 80% of a normal distribution."""

INNER_LABEL, OUTER_LABEL = "50% interval", "80% interval"
MOST = 12  # candidates with a panel of their own, the best
MOST_FITS = 8
NAMED_FROM = 5.0  # inches; dots in narrower figures are labelled with ranks
CROWDED = 20  # dots beyond which only the front and those tied with the best are labelled


@dataclass(frozen=True)
class _Asked:
    """What a figure is made of; attributes are those of :func:`ranking_figure`."""

    ranking: Ranking
    width: float
    capacitance: Capacitance
    courses: Mapping[str, Course] | None

    @property
    def horizon(self) -> int:
        return self.ranking.horizon

    @property
    def predicts(self) -> bool:
        """Whether the method predicts accuracies, not only an order."""
        return any(math.isfinite(row.accuracy) for row in self.ranking)

    def value(self, row: Row) -> float:
        """Return the predicted accuracy, or the score of a method that only orders."""
        return row.accuracy if self.predicts else row.score

    def truth(self, model: str) -> float:
        """Return the test accuracy at the horizon; nan where it is not known."""
        record = self.ranking.records.get(model)
        return math.nan if record is None else record.truth.get(self.horizon, math.nan)

    def label(self, row: Row) -> str:
        """Return what stands beside a candidate's dot: in narrow figures only its rank."""
        return row.model if self.width >= NAMED_FROM else str(row.rank)

    def curve(self, model: str) -> tuple[float, ...]:
        """Return validation accuracy after epochs 1 … as far as it is known by now."""
        record = self.ranking.records.get(model)
        return () if record is None else tuple(record.curve(ACCURACY).tolist())


def ranking_figure(
    kind: str,
    ranking: Ranking,
    *,
    width: float,
    capacitance: Capacitance | None = None,
    courses: Mapping[str, Course] | None = None,
) -> AnyFigure:
    """Return what a figure of a ranking shows.

    Parameters
    ----------
    kind
        A key of ``KINDS``.
    ranking
        With its runs, as far as they have come by now.
    width
        In inches.
    capacitance
        How β_eff is read, for the kind ``capacitance``; as the ranking was asked if None.
    courses
        What ``predicted_courses`` says of the ranking, for the kind ``curves``; asked if None.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    InputError
        If there is nothing to show; the text says what is missing.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    if not ranking.rows:
        raise InputError(f"{kind}: no candidate could be ranked")
    read = capacitance or asked_capacitance(ranking.asked)
    return KINDS[kind](_Asked(ranking, width, read, courses))


def _predictions(asked: _Asked) -> PredictionFigure:
    rows, predicts = asked.ranking.rows, asked.predicts
    sure = any(math.isfinite(row.p_best) for row in rows)
    told = "Best first" + ("; in colour those that cannot be told apart from the best." if sure
                           else ".")  # fmt: skip
    return PredictionFigure(
        tuple(
            Prediction(
                label=row.model,
                value=asked.value(row),
                inner=_interval(row, INNER),
                outer=_interval(row, OUTER),
                seen=row.last if predicts else math.nan,
                truth=asked.truth(row.model) if predicts else math.nan,
                group=row.tie,
                text=f"{row.p_best:.2f}" if math.isfinite(row.p_best) else "",
            )
            for row in rows
        ),
        x_label=_end(asked, "accuracy") if predicts else f"score by {asked.ranking.method}",
        text_label="P(best)" if sure else "",
        value_label="predicted" if predicts else "score",
        inner_label=INNER_LABEL,
        outer_label=OUTER_LABEL,
        width=asked.width,
        caption=told,
    )


def _curves(asked: _Asked) -> ForecastFigure:
    rows = asked.ranking.rows
    curves = {row.model: asked.curve(row.model) for row in rows}
    shown = [row for row in rows if curves[row.model][: row.epochs]][:MOST]
    if not shown:
        _check_kept("curves", asked)
        raise InputError("curves: no epoch was observed; rank with --epochs 1 or more")
    horizon = asked.horizon or max(map(len, curves.values()))
    courses = predicted_courses(asked.ranking) if asked.courses is None else asked.courses
    bands = {
        row.model: _band(row, curves[row.model][: row.epochs], asked, courses.get(row.model))
        for row in shown
    }
    told = "Grey: the other candidates, as far as the ranking saw them."
    if len(shown) < len(rows):
        told += f" The best {len(shown)} of {len(rows)}."
    if courses:
        told += f" Bands: what {asked.ranking.method} predicts of each epoch."
    elif any(bands.values()):
        told += (
            f" Bands: they join what was last seen to what is predicted of epoch {horizon}, and "
            "say nothing of the epochs between."
        )
    return ForecastFigure(
        tuple(
            Forecast(
                label=f"{row.rank}\N{NO-BREAK SPACE}{row.model}",
                seen=curves[row.model][: row.epochs],
                later=curves[row.model][row.epochs : horizon],
                band=bands[row.model],
                truth=asked.truth(row.model),
            )
            for row in shown
        ),
        background=tuple(curve[: row.epochs] for row in rows if (curve := curves[row.model])),
        horizon=horizon,
        inner_label=INNER_LABEL,
        outer_label=OUTER_LABEL,
        width=asked.width,
        caption=told,
    )


def _band(row: Row, seen: tuple[float, ...], asked: _Asked, course: Course | None) -> Band | None:
    """Return what is predicted from what was last seen on, epoch by epoch if that is known."""
    if not math.isfinite(row.accuracy) or asked.horizon <= len(seen):
        return None
    course = course or Course((asked.horizon,), (row.accuracy,), (row.sd,))
    start = (seen[-1], seen[-1])
    inner, outer = (
        (start, *(_ends(mean, sd, reach) for mean, sd in zip(course.mean, course.sd, strict=True)))
        for reach in (INNER, OUTER)
    )
    known = all(map(math.isfinite, course.sd))
    return Band(
        epochs=(len(seen), *course.epochs),
        middle=(seen[-1], *course.mean),
        inner=inner if known else (),
        outer=outer if known else (),
    )


def _size(asked: _Asked) -> TradeoffFigure:
    costs = {row.model: row.parameters / 1e6 for row in asked.ranking if row.parameters}
    if not costs:
        raise InputError("size: the number of parameters is not known of any candidate")
    return _tradeoff(asked, costs, "parameters (millions)", "as accurate and as small")


def _latency(asked: _Asked) -> TradeoffFigure:
    costs = {row.model: row.latency_ms for row in asked.ranking if math.isfinite(row.latency_ms)}
    if not costs:
        raise InputError("latency: it was not measured; rank with --latency")
    return _tradeoff(asked, costs, "milliseconds for an image", "as accurate and as fast")


def _tradeoff(
    asked: _Asked, costs: Mapping[str, float], x_label: str, beating: str
) -> TradeoffFigure:
    """Return candidates as accuracy against what they cost; model → cost."""
    rows = [row for row in asked.ranking if row.model in costs]
    front = pareto_front([(costs[row.model], -asked.value(row)) for row in rows])
    crowded = len(rows) > CROWDED
    named = " Labelled: the front, and who is tied with the best." if crowded else ""
    return TradeoffFigure(
        tuple(
            TradeoffDot(
                asked.label(row),
                costs[row.model],
                asked.value(row),
                *_interval(row, OUTER),
                group=row.tie,
                on_front=bool(best),
                labelled=not crowded or bool(best) or row.tie == 1,
            )
            for row, best in zip(rows, front, strict=True)
        ),
        x_label=x_label,
        y_label="predicted accuracy" if asked.predicts else f"score by {asked.ranking.method}",
        spread=OUTER_LABEL,
        width=asked.width,
        caption=f"The front: no other candidate is at least {beating}.{named}{_ranks(asked)}",
    )


def _capacitance(asked: _Asked) -> FitFigure:
    fits = capacitance_fits(asked.ranking, asked.capacitance)
    if not fits:
        _check_kept("capacitance", asked)
        (signal,) = asked.capacitance.signals - {ACCURACY}
        raise InputError(
            f"capacitance: no run has two epochs with the signal {signal}; rank with --unit probe "
            "and --epochs 2 or more"
        )
    more = f" The best {MOST_FITS} of {len(fits)}." if len(fits) > MOST_FITS else ""
    return FitFigure(
        tuple(fits[:MOST_FITS]),
        width=asked.width,
        caption=(
            "From top to bottom: accuracy by epoch; |β_eff| by epoch "
            f"({asked.capacitance.definition}); the line through the observed epochs (grey above), "
            f"read off at β_eff = 0.{more}"
        ),
    )


def _agreement(asked: _Asked) -> DotFigure:
    if not asked.predicts:
        raise InputError(f"agreement: {asked.ranking.method} gives an order, no accuracies")
    known = [
        (row, truth)
        for row in asked.ranking
        if math.isfinite(truth := asked.truth(row.model)) and math.isfinite(row.accuracy)
    ]
    if not known:
        _check_kept("agreement", asked)
        raise InputError(
            f"agreement: no run with a predicted accuracy has reached epoch {asked.horizon}; "
            "runs go on with a larger --epochs"
        )
    dots = tuple(
        Dot(asked.label(row), "candidates", row.accuracy, truth, *_interval(row, OUTER))
        for row, truth in known
    )
    return DotFigure(
        (DotPanel("", dots),),
        x_label="predicted accuracy",
        y_label=_end(asked, "test accuracy"),
        equal=True,
        width=min(asked.width, 5.3),
        caption=f"Bars: {OUTER_LABEL}.{_ranks(asked)}",
    )


def _check_kept(kind: str, asked: _Asked) -> None:
    """Raise an InputError if what is missing was in runs that the store no longer holds."""
    if lost_runs(asked.ranking):
        raise InputError(f"{kind}: the store no longer holds the runs that this is drawn from")


def _interval(row: Row, reach: float) -> tuple[float, float]:
    """Return the ends of an interval of predicted accuracy; nan where there is none."""
    return _ends(row.accuracy, row.sd, reach)


def _ends(mean: float, sd: float, reach: float) -> tuple[float, float]:
    if not math.isfinite(mean) or not math.isfinite(sd):
        return math.nan, math.nan
    return max(0.0, mean - reach * sd), min(1.0, mean + reach * sd)


def _end(asked: _Asked, quantity: str) -> str:
    return f"{quantity} at epoch {asked.horizon}" if asked.horizon else f"final {quantity}"


def _ranks(asked: _Asked) -> str:
    return "" if asked.width >= NAMED_FROM else " Numbers are ranks."


KINDS: Mapping[str, Callable[[_Asked], AnyFigure]] = {
    "predictions": _predictions,
    "curves": _curves,
    "size": _size,
    "latency": _latency,
    "capacitance": _capacitance,
    "agreement": _agreement,
}
"""Kind of figure → what makes it."""
