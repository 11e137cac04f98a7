"""Whether probabilities of being the best come true as often as they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

BINS = 10
"""Bins of equal width, in which said and observed frequencies are compared."""


def resampled_p_best(draws: Floats, counts: Counts, rng: np.random.Generator) -> Floats:
    """Return the probability that each model's copy is the best of a resample.

    Parameters
    ----------
    draws
        Joint draws of the final accuracies, shape (draws, n).
    counts
        Copies of each model, shape (resamples, n).
    rng
        Breaks the ties between models in a draw.

    Returns
    -------
    ndarray
        Shape (resamples, n); copies of a model share its probability equally, and the sum of
        probability × copies is 1. A model without copies has 0.
    """
    n_draws, n = draws.shape
    order = np.lexsort((rng.random(draws.shape), -draws), axis=1)
    wins = np.empty(counts.shape)
    block = max(1, 4_000_000 // draws.size)
    for start in range(0, len(counts), block):
        present = counts[start : start + block] > 0
        first = present[:, order].argmax(axis=2)  # place of the best that is there
        winner = order[np.arange(n_draws), first]
        cell = winner + n * np.arange(len(winner))[:, None]
        won = np.bincount(cell.ravel(), minlength=present.size).reshape(present.shape)
        wins[start : start + block] = won / n_draws
    return wins / np.maximum(counts, 1)


def best_shares(truth: Floats, counts: Counts) -> Floats:
    """Return what the probabilities of being the best should have been.

    Parameters
    ----------
    truth
        Final accuracies, shape (n,).
    counts
        Copies of each model, shape (resamples, n).

    Returns
    -------
    ndarray
        1 for the best of each resample, shared equally by all copies of all that are best; 0 for
        the others; shape (resamples, n).
    """
    best = np.where(counts > 0, truth, -np.inf).max(axis=1, keepdims=True)
    at_best = (truth == best) & (counts > 0)
    return np.asarray(at_best / (at_best * counts).sum(axis=1, keepdims=True))


def brier_score(said: Floats, came: Floats, counts: Counts) -> Floats:
    """Mean squared difference of probability and outcome over the candidates.

    Parameters
    ----------
    said, came
        Probability and outcome of each model's copies, shape (resamples, n).
    counts
        Copies of each model, shape (resamples, n).

    Returns
    -------
    ndarray
        In [0, 1], shape (resamples,); 0 is best.

    References
    ----------
    Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78
    (1950), per candidate rather than summed over them.
    """
    return np.asarray((counts * (said - came) ** 2).sum(axis=1) / counts.sum(axis=1))


def calibration_sums(said: Floats, came: Floats, counts: Counts) -> Floats:
    """Return, per bin of the probability said, Σ counts · (said − came).

    Parameters
    ----------
    said, came
        Probability and outcome of each model's copies, shape (resamples, n).
    counts
        Copies of each model, shape (resamples, n).

    Returns
    -------
    ndarray
        Shape (resamples, ``BINS``). Sums of several pools add up to those of all their candidates.
    """
    where = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    gaps = counts * (said - came)
    return np.stack([(gaps * (where == one)).sum(axis=1) for one in range(BINS)], axis=1)


def calibration_error(sums: Floats, candidates: Floats) -> Floats:
    """Return the expected calibration error: mean |frequency said − observed| over candidates.

    Parameters
    ----------
    sums
        From :func:`calibration_sums`, shape (…, ``BINS``).
    candidates
        How many candidates they are over, shape (…).

    Returns
    -------
    ndarray
        In [0, 1], shape (…).

    References
    ----------
    Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning,
    AAAI 2015, equation 3: each bin weighs as much as it has candidates, which cancels in
    n_b / N · |Σ (said − came) / n_b|.
    """
    return np.asarray(np.abs(sums).sum(axis=-1) / candidates)
