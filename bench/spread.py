"""Medians and rank correlations with bootstrap intervals, as the numerical notes print them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def spread(values, *, resamples: int = 10_000) -> dict[str, float | int | list[float]]:
    """Return the median of repeats, its 95% bootstrap interval and their number.

    Parameters
    ----------
    values
        One number per independent repeat, shape (n,); those that are not finite count as they
        are, so that a pole is not dropped.
    """
    found = np.asarray(values, dtype=float)
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(found), (resamples, len(found)))
    medians = np.median(found[draws], axis=1)
    bounds = np.quantile(medians, [0.025, 0.975], method="nearest")
    return {
        "median": rounded(np.median(found)),
        "interval_95": [rounded(bound) for bound in bounds],
        "n": len(found),
    }


def rounded(value, digits_kept: int = 3):
    """Return a number with so many significant digits; None if there is none."""
    number = float(value)
    return float(f"{number:.{digits_kept}g}") if np.isfinite(number) else None


def resampled_rho(one: Array, other: Array, *, resamples: int = 2000) -> dict[str, object]:
    """Return a rank correlation with its interval over resampled models."""
    chosen = np.random.default_rng(0).integers(0, len(one), (resamples, len(one)))
    draws = rho(one[chosen], other[chosen])
    return {
        "rho": rounded(rho(one, other)),
        "interval_95": [rounded(q) for q in np.nanquantile(draws, [0.025, 0.975])],
        "n": len(one),
    }


def rho(one: Array, other: Array) -> Array:
    """Return Spearman's rank correlation along the last axis, nan where one is constant."""
    from scipy.stats import rankdata

    first, second = (
        rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2 for values in (one, other)
    )
    scale = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    return np.asarray((first * second).sum(axis=-1) / np.where(scale > 0, scale, np.nan))
