"""How well predictions order a pool whose truth is known: measures weighted by counts.

Each measure takes truth and prediction of n models and a matrix of counts, shape (resamples, n):
how often a model stands in each resample. A measure's value for a row is its plain definition
applied to the pool in which every model is repeated that often; nothing is sorted twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def spearman_rho(truth: Floats, predicted: Floats, counts: Counts) -> Floats:
    """Spearman's rank correlation, ties given their mean rank.

    Parameters
    ----------
    truth, predicted
        Values of n models, shape (n,), finite.
    counts
        Copies of each model, shape (resamples, n).

    Returns
    -------
    ndarray
        ρ in [−1, 1], shape (resamples,); nan where truth or prediction is constant.

    References
    ----------
    Spearman, The proof and measurement of association between two things (1904): Pearson's
    correlation of the ranks.
    """
    weights = counts.astype(float)
    total = weights.sum(axis=1, keepdims=True)
    x, y = _ranks(truth, weights), _ranks(predicted, weights)
    mean = (total + 1) / 2  # that of any ranks 1 … total, ties or not
    x, y = x - mean, y - mean
    covariance = (weights * x * y).sum(axis=1)
    variances = (weights * x**2).sum(axis=1) * (weights * y**2).sum(axis=1)
    return _ratio(covariance, np.sqrt(variances))


def weighted_kendall_tau(truth: Floats, predicted: Floats, counts: Counts) -> Floats:
    """Vigna's weighted Kendall τ with hyperbolic weights: the top of the ranking counts most.

    As ``scipy.stats.weightedtau``: pairs weigh 1/(r + 1) + 1/(s + 1) for ranks r, s from 0 at the
    top; the mean of ranking by truth (ties by prediction) and by prediction (ties by truth).

    Parameters
    ----------
    truth, predicted
        Values of n models, shape (n,), finite.
    counts
        Copies of each model, shape (resamples, n).

    Returns
    -------
    ndarray
        τ in [−1, 1], shape (resamples,); nan where truth or prediction is constant.

    References
    ----------
    Vigna, A weighted correlation index for rankings with ties, WWW 2015, section 4.
    """
    return (_tau_ranked_by(truth, predicted, counts) + _tau_ranked_by(predicted, truth, counts)) / 2


def regret_points(truth: Floats, predicted: Floats, counts: Counts) -> Floats:
    """Points of accuracy lost by taking the model predicted best.

    Where several are predicted best one of them is taken at random, and the expectation counts.

    Parameters
    ----------
    truth, predicted
        Values of n models, shape (n,), finite; the truth in [0, 1].
    counts
        Copies of each model, shape (resamples, n).

    Returns
    -------
    ndarray
        100 × (best accuracy − the pick's), shape (resamples,), at least 0.
    """
    best = np.where(counts > 0, truth, -np.inf).max(axis=1)
    share = _pick_shares(predicted, counts)
    return 100 * np.asarray((share * (best[:, None] - truth)).sum(axis=1))


def top_one_hit(truth: Floats, predicted: Floats, counts: Counts) -> Floats:
    """Probability that the model predicted best is a best one, ties broken at random.

    Parameters
    ----------
    truth, predicted
        Values of n models, shape (n,), finite.
    counts
        Copies of each model, shape (resamples, n).

    Returns
    -------
    ndarray
        In [0, 1], shape (resamples,).
    """
    best = np.where(counts > 0, truth, -np.inf).max(axis=1)
    share = _pick_shares(predicted, counts)
    return np.asarray((share * (truth == best[:, None])).sum(axis=1))


def top_three_hit(truth: Floats, predicted: Floats, counts: Counts) -> Floats:
    """Probability that the three predicted best hold a best model, ties broken at random.

    Parameters
    ----------
    truth, predicted
        Values of n models, shape (n,), finite.
    counts
        Copies of each model, shape (resamples, n).

    Returns
    -------
    ndarray
        In [0, 1], shape (resamples,); 1 in pools of three and fewer.
    """
    taken = np.minimum(3, counts.sum(axis=1))
    order = np.argsort(-predicted)
    third = (np.cumsum(counts[:, order], axis=1) >= taken[:, None]).argmax(axis=1)
    threshold = predicted[order][third][:, None]
    best = truth == np.where(counts > 0, truth, -np.inf).max(axis=1, keepdims=True)
    above, level = counts * (predicted > threshold), counts * (predicted == threshold)
    places = taken - above.sum(axis=1)  # left for those at the threshold, drawn from among them
    tied, tied_best = level.sum(axis=1), (level * best).sum(axis=1)
    missed = np.where((above * best).any(axis=1), 0.0, 1.0)
    for turn in range(3):  # without replacement: the probability that every turn misses
        left = np.maximum(tied - turn, 1)
        share = np.clip((tied - tied_best - turn) / left, 0.0, 1.0)
        missed *= np.where(turn < places, share, 1.0)
    return np.asarray(1.0 - missed)


def better_half(truth: Floats, counts: Counts) -> Counts:
    """Return the counts of the better half by truth, half a model rounded up.

    Parameters
    ----------
    truth
        Values of n models, shape (n,); of models with the same truth the first counts as better.
    counts
        Copies of each model, shape (resamples, n).

    Returns
    -------
    ndarray
        Shape (resamples, n); each row's sum is half of what it was, rounded up.
    """
    half = (counts.sum(axis=1, keepdims=True) + 1) // 2
    order = np.argsort(-truth, kind="stable")
    ordered = counts[:, order]
    before = np.cumsum(ordered, axis=1) - ordered
    kept = np.empty_like(counts)
    kept[:, order] = np.clip(half - before, 0, ordered)
    return kept


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Return the mean rank, from 1, of each model's copies, shape (resamples, n)."""
    below = (values[:, None] < values[None, :]).astype(float)
    level = (values[:, None] == values[None, :]).astype(float)
    return np.asarray(weights @ (below + level / 2) + 0.5)


def _tau_ranked_by(first: Floats, second: Floats, counts: Counts) -> Floats:
    n_rows, n = counts.shape
    order = np.lexsort((second, first))[::-1]  # decreasing by first, ties by second
    sorted_counts = counts[:, order]
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, counts.sum(axis=1).max() + 1))])
    ends = np.cumsum(sorted_counts, axis=1)
    weight = np.empty((n_rows, n))  # of all copies of a model: Σ 1/(rank + 1)
    weight[:, order] = harmonic[ends] - harmonic[ends - sorted_counts]

    x = np.sign(first[:, None] - first[None, :])
    y = np.sign(second[:, None] - second[None, :])
    copies = counts.astype(float)

    def pairs(signs: Floats) -> Floats:
        """Σ over pairs of sign · (weight of one + weight of the other)."""
        return np.asarray((weight * (copies @ signs)).sum(axis=1))

    return _ratio(pairs(x * y), np.sqrt(pairs(x * x) * pairs(y * y)))


def _pick_shares(predicted: Floats, counts: Counts) -> Floats:
    """Return the probability with which each model is picked, shape (resamples, n)."""
    offered = np.where(counts > 0, predicted, -np.inf)
    picked = counts * (offered == offered.max(axis=1, keepdims=True))
    return np.asarray(picked / picked.sum(axis=1, keepdims=True))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    defined = denominator > 0
    ratio = numerator / np.where(defined, denominator, 1.0)
    return np.where(defined, np.clip(ratio, -1.0, 1.0), np.nan)
