"""ρ over several repeats of a pool, with bootstrap intervals over models and repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.agreement import Interval, bootstrap_counts
from ncselect.numerics.rank_agreement import spearman_rho

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Resamples:
    """How often each model and each repeat is drawn; the first row is the pool itself.

    Attributes
    ----------
    models
        Shape (1 + resamples, n).
    repeats
        Shape (1 + resamples, R).
    """

    models: Counts
    repeats: Counts

    @classmethod
    def drawn(cls, models: int, repeats: int, *, seed: int = 0) -> Resamples:
        """Draw models, and apart from them repeats, with replacement.

        The same numbers of models and repeats have the same resamples, so that differences
        between methods, lengths and starts are paired.
        """
        rng = np.random.default_rng([seed, models, repeats])
        counts = [
            np.vstack([np.ones((1, n), dtype=np.int64), bootstrap_counts(n, RESAMPLES, rng)])
            for n in (models, repeats)
        ]
        return cls(*counts)


def mean_rhos(truth: Floats, score: Floats, resamples: Resamples) -> Floats:
    """Return the mean over repeats of Spearman's ρ, in the pool and in every resample.

    A resample draws models, the same in all repeats, and repeats. In each repeat ρ is that of the
    models with both a truth and a score; repeats where it is not defined are left out.

    Parameters
    ----------
    truth, score
        Final accuracies and what models are ordered by, shape (R, n); nan where there is none.
    resamples
        Of R repeats and n models.

    Returns
    -------
    ndarray
        Shape (1 + resamples,), the pool first; nan where no repeat defines ρ.
    """
    known = np.isfinite(truth) & np.isfinite(score)
    rhos = np.stack(
        [
            spearman_rho(np.where(there, true, 0.0), np.where(there, said, 0.0), counts)
            for there, true, said, counts in (
                (known[r], truth[r], score[r], resamples.models * known[r])
                for r in range(len(truth))
            )
        ],
        axis=1,
    )
    weights = resamples.repeats * np.isfinite(rhos)
    total = weights.sum(axis=1)
    summed = np.where(weights > 0, rhos, 0.0) * weights
    return np.where(total > 0, summed.sum(axis=1) / np.maximum(total, 1), np.nan)


def interval(values: Floats) -> Interval:
    """Return a statistic's value, which comes first, with the percentile interval of the rest."""
    drawn = values[1:]
    defined = drawn[np.isfinite(drawn)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail]) if defined.size else (np.nan, np.nan)
    return Interval(float(values[0]), float(low), float(high), int(drawn.size - defined.size))


def rho(truth: Floats, score: Floats, *, seed: int = 0) -> Interval:
    """Return the mean over repeats of ρ with its interval; see :func:`mean_rhos`."""
    repeats, models = truth.shape
    return interval(mean_rhos(truth, score, Resamples.drawn(models, repeats, seed=seed)))


def gain(truth: Floats, score: Floats, other: Floats, *, seed: int = 0) -> Interval:
    """Return by how much a score's mean ρ is above another's, on the models that have both.

    Parameters
    ----------
    truth, score, other
        Shape (R, n), nan where there is none.
    seed
        Of the resamples, which both share.
    """
    repeats, models = truth.shape
    resamples = Resamples.drawn(models, repeats, seed=seed)
    both = np.where(np.isfinite(score) & np.isfinite(other), truth, np.nan)
    return interval(mean_rhos(both, score, resamples) - mean_rhos(both, other, resamples))


def improvement(ours: float, baselines: Mapping[str, float]) -> tuple[float, str]:
    """Return table 1's "Imprv (%)" and the baseline that it is over.

    100·(ρ_ours / ρ_best − 1) over the best baseline; nan where that ρ is not positive.
    """
    known = {name: value for name, value in baselines.items() if np.isfinite(value)}
    if not known:
        return float("nan"), ""
    best = max(known, key=lambda name: known[name])
    positive = known[best] > 0 and np.isfinite(ours)
    return (100 * (ours / known[best] - 1) if positive else float("nan")), best
