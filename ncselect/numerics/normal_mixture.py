"""Mixtures of normals, one per row: densities, quantiles, and what normal messages make of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NormalMixture:
    """n mixtures of k normals each.

    Attributes
    ----------
    weights, means, sds
        Shape (n, k); weights sum to 1 over k, standard deviations are positive.
    """

    weights: Array
    means: Array
    sds: Array

    @property
    def mean(self) -> Array:
        """Means, shape (n,)."""
        return np.asarray((self.weights * self.means).sum(axis=1))

    @property
    def variance(self) -> Array:
        """Variances, shape (n,)."""
        squares = (self.weights * (self.sds**2 + self.means**2)).sum(axis=1)
        return np.asarray(squares - self.mean**2)

    def log_density(self, values: Array) -> Array:
        """Return the log density of a value each, shape (n,)."""
        from scipy.special import logsumexp

        squares = ((values[:, None] - self.means) / self.sds) ** 2
        heights = np.log(self.weights + 1e-300) - np.log(self.sds) - 0.5 * squares
        return np.asarray(logsumexp(heights, axis=1) - 0.5 * np.log(2 * np.pi))

    def chance_below(self, values: Array) -> Array:
        """Return the probability of less than values (n, q), shape (n, q)."""
        from scipy.special import ndtr

        total = np.zeros(values.shape)
        for weight, mean, sd in zip(self.weights.T, self.means.T, self.sds.T, strict=True):
            total += weight[:, None] * ndtr((values - mean[:, None]) / sd[:, None])
        return total

    def quantiles(self, chances: Array) -> Array:
        """Return quantiles for chances (q,), each in (1e-14, 1 − 1e-14), by bisection, (n, q)."""
        low = np.repeat((self.means - 8 * self.sds).min(axis=1)[:, None], len(chances), axis=1)
        high = np.repeat((self.means + 8 * self.sds).max(axis=1)[:, None], len(chances), axis=1)
        for _ in range(40):
            middle = (low + high) / 2
            left = self.chance_below(middle) < chances
            low, high = np.where(left, middle, low), np.where(left, high, middle)
        return np.asarray((low + high) / 2)
