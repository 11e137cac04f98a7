"""What the figures of a ranking show: from its rows and runs to plain values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ncselect.methods.capacitance import Capacitance
from ncselect.methods.pool import ACCURACY
from ncselect.pareto import pareto_front
from ncselect.plots import (
    AnyFigure,
    Band,
    Dot,
    DotFigure,
    DotPanel,
    Fit,
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
from ncselect.types import RunRecord
from zoo.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from ncselect.ranking import Ranking

INNER, OUTER = 0.6745, 1.2816
"""Standard deviations to the ends of the central 50% and 80% of a normal distribution."""

INNER_LABEL, OUTER_LABEL = "50% interval", "80% interval"
MOST = 12  # candidates with a panel of their own, the best
MOST_FITS = 8
NAMED_FROM = 5.0  # inches; dots in narrower figures are labelled with ranks


@dataclass(frozen=True)
class _Asked:
    """What a figure is made of; attributes are those of :func:`ranking_figure`."""

    ranking: Ranking
    width: float
    capacitance: Capacitance

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
    kind: str, ranking: Ranking, *, width: float, capacitance: Capacitance | None = None
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
        How β_eff is read, for the kind ``capacitance``; the default definition if None.

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
    return KINDS[kind](_Asked(ranking, width, capacitance or Capacitance()))


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
        raise InputError("curves: no epoch was observed; rank with --epochs 1 or more")
    horizon = asked.horizon or max(map(len, curves.values()))
    courses = predicted_courses(asked.ranking)
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
    return TradeoffFigure(
        tuple(
            TradeoffDot(
                asked.label(row),
                costs[row.model],
                asked.value(row),
                *_interval(row, OUTER),
                group=row.tie,
                on_front=bool(best),
            )
            for row, best in zip(rows, front, strict=True)
        ),
        x_label=x_label,
        y_label="predicted accuracy" if asked.predicts else f"score by {asked.ranking.method}",
        spread=OUTER_LABEL,
        width=asked.width,
        caption=f"On the front is who has no other that is {beating}, and better in one."
        f"{_ranks(asked)}",
    )


def _capacitance(asked: _Asked) -> FitFigure:
    fits = capacitance_fits(asked.ranking, asked.capacitance)
    if not fits:
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


def capacitance_fits(ranking: Ranking, method: Capacitance) -> list[Fit]:
    """Return the trajectories and the ridge line of every candidate that has them, best first.

    The line is fitted in what had been observed when the ranking was made.
    """
    found = []
    for row in ranking:
        record = ranking.records.get(row.model)
        if record is None or min(row.epochs, record.epochs) < method.least_epochs:
            continue
        recorded = set(record.observations[-1].signals)
        if not method.signals <= recorded:
            continue
        try:
            found.append(_fit(record, row.epochs, ranking.horizon, method))
        except InputError:  # β_eff of a diverged run is not finite: it has no line
            continue
    return found


def _fit(record: RunRecord, epochs: int, horizon: int, method: Capacitance) -> Fit:
    window, line = method.fitted(record.observed(epochs))
    known = "training-error" in record.observations[-1].signals
    train = 1 - record.curve("training-error") if known else np.full(record.epochs, np.nan)
    return Fit(
        model=record.spec.model,
        train=tuple(train.tolist()),
        validation=tuple(record.curve(ACCURACY).tolist()),
        beta=tuple(method.inputs(record).tolist()),
        start=window.start + 1,
        length=window.length,
        bic=window.bic,
        slope=line.slope,
        predicted=line.mean,
        sd=line.sd,
        test=record.truth.get(horizon, math.nan),
    )


def _agreement(asked: _Asked) -> DotFigure:
    known = [
        (row, truth)
        for row in asked.ranking
        if math.isfinite(truth := asked.truth(row.model)) and math.isfinite(row.accuracy)
    ]
    if not known:
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
