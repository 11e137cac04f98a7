"""The mean of a measure over many pools drawn from the same models, and how sure it is.

Pools that share models are not independent. An interval over resamples of the pools only says how
far the mean would move with other pools of the *same* models, and shrinks to nothing as pools are
added. The interval over models says how far it would move with other models.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.agreement import NAN, Interval

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class PoolInterval(Interval):
    """A mean over pools with two intervals; ``dropped`` counts pools.

    Attributes
    ----------
    value
        Mean over the pools in which the measure is defined.
    low, high
        Percentile interval over resamples of the pools: chance in which pools were drawn.
    dropped
        Pools in which the measure is not defined.
    low_models, high_models
        Interval by the infinitesimal jackknife over architectures, all runs of one taken together:
        chance in which architectures there were, and in which pools were drawn.
    """

    low_models: float
    high_models: float

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval over models: the wider and honest one."""
        return self.low_models, self.high_models


@dataclass(frozen=True)
class PoolDesign:
    """Which pools were drawn, and the resamples of them that all measures share.

    Attributes
    ----------
    members
        Models of each architecture in each pool, shape (pools, architectures).
    sizes
        Models of each architecture that pools are drawn from, shape (architectures,).
    counts
        Copies of each pool in each resample, shape (resamples, pools).
    level
        Coverage that the intervals aim at.
    """

    members: Counts
    sizes: Counts
    counts: Counts
    level: float

    def interval(self, values: Floats) -> PoolInterval:
        """Return the mean of a measure over pools with its intervals.

        Parameters
        ----------
        values
            Of each pool, shape (pools,), nan where it is not defined.
        """
        defined = np.isfinite(values)
        dropped = int((~defined).sum())
        if not defined.any():
            return PoolInterval(NAN, NAN, NAN, dropped, NAN, NAN)
        found = values[defined]
        value = float(found.mean())
        present = self.counts @ defined
        means = (self.counts @ np.where(defined, values, 0.0))[present > 0] / present[present > 0]
        tail = (1 - self.level) / 2
        low, high = (float(edge) for edge in np.quantile(means, [tail, 1 - tail]))
        half = NormalDist().inv_cdf(1 - tail) * np.sqrt(
            models_variance(found, self.members[defined], self.sizes)
        )
        return PoolInterval(value, low, high, dropped, float(value - half), float(value + half))


def models_variance(values: Floats, members: Counts, sizes: Counts) -> float:
    """Variance of a mean over pools if architectures, and then pools, were drawn anew.

    The mean over random subsets of s of n models is an incomplete U-statistic. Its variance is that
    of its projection on the models plus that of a mean over so many pools. The projection on an
    architecture is the covariance of a pool's value with the number of its models in the pool.

    Parameters
    ----------
    values
        Of each pool, shape (pools,), two pools or more.
    members
        Models of each architecture in each pool, shape (pools, architectures), rows of sum s.
    sizes
        Models of each architecture, shape (architectures,), of sum n > s.

    Returns
    -------
    float
        At least the variance of a mean over independent pools; nan for fewer than two
        architectures or pools, or if every pool is the whole.

    References
    ----------
    Mentch and Hooker, Quantifying uncertainty in random forests via confidence intervals and
    hypothesis tests, JMLR 17 (2016), theorem 1: the two parts. Wager, Hastie and Efron, Confidence
    intervals for random forests, JMLR 15 (2014), equations 5 and 7: the infinitesimal jackknife
    and the correction for the chance in the covariances. Architectures as clusters: deviations are
    summed within them, as in a cluster-robust variance. The factor (n − 1)/(n − s) is that of
    drawing without replacement: it makes the mean of a plain average's values exact.
    """
    pools, groups = members.shape
    n, s = int(sizes.sum()), int(members[0].sum()) if pools else 0
    if groups < 2 or pools < 2 or s >= n:
        return float("nan")
    products = (members - s * sizes / n) * (values - values.mean())[:, None]
    squares = (products.mean(axis=0) ** 2).sum() - (products.var(axis=0, ddof=1) / pools).sum()
    projection = groups / (groups - 1) * ((n - 1) / (n - s)) ** 2 * max(float(squares), 0.0)
    return float(projection + values.var(ddof=1) / pools)
