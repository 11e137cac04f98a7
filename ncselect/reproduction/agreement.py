"""ρ over several repeats of a pool, with bootstrap intervals over models and repeats.

One rule for all intervals here: where every resample has the same value there is none. With a
single model, repeat or point, or an order that no resample of the pool can break (ρ = ±1),
resampling has nothing to vary, and no width would look like certainty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.agreement import Interval, bootstrap_counts
from ncselect.numerics.rank_agreement import spearman_rho

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

RESAMPLES = 2000
LEVEL = 0.95
ROUNDING = 1e-12  # relative; sums in another order differ by less


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
    """Return a statistic's value, which comes first, with the percentile interval of the rest.

    Returns
    -------
    Interval
        Its ends are nan where the resamples do not differ, by more than rounding.
    """
    drawn = values[1:]
    defined = drawn[np.isfinite(drawn)]
    dropped = int(drawn.size - defined.size)
    if not defined.size or np.ptp(defined) <= ROUNDING * np.abs(defined).max():
        return Interval(float(values[0]), np.nan, np.nan, dropped)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(float(values[0]), float(low), float(high), dropped)


def counted(truth: Floats, score: Floats) -> tuple[float, int]:
    """Return what ρ is of: models, the mean over the repeats that count, and those repeats.

    Models count with a truth and a score, repeats with two such models or more.
    """
    each = (np.isfinite(truth) & np.isfinite(score)).sum(axis=1)
    counts = each[each >= 2]
    return (float(counts.mean()) if counts.size else 0.0), int(counts.size)


def rho(truth: Floats, score: Floats, *, seed: int = 0) -> Interval:
    """Return the mean over repeats of ρ with its interval; see :func:`mean_rhos`.

    Models and repeats that have nothing to count are not among those resampled.
    """
    (drawn,) = _paired(truth, [score], seed=seed)
    return interval(drawn)


def gain(truth: Floats, score: Floats, other: Floats, *, seed: int = 0) -> Interval:
    """Return by how much a score's mean ρ is above another's, on the models that have both.

    Parameters
    ----------
    truth, score, other
        Shape (R, n), nan where there is none.
    seed
        Of the resamples, which both share.
    """
    ours, others = _paired(truth, [score, other], seed=seed)
    return interval(ours - others)


def improvement(
    truth: Floats, score: Floats, baselines: Mapping[str, Floats], *, seed: int = 0
) -> tuple[Interval, str]:
    """Return table 1's "Imprv (%)", and the baseline that it is over.

    100·(ρ_ours / ρ_best − 1) over the baseline with the highest ρ on the models that all of them
    order; nan where that ρ is not positive. Resamples keep the baseline.

    Parameters
    ----------
    truth, score
        Shape (R, n), nan where there is none.
    baselines
        Name → score, of the same shape; those without any are left out.
    seed
        Of the resamples, which all share.
    """
    said = {name: one for name, one in baselines.items() if np.isfinite(one).any()}
    ours, *others = _paired(truth, [score, *said.values()], seed=seed)
    known = {name: one for name, one in zip(said, others, strict=True) if np.isfinite(one[0])}
    if not known:
        return Interval(np.nan, np.nan, np.nan, 0), ""
    best = max(known, key=lambda name: known[name][0])
    over = np.where(known[best] > 0, known[best], np.nan)
    return interval(100 * (ours / over - 1)), best


def _paired(truth: Floats, scores: Sequence[Floats], *, seed: int) -> list[Floats]:
    """Return the mean ρ of every score on what all of them order, in the same resamples."""
    known = np.isfinite(truth)
    for score in scores:
        known = known & np.isfinite(score)
    if not known.any():
        return [np.full(1 + RESAMPLES, np.nan) for _ in scores]
    kept = np.ix_(known.any(axis=1), known.any(axis=0))
    true = np.where(known, truth, np.nan)[kept]
    repeats, models = true.shape
    resamples = Resamples.drawn(models, repeats, seed=seed)
    return [mean_rhos(true, score[kept], resamples) for score in scores]
