"""What values on different scales have in common: standardised within columns, then shrunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError

Floats = NDArray[np.float64]


def standardised(values: Floats) -> Floats:
    """Bring every column to mean 0 and standard deviation 1 over its known values.

    Parameters
    ----------
    values
        Shape (n, columns), or (n,) for one column; nan where unknown.

    Returns
    -------
    ndarray
        The same shape, nan where unknown. A column of fewer than two different values tells
        nothing apart and is nan throughout.

    Examples
    --------
    >>> standardised(np.array([1.0, 3.0, np.nan])).tolist()
    [-1.0, 1.0, nan]
    """
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=0) / count
    centred = np.where(known, values - mean, 0.0)
    sd = np.sqrt((centred**2).sum(axis=0) / count)
    size = np.where(known, np.abs(values), 0.0).max(axis=0, initial=0.0)
    apart = sd > 1e-12 * np.maximum(size, 1e-300)  # not the rounding error of equal values
    return np.where(known & apart, centred / np.where(apart, sd, 1.0), np.nan)


@dataclass(frozen=True)
class ShrunkenMeans:
    """Row means drawn towards 0, the more the less is known of a row.

    Attributes
    ----------
    mean, sd
        Posterior mean and standard deviation of each row's true mean, shape (n,).
    known
        Number of known values of each row, shape (n,).
    between, within
        Variance of the true means about 0, and of the values about them.
    """

    mean: Floats
    sd: Floats
    known: NDArray[np.int64]
    between: float
    within: float


def shrunken_means(values: Floats) -> ShrunkenMeans:
    """Estimate the mean of every row by one-way random effects, the variances from all rows.

    A value is its row's true mean plus chance, xᵢⱼ = μᵢ + εᵢⱼ, with μᵢ ~ N(0, τ²) and εᵢⱼ ~
    N(0, σ²). Then E[μᵢ | x] = τ²/(τ² + σ²/nᵢ) · x̄ᵢ. The variances are the analysis-of-variance
    estimates for unequal numbers nᵢ; τ² is 0 where that of the means does not exceed chance.

    Parameters
    ----------
    values
        Rows of values whose overall mean is 0, such as standardised columns; shape (n, columns),
        nan where unknown.

    Returns
    -------
    ShrunkenMeans
        Rows of which nothing is known have mean 0 and sd τ.

    Raises
    ------
    InputError
        If fewer than two rows have a value or no row has two: the variances are unknown.

    References
    ----------
    Searle, Casella and McCulloch, Variance components (1992), sections 3.6 (estimates) and 3.4
    (best linear unbiased prediction); Efron and Morris, JASA 70 (1975).

    Examples
    --------
    >>> shrunken_means(np.array([[1.0, 1.0], [-1.0, -1.0]])).mean.tolist()
    [1.0, -1.0]
    """
    known = np.isfinite(values)
    each = known.sum(axis=1)
    rows, total = int((each > 0).sum()), int(each.sum())
    if rows < 2 or total <= rows:
        raise InputError(
            f"values: {total} are known in {rows} rows; give two rows or more, and two values or "
            "more of at least one of them"
        )
    filled = np.where(known, values, 0.0)
    means = filled.sum(axis=1) / np.maximum(each, 1)
    residuals = np.where(known, values - means[:, None], 0.0)
    within = float((residuals**2).sum() / (total - rows))  # mean square within, Searle eq. 3.12
    overall = filled.sum() / total
    among = float((each * (means - overall) ** 2).sum() / (rows - 1))  # mean square between
    typical = (total - (each**2).sum() / total) / (rows - 1)  # n₀: their number where all agree
    between = max(0.0, (among - within) / typical)
    if between == 0.0:
        zero = np.zeros(len(values))
        return ShrunkenMeans(zero, zero.copy(), each, between, within)
    share = each * between / (each * between + within) if within > 0 else (each > 0) * 1.0
    return ShrunkenMeans(share * means, np.sqrt(between * (1 - share)), each, between, within)
