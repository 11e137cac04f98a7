"""Predicted against true accuracies of a pool, with bootstrap intervals over the models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.rank_agreement import (
    regret_points,
    spearman_rho,
    top_one_hit,
    weighted_kendall_tau,
)
from zoo.errors import InputError, UnknownNameError

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

MEASURES: Mapping[str, Callable[[Floats, Floats, Counts], Floats]] = {
    "rho": spearman_rho,
    "tau": weighted_kendall_tau,
    "regret_points": regret_points,
    "hit": top_one_hit,
}


@dataclass(frozen=True)
class Interval:
    """A value and its bootstrap interval.

    Attributes
    ----------
    value
        Of the pool itself; nan where the measure is not defined.
    low, high
        Percentile interval over resamples of the models; nan if no resample defines it.
    dropped
        Resamples left out because the measure is not defined there: truth or prediction is the
        same for every model in them.
    """

    value: float
    low: float
    high: float
    dropped: int


@dataclass(frozen=True)
class Agreement:
    """How well a method's predictions agree with the truth, or how two methods differ in that.

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
    """

    rho: Interval
    tau: Interval
    regret_points: Interval
    hit: Interval


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
    predictions: Mapping[str, Floats],
    *,
    rng: np.random.Generator,
    references: tuple[str, ...] = (),
    resamples: int = 2000,
    level: float = 0.95,
) -> Agreements:
    """Compare predictions with the truth, and methods with each other.

    A resample draws the models with replacement. Regret and hit are judged among the models drawn.
    The percentile interval is known to be somewhat short in small pools.

    Parameters
    ----------
    truth
        True final accuracies of the models, shape (n,), n ≥ 2, in [0, 1].
    predictions
        Method → predicted accuracies of the same models, shape (n,).
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
        If shapes differ, fewer than two models are given, a value is not finite, a truth is not
        in [0, 1], or resamples or level make no sense.
    UnknownNameError
        If a reference is not among the predictions.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([0.7, 0.8, 0.9])
    >>> found = compare(truth, {"exact": truth}, rng=np.random.default_rng(0))
    >>> found.of["exact"].rho.value
    1.0
    """
    _check(truth, predictions, references, resamples, level)
    n = len(truth)
    counts = np.vstack([np.ones((1, n), dtype=np.int64), bootstrap_counts(n, resamples, rng)])
    measured = {
        method: {name: measure(truth, predicted, counts) for name, measure in MEASURES.items()}
        for method, predicted in predictions.items()
    }
    differences = {
        (method, reference): Agreement(
            **{
                name: _interval(values[name] - measured[reference][name], level)
                for name in MEASURES
            }
        )
        for reference in references
        for method, values in measured.items()
        if method != reference
    }
    of = {
        method: Agreement(**{name: _interval(values[name], level) for name in MEASURES})
        for method, values in measured.items()
    }
    return Agreements(of, differences)


def _interval(values: Floats, level: float) -> Interval:
    """Return the pool's value, which comes first, with the interval of the resamples'."""
    drawn = values[1:]
    defined = drawn[np.isfinite(drawn)]
    tail = (1 - level) / 2
    low, high = (
        (float(edge) for edge in np.quantile(defined, [tail, 1 - tail]))
        if defined.size
        else (float("nan"), float("nan"))
    )
    return Interval(float(values[0]), low, high, int(drawn.size - defined.size))


def _check(
    truth: Floats,
    predictions: Mapping[str, Floats],
    references: tuple[str, ...],
    resamples: int,
    level: float,
) -> None:
    if truth.ndim != 1 or truth.size < 2:
        raise InputError(
            f"truth has shape {truth.shape}; agreement needs two or more models in one dimension"
        )
    if not (np.isfinite(truth).all() and truth.min() >= 0 and truth.max() <= 1):
        raise InputError("truth holds a value outside 0…1; give accuracies as shares, not percent")
    for method, predicted in predictions.items():
        if predicted.shape != truth.shape or not np.isfinite(predicted).all():
            raise InputError(
                f"predictions of '{method}' have shape {predicted.shape} or are not finite; "
                f"give a number for each of the {truth.size} models, and leave out for all "
                "methods the models that one of them refuses"
            )
    for reference in references:
        if reference not in predictions:
            raise UnknownNameError("reference", reference, predictions)
    if resamples < 1:
        raise InputError(f"resamples is {resamples}; give 1 or more, such as 2000")
    if not 0 < level < 1:
        raise InputError(f"level is {level}; give a share between 0 and 1, such as 0.95")
