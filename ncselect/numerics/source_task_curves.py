"""Extrapolation of a curve by stretching earlier, finished curves onto it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AffineFits:
    """The maps a·f_p + b that bring earlier curves f_p onto a curve.

    Attributes
    ----------
    slope, intercept
        a and b, shape (m,).
    residual
        Mean of (f_c − a·f_p − b)² over the epochs, shape (m,).
    """

    slope: Array
    intercept: Array
    residual: Array


def affine_fits(curve: Array, earlier: Array) -> AffineFits:
    """Map each of m earlier curves onto a curve, the more loosely the longer the curve is.

    Minimises 1/(2n)·Σ(f_c − a·f_p − b)² + ½(1 − a)²·e^−n over a and b. At the minimum
    b = mean f_c − a·mean f_p and a = (cov(f_c, f_p) + e^−n)/(var(f_p) + e^−n).

    Parameters
    ----------
    curve
        f_c, shape (n,), n ≥ 1.
    earlier
        f_p over the same epochs, shape (m, n).

    Returns
    -------
    AffineFits

    Raises
    ------
    InputError
        If the shapes do not fit.

    References
    ----------
    Chandrashekaran and Lane, Speeding up hyper-parameter optimization by extrapolation of
    learning curves using previous builds, ECML PKDD 2017: the objective, there minimised
    numerically.

    Examples
    --------
    >>> import numpy as np
    >>> fits = affine_fits(np.array([0.5, 0.7]), np.array([[0.4, 0.6]]))
    >>> fits.slope.round(6), fits.intercept.round(6)
    (array([1.]), array([0.1]))
    """
    if curve.ndim != 1 or earlier.ndim != 2 or not curve.size or earlier.shape[1:] != curve.shape:
        raise InputError(
            f"curve and earlier have shapes {curve.shape} and {earlier.shape}; give (n,) and (m, n)"
        )
    centred = earlier - earlier.mean(axis=1, keepdims=True)
    covariance = centred @ (curve - curve.mean()) / curve.size
    variance = np.mean(centred**2, axis=1)
    tie = max(np.exp(-curve.size), np.finfo(float).tiny)  # e^−n is 0 in floats from n = 746 on
    slope = (covariance + tie) / (variance + tie)
    intercept = curve.mean() - slope * earlier.mean(axis=1)
    misses = curve - slope[:, None] * earlier - intercept[:, None]
    return AffineFits(slope, intercept, np.mean(misses**2, axis=1))


def source_task_predictions(curve: Array, earlier: Array, final: Array, *, keep: int) -> Array:
    """Predict a curve's final value from each earlier curve that fits it.

    An earlier curve is rejected when its prediction a·f_p[T] + b is below the best value that
    the curve has already shown, or above 1.

    Parameters
    ----------
    curve, earlier
        As for :func:`affine_fits`, in [0, 1].
    final
        f_p[T], shape (m,).
    keep
        How many predictions to keep: those of the lowest residuals.

    Returns
    -------
    ndarray
        Predictions, best fitting first, shape (k,) with k ≤ keep; empty if all are rejected.

    References
    ----------
    As for :func:`affine_fits`.
    """
    fits = affine_fits(curve, earlier)
    predictions = fits.slope * final + fits.intercept
    kept = np.flatnonzero((predictions >= curve.max()) & (predictions <= 1.0))
    order = np.argsort(fits.residual[kept], kind="stable")[:keep]
    return predictions[kept[order]]
