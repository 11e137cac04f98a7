"""Samples of both classes in equal numbers, and intervals that treat networks as drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError

Floats = NDArray[np.float64]

DRAWS = 4000
LEVEL = 0.95
LEAST_FOR_R2 = 20
"""Networks from which on R² has an interval: that of 10 covers 82%, of 20 89%, of 60 91%."""


@dataclass(frozen=True)
class Measure:
    """A number with a 95% interval.

    Attributes
    ----------
    value
        The number.
    low, high
        Ends of the interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Determination:
    """R², with a 95% interval where there are networks enough.

    Attributes
    ----------
    value
        The number.
    low, high
        Ends of the interval; None for fewer than ``LEAST_FOR_R2`` networks.
    """

    value: float
    low: float | None
    high: float | None


def balanced_sample(
    high: NDArray[np.bool_], per_class: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw as many networks of the high as of the low class, without repetition.

    Parameters
    ----------
    high
        Whether each network is of the high class, shape (n,).
    per_class
        How many to draw of each; both have so many.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        2·per_class positions, ascending.

    References
    ----------
    Vahedian et al. (2021), appendix A.1: "an even split of high- and low-accuracy networks".
    """
    chosen = [
        rng.choice(np.flatnonzero(high == label), per_class, replace=False)
        for label in (True, False)
    ]
    return np.sort(np.concatenate(chosen))


def numbered(points: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each network's point, equal ones under one, shape (n,)."""
    return np.asarray(np.unique(points, return_inverse=True)[1], np.int64)


def check_points(points: NDArray[np.int64], folds: int) -> None:
    """Raise unless there are as many different points as folds.

    Raises
    ------
    InputError
        If there are fewer.
    """
    different = len(set(points.tolist()))
    if different < folds:
        raise InputError(
            f"{len(points)} networks are of {different} points alone, the others being repeats "
            f"with another seed, where {folds} points are needed that are judged apart; train more"
        )


def balanced_accuracy(
    right: Floats, judged: NDArray[np.int64], high: NDArray[np.bool_], *, seed: int
) -> Measure:
    """Return the share of right judgements, both classes weighing the same.

    Jeffreys' interval: the share of a class follows Beta(r + ½, n − r + ½), n its networks,
    however often each was judged, r the right share of them. Judging the networks again on other
    folds brings no new ones: an interval of what is left when repeats are averaged, such as a
    bootstrap of the networks' means gives, covers too little (85% for noise and five
    repeats of five folds of 60 networks, where this one covers 94%).

    Parameters
    ----------
    right
        How often each network was judged rightly, shape (n,).
    judged
        How often it was judged; networks that never were do not count.
    high
        Whether it is of the high class; both classes were judged.
    seed
        Of the draws that the interval is made of.

    References
    ----------
    Brown, Cai and DasGupta, Interval estimation for a binomial proportion, Statistical Science 16
    (2001).
    """
    rng = np.random.default_rng(seed)
    value, drawn = 0.0, np.zeros(DRAWS)
    for label in (True, False):
        networks, (share,) = _shares([right], judged, high == label)
        value += share / 2
        drawn += rng.beta(networks * share + 0.5, networks * (1 - share) + 0.5, DRAWS) / 2
    return _measure(value, drawn)


def accuracy_difference(
    only_first: Floats,
    only_other: Floats,
    judged: NDArray[np.int64],
    high: NDArray[np.bool_],
    *,
    seed: int,
) -> Measure:
    """Return by how much one predictor's balanced accuracy exceeds another's on the same folds.

    The interval pairs them: in each class the shares of networks that only the first, only the
    other, and both or neither judge rightly follow a Dirichlet distribution, with half a network
    added to the first two.

    Parameters
    ----------
    only_first, only_other
        How often one judged a network rightly where the other did not, shape (n,).
    judged, high, seed
        As for :func:`balanced_accuracy`.
    """
    rng = np.random.default_rng(seed)
    value, drawn = 0.0, np.zeros(DRAWS)
    for label in (True, False):
        networks, (first, other) = _shares([only_first, only_other], judged, high == label)
        value += (first - other) / 2
        # Dirichlet, by gamma variables: the third share may be 0, where it draws none.
        rest = max(0.0, networks * (1 - first - other))
        shapes = [networks * first + 0.5, networks * other + 0.5, rest]
        gammas = rng.standard_gamma(shapes, (DRAWS, 3))
        drawn += (gammas[:, 0] - gammas[:, 1]) / gammas.sum(axis=1) / 2
    return _measure(value, drawn)


def mean_absolute_error(errors: Floats, judged: NDArray[np.int64], *, seed: int) -> Measure:
    """Return the mean absolute error with a Bayesian bootstrap's interval over networks.

    Parameters
    ----------
    errors
        Mean absolute error of each network's predictions, shape (n,).
    judged
        How many predictions it had; networks without one do not count.
    seed
        Of the bootstrap.
    """
    seen = judged > 0
    weights = _weights(int(seen.sum()), seed) * judged[seen]
    return _measure(
        float(np.average(errors[seen], weights=judged[seen])),
        weights @ errors[seen] / weights.sum(axis=1),
    )


def error_difference(
    errors: Floats, other: Floats, judged: NDArray[np.int64], *, seed: int
) -> Measure:
    """Return by how much one predictor's mean absolute error exceeds another's, paired.

    Parameters
    ----------
    errors, other
        As ``errors`` of :func:`mean_absolute_error`, of either.
    judged, seed
        As for :func:`mean_absolute_error`.
    """
    return mean_absolute_error(errors - other, judged, seed=seed)


def determination(
    squares: Floats, truth: Floats, judged: NDArray[np.int64], *, seed: int
) -> Determination:
    """Return R² = 1 − Σe²/Σ(y − ȳ)² with a Bayesian bootstrap's interval over networks.

    Of fewer than ``LEAST_FOR_R2`` networks there is no interval: the variance that R² is a share of
    is then hardly known, and where it may be near 0 an end of the interval lies anywhere.

    Parameters
    ----------
    squares
        Mean squared error of each network's predictions, shape (n,).
    truth
        What was predicted, shape (n,), not all the same.
    judged, seed
        As for :func:`mean_absolute_error`.
    """
    seen = judged > 0
    e2, y, counts = squares[seen], truth[seen], judged[seen].astype(float)
    value = float(_r2(counts[None], e2, y)[0])
    if len(y) < LEAST_FOR_R2:
        return Determination(value, None, None)
    found = _measure(value, _r2(_weights(len(y), seed) * counts, e2, y))
    return Determination(value, found.low, found.high)


def spread(values: Sequence[float]) -> Measure:
    """Return the mean of repeated measurements and the range of the middle 95% of them."""
    found = np.asarray(values, dtype=float)
    return _measure(float(found.mean()), found)


def _r2(weights: Floats, squares: Floats, truth: Floats) -> Floats:
    shares = weights / weights.sum(axis=1, keepdims=True)
    centred = truth[None] - (shares @ truth)[:, None]
    return np.asarray(1 - (shares @ squares) / (shares * centred**2).sum(axis=1))


def _shares(
    counts: Sequence[Floats], judged: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> tuple[int, list[float]]:
    """Return how many of the chosen networks were judged, and counts as shares of judgements."""
    seen = chosen & (judged > 0)
    total = judged[seen].sum()
    return int(seen.sum()), [float(count[seen].sum() / total) for count in counts]


def _weights(count: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_exponential((DRAWS, count))


def _measure(value: float, drawn: Floats) -> Measure:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Measure(value, float(low), float(high))
