"""How well a predictive distribution of an accuracy fits what came: its CRPS and its intervals.

Accuracies lie in [0, 1]. A normal distribution is read as clipped: what it gives to values below 0
or above 1 is counted at 0 or 1, as in draws that are clipped.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def normal_crps(truth: Floats, mean: Floats, sd: Floats) -> Floats:
    """Continuous ranked probability score of normal distributions clipped to [0, 1].

    CRPS = ∫ (F(x) − 1{x ≥ y})² dx; in units of the accuracy, the lower the better; of a point it
    is the absolute error.

    Parameters
    ----------
    truth
        What came, y, shape (n,), in [0, 1].
    mean, sd
        Of the normal distributions before clipping, shape (n,), sd ≥ 0; nan gives nan.

    Returns
    -------
    ndarray
        Shape (n,), at least 0.

    References
    ----------
    Gneiting and Raftery, Strictly proper scoring rules, prediction, and estimation, JASA 102
    (2007), equation 21, less its integral outside [0, 1], where the clipped F errs nowhere.

    Examples
    --------
    >>> normal_crps(np.array([0.6]), np.array([0.5]), np.array([0.0])).round(6).tolist()
    [0.1]
    """
    from scipy.special import ndtr

    spread = np.where(sd > 0, sd, 1.0)
    z = (truth - mean) / spread
    whole = z * (2 * ndtr(z) - 1) + 2 * _density(z) - 1 / math.sqrt(math.pi)  # equation 21
    outside = _tail(-mean / spread) + _tail((mean - 1) / spread)
    return np.where(sd == 0, np.abs(truth - mean), np.asarray(spread * (whole - outside)) + 0 * sd)


def sample_crps(truth: Floats, draws: Floats) -> Floats:
    """Continuous ranked probability score of the distributions that draws stand for.

    Parameters
    ----------
    truth
        What came, shape (n,).
    draws
        Shape (draws, n); each column's empirical distribution is scored.

    Returns
    -------
    ndarray
        E|X − y| − E|X − X′|/2, shape (n,), at least 0 but for rounding.

    References
    ----------
    Gneiting and Raftery (2007), equation 20; the second term by the order statistics.
    """
    count = len(draws)
    weights = (2 * np.arange(1, count + 1) - count - 1) / count**2
    return np.asarray(np.abs(draws - truth).mean(axis=0) - weights @ np.sort(draws, axis=0))


def normal_covered(truth: Floats, mean: Floats, sd: Floats, level: float) -> Booleans:
    """Tell whether the central interval of each normal distribution holds what came.

    Parameters
    ----------
    truth, mean, sd
        Shape (n,).
    level
        Probability of the interval, in (0, 1).
    """
    return np.asarray(np.abs(truth - mean) <= NormalDist().inv_cdf((1 + level) / 2) * sd)


def sample_covered(truth: Floats, draws: Floats, level: float) -> Booleans:
    """Tell whether the central interval of each column of draws holds what came.

    Parameters
    ----------
    truth
        Shape (n,).
    draws
        Shape (draws, n).
    level
        Probability of the interval, in (0, 1); its ends are quantiles of the draws.
    """
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.asarray((low <= truth) & (truth <= high))


def _tail(a: Floats) -> Floats:
    """Return ∫ Φ² from −∞ to a, for the standard normal."""
    from scipy.special import ndtr

    below = ndtr(a)
    integral = a * below**2 + 2 * _density(a) * below - ndtr(math.sqrt(2) * a) / math.sqrt(math.pi)
    return np.asarray(np.maximum(integral, 0.0))


def _density(z: Floats) -> Floats:
    return np.asarray(np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))
