"""Predicted against true accuracies of a pool, with bootstrap intervals over the models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.calibration import (
    best_shares,
    brier_score,
    calibration_error,
    calibration_sums,
    resampled_p_best,
)
from ncselect.numerics.predicted import DRAWS, LEVELS, Predicted, best_draws, model_scores
from ncselect.numerics.rank_agreement import (
    better_half,
    regret_points,
    spearman_rho,
    top_one_hit,
    top_three_hit,
    weighted_kendall_tau,
)
from zoo.errors import InputError, UnknownNameError

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A value and its bootstrap interval.

    Attributes
    ----------
    value
        Of the pool itself; nan where the measure is not defined.
    low, high
        Percentile interval over resamples; nan if no resample defines it.
    dropped
        Resamples left out because the measure is not defined there: truth or prediction is the
        same for every model in them, or the method does not predict what is measured.
    """

    value: float
    low: float
    high: float
    dropped: int

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends that a reader should go by."""
        return self.low, self.high


@dataclass(frozen=True)
class Agreement:
    """How well a method's predictions agree with the truth, or how two methods differ in that.

    Points are hundredths of accuracy. What a method that only orders has not predicted is nan.

    Attributes
    ----------
    rho
        Spearman's ρ.
    tau
        Weighted Kendall τ.
    regret_points
        Points of accuracy lost by taking the pick.
    hit
        Probability that the pick is a best model.
    rho_better_half
        Spearman's ρ among the better half of the models by truth.
    hit3
        Probability that the three predicted best hold a best model.
    rmse_points
        Root mean square of truth less mean.
    sd_points
        Mean standard deviation of the predictions.
    crps_points
        Mean continuous ranked probability score.
    coverage_50, coverage_80, coverage_95
        Share of truths inside the central 50, 80 and 95% intervals.
    brier
        Brier score of P(best) over the candidates.
    calibration_error
        Expected calibration error of P(best) over the candidates.
    """

    rho: Interval
    tau: Interval
    regret_points: Interval
    hit: Interval
    rho_better_half: Interval
    hit3: Interval
    rmse_points: Interval
    sd_points: Interval
    crps_points: Interval
    coverage_50: Interval
    coverage_80: Interval
    coverage_95: Interval
    brier: Interval
    calibration_error: Interval


@dataclass(frozen=True)
class Agreements:
    """Several methods on the same models and the same resamples.

    Attributes
    ----------
    of
        Method → agreement with the truth.
    differences
        (method, reference) → the method's measures less the reference's, paired: each resample's
        difference is taken before the interval is.
    """

    of: Mapping[str, Agreement]
    differences: Mapping[tuple[str, str], Agreement]


def _rho_better_half(truth: Floats, score: Floats, counts: Counts) -> Floats:
    return spearman_rho(truth, score, better_half(truth, counts))


ORDER: Mapping[str, Callable[[Floats, Floats, Counts], Floats]] = {
    "rho": spearman_rho,
    "tau": weighted_kendall_tau,
    "regret_points": regret_points,
    "hit": top_one_hit,
    "rho_better_half": _rho_better_half,
    "hit3": top_three_hit,
}
"""Measure of an order → its function of truth, scores and counts."""

NAN = float("nan")  # one object, so that findings that lack the same are equal
MEASURES = tuple(field.name for field in dataclasses.fields(Agreement))


def bootstrap_counts(models: int, resamples: int, rng: np.random.Generator) -> Counts:
    """Return how often each model is drawn, with replacement, shape (resamples, models).

    Parameters
    ----------
    models
        Models in the pool and in each resample.
    resamples
        Number of resamples.
    rng
        Source of randomness.

    References
    ----------
    Efron, Bootstrap methods: another look at the jackknife, Annals of Statistics 7 (1979).
    """
    return rng.multinomial(models, np.full(models, 1.0 / models), size=resamples)


def compare(
    truth: Floats,
    predictions: Mapping[str, Predicted],
    *,
    rng: np.random.Generator,
    references: tuple[str, ...] = (),
    resamples: int = 2000,
    level: float = 0.95,
) -> Agreements:
    """Compare predictions with the truth, and methods with each other.

    A resample draws the models with replacement. Regret, hits and P(best) are judged among the
    models drawn, copies sharing a place. The percentile interval is known to be somewhat short in
    small pools.

    Parameters
    ----------
    truth
        True final accuracies of the models, shape (n,), n ≥ 2, in [0, 1].
    predictions
        Method → what it says of the same models.
    rng
        Source of the resamples.
    references
        Methods that every other is compared with.
    resamples
        Number of bootstrap resamples.
    level
        Coverage that the intervals aim at, in (0, 1).

    Returns
    -------
    Agreements

    Raises
    ------
    InputError
        If shapes differ, fewer than two models are given, a score is not finite, a truth is not
        in [0, 1], or resamples or level make no sense.
    UnknownNameError
        If a reference is not among the predictions.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([0.7, 0.8, 0.9])
    >>> exact = Predicted.ordering(truth)
    >>> compare(truth, {"exact": exact}, rng=np.random.default_rng(0)).of["exact"].rho.value
    1.0
    """
    check_predictions(truth, predictions)
    check_intervals(resamples, level)
    for reference in references:
        if reference not in predictions:
            raise UnknownNameError("reference", reference, predictions)
    n = len(truth)
    counts = np.vstack([np.ones((1, n), dtype=np.int64), bootstrap_counts(n, resamples, rng)])
    noise = rng.standard_normal((DRAWS, n))
    seed = int(rng.integers(2**32))  # the same for all: equal predictions have equal measures
    measured = {
        method: _measured(truth, predicted, counts, noise, np.random.default_rng(seed))
        for method, predicted in predictions.items()
    }
    differences = {
        (method, reference): Agreement(
            **{name: _interval(values[name] - measured[reference][name], level) for name in values}
        )
        for reference in references
        for method, values in measured.items()
        if method != reference
    }
    of = {
        method: Agreement(**{name: _interval(values[name], level) for name in values})
        for method, values in measured.items()
    }
    return Agreements(of, differences)


def _measured(
    truth: Floats, predicted: Predicted, counts: Counts, noise: Floats, rng: np.random.Generator
) -> dict[str, Floats]:
    """Return every measure's value in every resample, shape (resamples,) each."""
    total = counts.sum(axis=1)
    each = {name: counts @ one / total for name, one in model_scores(truth, predicted).items()}
    draws = best_draws(predicted, noise)
    if draws is None:
        brier = error = np.full(len(counts), np.nan)
    else:
        said, came = resampled_p_best(draws, counts, rng), best_shares(truth, counts)
        brier = brier_score(said, came, counts)
        error = calibration_error(calibration_sums(said, came, counts), total)
    return {
        **{name: measure(truth, predicted.score, counts) for name, measure in ORDER.items()},
        "rmse_points": 100 * np.sqrt(each["squared_error"]),
        "sd_points": 100 * each["sd"],
        "crps_points": 100 * each["crps"],
        **{name: each[name] for name in LEVELS},
        "brier": brier,
        "calibration_error": error,
    }


