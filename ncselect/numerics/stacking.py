"""Scores and earlier results of networks, put together to predict accuracies not yet seen.

On every dataset the accuracies after fine-tuning and each score are standardised over networks;
all of them are one Gaussian process (``ncselect.numerics.coregionalisation``), so whatever is
known of a pool, little or much, gives the joint distribution of its accuracies by conditioning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.coregionalisation import FREE_SHIFT, Cells, Normal, conditioned
from ncselect.numerics.score_weights import ACCURACY, HEAD, ScoreWeights, logit, on_scale
from ncselect.numerics.standardised import standardised
from zoo.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """What is known of networks from other datasets, as numbers.

    Attributes
    ----------
    families
        Family of each network, shape (networks,).
    images
        Training images of each dataset, nan where unknown; shape (datasets,).
    values
        Accuracies and scores in their own units, shape (K, networks, datasets), nan where
        unknown.
    reference
        Number of leading datasets from which the weights were learned. On the others, and in the
        pool, fewer or other networks are known: their mean and spread are taken to be what the
        reference lets expect of these networks.
    """

    families: Integers
    images: Floats
    values: Floats
    reference: int


@dataclass(frozen=True)
class Stacked:
    """A predictive distribution of a pool's final accuracies, in parts.

    The logit of candidate i's accuracy is location + exp(log_scale) · zᵢ.

    Attributes
    ----------
    mean, covariance
        Of z, normal: what sets the candidates apart; shapes (n,) and (n, n). The mean of the means
        is 0, and so is every row's sum of covariances; the expected variance of z over the pool
        is 1.
    location, location_sd
        Mean of the pool's logit accuracies, normal.
    log_scale, log_scale_sd
        ln of their standard deviation over the pool, normal.
    """

    mean: Floats
    covariance: Floats
    location: float
    location_sd: float
    log_scale: float
    log_scale_sd: float

    @property
    def sd(self) -> Floats:
        """Standard deviations of z, shape (n,)."""
        return np.sqrt(np.diag(self.covariance))

    def draws(self, rng: np.random.Generator, count: int) -> Floats:
        """Return joint draws of the final accuracies, shape (count, n), in [0, 1].

        Parameters
        ----------
        rng
            Source of randomness.
        count
            How many.
        """
        z = rng.multivariate_normal(self.mean, self.covariance, size=count, method="eigh")
        location = rng.normal(self.location, self.location_sd, size=(count, 1))
        scale = np.exp(rng.normal(self.log_scale, self.log_scale_sd, size=(count, 1)))
        return np.asarray(1 / (1 + np.exp(-(location + scale * z))))


def stacked(
    scores: Mapping[str, Floats],
    weights: ScoreWeights,
    known: Known,
    networks: Integers,
    *,
    images: float = math.nan,
) -> Stacked:
    """Predict a pool's final accuracies from its scores and from what is known elsewhere.

    Parameters
    ----------
    scores
        Name → the candidates' scores on this dataset, shape (n,), nan where unknown. Scores
        that the weights do not know are passed over.
    weights
        What was learned.
    known
        What is known of networks, those of the pool included, from other datasets.
    networks
        Row of each candidate in ``known``, shape (n,), each once.
    images
        Training images of this dataset; nan if unknown.

    Returns
    -------
    Stacked
        With nothing known all means are 0.

    Raises
    ------
    InputError
        If a score has not one value per candidate, or a row stands for two candidates.
    """
    pool = np.asarray(networks)
    if len(set(pool.tolist())) < len(pool):
        raise InputError("networks: a row stands for two candidates; give each its own")
    for name, values in scores.items():
        if np.shape(values) != pool.shape:
            raise InputError(
                f"scores: '{name}' has shape {np.shape(values)}; give one value for each of the "
                f"{len(pool)} candidates, nan where unknown"
            )
    expected = _given_all(scores, weights, known, pool, images)
    spread = pool_spread(expected)
    n = len(pool)
    centring = np.eye(n) - 1 / max(n, 1)
    unit = spread if spread > 0 else 1.0
    heads = logit(np.asarray(scores[HEAD], dtype=float)) if HEAD in scores else np.full(n, np.nan)
    if not np.isfinite(heads).all():  # those of some say little of the level of all
        heads = np.full(n, np.nan)
    return Stacked(
        centring @ expected.mean / unit,
        centring @ expected.covariance @ centring / unit**2,
        *_location(weights, heads),
        *_log_scale(weights, heads, spread),
    )


def _given_all(
    scores: Mapping[str, Floats],
    weights: ScoreWeights,
    known: Known,
    pool: Integers,
    images: float,
) -> Normal:
    """Return the distribution of the pool's accuracies in the reference's units.

    The reference is conditioned on first, once for all other places; the values known of these
    are then brought to the mean and spread that it lets expect, and conditioned on in turn.
    """
    target = known.values.shape[2]
    raw = np.concatenate([known.values, np.full((*known.values.shape[:2], 1), np.nan)], axis=2)
    for quantity, name in enumerate(weights.quantities):
        if name in scores and name != ACCURACY:
            raw[quantity, pool, target] = scores[name]
        raw[quantity] = standardised(on_scale(name, raw[quantity]))
    reference = raw.copy()
    reference[:, :, known.reference :] = np.nan
    told = np.isfinite(raw)
    told[:, :, : known.reference] = False
    accuracy = weights.quantities.index(ACCURACY)
    others, wanted = Cells.where(told), Cells.of(accuracy, pool, target)
    sizes = np.append(known.images, images)
    likely = conditioned(
        weights.process, known.families, sizes, reference, others.followed_by(wanted)
    )
    n_told = len(others.quantity)
    values = np.empty(n_told)
    shifts = np.zeros((n_told, n_told))
    for quantity, dataset in dict.fromkeys(
        zip(others.quantity.tolist(), others.dataset.tolist(), strict=True)
    ):
        chosen = np.flatnonzero((others.quantity == quantity) & (others.dataset == dataset))
        expected = likely.part(chosen)
        column = raw[quantity, others.network[chosen], dataset]
        values[chosen] = expected.mean.mean() + column * pool_spread(expected)
        shifts[np.ix_(chosen, chosen)] = FREE_SHIFT
    given = likely.given(values, shifts)
    return Normal(given.mean, given.covariance * weights.inflation**2)


def pool_spread(expected: Normal) -> float:
    """Return the root of the expected variance over a pool, E[mean over i of (yᵢ − ȳ)²]."""
    n = len(expected.mean)
    if n < 2:
        return 0.0
    chance = float(np.trace(expected.covariance) - expected.covariance.sum() / n) / n
    return math.sqrt(float(np.var(expected.mean)) + max(chance, 0.0))


def _location(weights: ScoreWeights, heads: Floats) -> tuple[float, float]:
    with_head, without = weights.location
    known = heads[np.isfinite(heads)]
    return with_head.at(float(known.mean())) if known.size else without.at(0.0)


def _log_scale(weights: ScoreWeights, heads: Floats, spread: float) -> tuple[float, float]:
    """Return ln of the pool's spread of logit accuracies, and its sd."""
    with_heads, without = weights.scale
    known = heads[np.isfinite(heads)]
    if known.size > 2 and known.std() > 0:
        return with_heads.at(math.log(float(known.std())))
    mean, sd = without.at(0.0)  # of the reference, in whose units ``spread`` is
    return mean + math.log(spread if spread > 0 else 1.0), sd