def _interval(values: Floats, level: float) -> Interval:
    """Return the pool's value, which comes first, with the interval of the resamples'."""
    drawn = values[1:]
    defined = drawn[np.isfinite(drawn)]
    tail = (1 - level) / 2
    low, high = (
        (float(edge) for edge in np.quantile(defined, [tail, 1 - tail]))
        if defined.size
        else (NAN, NAN)
    )
    value = float(values[0]) if np.isfinite(values[0]) else NAN
    return Interval(value, low, high, int(drawn.size - defined.size))


def check_predictions(truth: Floats, predictions: Mapping[str, Predicted]) -> None:
    """Raise an InputError if truth and predictions are not of the same two or more models."""
    if truth.ndim != 1 or truth.size < 2:
        raise InputError(
            f"truth has shape {truth.shape}; agreement needs two or more models in one dimension"
        )
    if not (np.isfinite(truth).all() and truth.min() >= 0 and truth.max() <= 1):
        raise InputError("truth holds a value outside 0…1; give accuracies as shares, not percent")
    for method, predicted in predictions.items():
        score, draws = predicted.score, predicted.draws
        if score.shape != truth.shape or not np.isfinite(score).all():
            raise InputError(
                f"predictions of '{method}' have shape {score.shape} or are not finite; "
                f"give a number for each of the {truth.size} models, and leave out for all "
                "methods the models that one of them refuses"
            )
        if draws is not None and (draws.shape[1:] != truth.shape or not np.isfinite(draws).all()):
            raise InputError(
                f"draws of '{method}' have shape {draws.shape} or are not finite; "
                f"give (draws, {truth.size}) numbers"
            )


def check_intervals(resamples: int, level: float) -> None:
    """Raise an InputError if intervals cannot be made of so many resamples or at such a level."""
    if resamples < 1:
        raise InputError(f"resamples is {resamples}; give 1 or more, such as 2000")
    if not 0 < level < 1:
        raise InputError(f"level is {level}; give a share between 0 and 1, such as 0.95")
