"""Figures over targets, seeds and models, with bootstrap intervals: paired and hierarchical.

A resample draws the models with replacement, the same in every pool that has them (the pools share
their models, so their luck is shared, too), then the seeds of each target; and, for the second
interval, the targets; those of one dataset, such as two sizes of it, are drawn together. Both share
all draws. With few targets the second interval is itself a
rough figure: of three targets there are ten different resamples.

References: Efron, Annals of Statistics 7 (1979); Owen, The pigeonhole bootstrap, Annals of Applied
Statistics 1 (2007), for factors that are crossed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.ablation.stored import Pool
from ncselect.numerics.agreement import bootstrap_counts
from ncselect.numerics.rank_agreement import regret_points, spearman_rho

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Document = dict[str, object]
"""A part of the report: JSON values."""

LEVEL = 0.95
MEASURES = ("rho", "regret_points", "mae_points", "bias_points")


@dataclass(frozen=True)
class Said:
    """What a way of predicting says of a pool, once or in several variants that are averaged.

    Attributes
    ----------
    scores
        What the models are ordered by, shape (variants, n); nan where it was refused.
    means
        Predicted accuracies, the same shape; nan where only an order is given.
    """

    scores: Floats
    means: Floats

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which models are scored in every variant, shape (n,)."""
        return np.asarray(np.isfinite(self.scores).all(axis=0))


class Plan:
    """Which models, seeds and targets each resample holds; row 0 is what was observed."""

    def __init__(self, pools: Sequence[Pool], *, resamples: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        models = list(dict.fromkeys(name for pool in pools for name in pool.models))
        drawn = bootstrap_counts(len(models), resamples, rng)
        everything = np.vstack([np.ones((1, len(models)), dtype=np.int64), drawn])
        self._column = {name: place for place, name in enumerate(models)}
        self._models = everything
        targets = list(dict.fromkeys(pool.target for pool in pools))
        datasets = list(dict.fromkeys(pool.dataset for pool in pools))
        drawn_datasets = _weights(len(datasets), resamples, rng).T
        self._targets = {
            pool.target: drawn_datasets[datasets.index(pool.dataset)] for pool in pools
        }
        self._seeds: dict[tuple[str, int], Floats] = {}
        for target in targets:
            seeds = list(dict.fromkeys(pool.seed for pool in pools if pool.target == target))
            weights = _weights(len(seeds), resamples, rng)
            self._seeds |= {(target, seed): weights[:, place] for place, seed in enumerate(seeds)}

    def counts(self, pool: Pool) -> Counts:
        """Return how often each of a pool's models is drawn, shape (1 + resamples, n)."""
        return self._models[:, [self._column[name] for name in pool.models]]

    def interval(self, values: Mapping[Pool, Floats], digits: int = 3) -> list[float | None]:
        """Return a mean over pools and its two intervals.

        Parameters
        ----------
        values
            Pool → a figure in every resample, shape (1 + resamples,). Seeds of a target are
            averaged first, then targets.
        digits
            Kept of them.

        Returns
        -------
        list
            Value; low and high with the targets as they are; low and high with targets resampled.
            None where a figure is not defined.
        """
        if not values:
            return [None] * 5
        by_target: dict[str, list[tuple[int, Floats]]] = {}
        for pool, one in values.items():
            by_target.setdefault(pool.target, []).append((pool.seed, one))
        means = np.array(
            [
                _mean(
                    np.array([one for _, one in of_target]),
                    np.array([self._seeds[target, seed] for seed, _ in of_target]),
                )
                for target, of_target in by_target.items()
            ]
        )
        fixed = _mean(means, np.ones_like(means))
        resampled = _mean(means, np.array([self._targets[target] for target in by_target]))
        return [
            number(edge, digits) for edge in (fixed[0], *_edges(fixed[1:]), *_edges(resampled[1:]))
        ]


class Figures:
    """The measures of what was said of some pools, in every resample, each worked out once."""

    def __init__(self, pools: Sequence[Pool], plan: Plan) -> None:
        self.pools, self.plan = tuple(pools), plan
        self._said: dict[tuple[Pool, str], Said] = {}
        self._known: dict[tuple[Pool, str], dict[tuple[str, bytes], Floats]] = {}

    def add(self, pool: Pool, label: str, said: Said) -> None:
        """Keep what was said of a pool under a label, if it was said of two models or more."""
        if said.answered.sum() >= 2:
            self._said[pool, label] = said
            self._known[pool, label] = {}

    def said(self, pool: Pool, label: str) -> Said | None:
        """Return what was said under a label of a pool, if anything."""
        return self._said.get((pool, label))

    def labels(self) -> list[str]:
        """Return every label, in the order of adding."""
        return list(dict.fromkeys(label for _, label in self._said))

    def of(
        self, label: str, measure: str, pools: Sequence[Pool] | None = None
    ) -> list[float | None]:
        """Return a measure's mean over pools and intervals; see :meth:`Plan.interval`."""
        chosen = self.pools if pools is None else pools
        values = {
            pool: self.values(pool, label, measure)
            for pool in chosen
            if (pool, label) in self._said
        }
        return self.plan.interval(values, _digits(measure))

    def difference(
        self, label: str, other: str, measure: str, pools: Sequence[Pool] | None = None
    ) -> list[float | None]:
        """Return the measure of one less that of another, paired on the models both answered."""
        values = {}
        for pool in self.pools if pools is None else pools:
            if (pool, label) in self._said and (pool, other) in self._said:
                both = self._said[pool, label].answered & self._said[pool, other].answered
                if both.sum() >= 2:
                    values[pool] = self._values(pool, label, measure, both) - self._values(
                        pool, other, measure, both
                    )
        return self.plan.interval(values, _digits(measure))

    def values(self, pool: Pool, label: str, measure: str) -> Floats:
        """Return a measure of what was said of a pool, in every resample."""
        return self._values(pool, label, measure, self._said[pool, label].answered)

    def point(self, pool: Pool, label: str, measure: str) -> float:
        """Return a measure's value in one pool, nan if there is none."""
        if (pool, label) not in self._said:
            return float("nan")
        return float(self.values(pool, label, measure)[0])

    def _values(self, pool: Pool, label: str, measure: str, among: NDArray[np.bool_]) -> Floats:
        known, key = self._known[pool, label], (measure, among.tobytes())
        if key not in known:
            said = self._said[pool, label]
            counts = self.plan.counts(pool)[:, among]
            rows = said.means if measure in _PREDICTED else said.scores
            each = [_MEASURE[measure](pool.truth[among], row[among], counts) for row in rows]
            known[key] = np.mean(each, axis=0)
        return known[key]


def points(truth: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Return Spearman's ρ and the regret in points of many orders at once, shapes (…).

    Parameters
    ----------
    truth
        Shape (n,).
    scores
        Shape (…, n); ρ is nan where scores are constant or any is nan.
    """
    x, y = _ranks(truth), _ranks(scores)
    x, y = x - x.mean(), y - y.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = (y @ x) / np.sqrt((x @ x) * (y**2).sum(axis=-1))
    best = scores == scores.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        paid = (best * truth).sum(axis=-1) / best.sum(axis=-1)
    return np.where(np.isfinite(scores).all(axis=-1), rho, np.nan), 100 * (truth.max() - paid)


def _ranks(values: Floats) -> Floats:
    below = (values[..., :, None] > values[..., None, :]).sum(axis=-1)
    level = (values[..., :, None] == values[..., None, :]).sum(axis=-1)
    return np.asarray(below + (level + 1) / 2, dtype=float)


def _mae(truth: Floats, means: Floats, counts: Counts) -> Floats:
    return np.asarray(100 * (counts @ np.abs(means - truth)) / counts.sum(axis=1))


def _bias(truth: Floats, means: Floats, counts: Counts) -> Floats:
    return np.asarray(100 * (counts @ (means - truth)) / counts.sum(axis=1))


def _guarded(of: Callable[[Floats, Floats, Counts], Floats]) -> Callable[..., Floats]:
    """Return the measure, nan in resamples that hold none of the models."""

    def measure(truth: Floats, said: Floats, counts: Counts) -> Floats:
        held = counts.any(axis=1)
        values = np.full(len(counts), np.nan)
        values[held] = of(truth, said, counts[held])
        return values

    return measure


_MEASURE = {
    "rho": _guarded(spearman_rho),
    "regret_points": _guarded(regret_points),
    "mae_points": _guarded(_mae),
    "bias_points": _guarded(_bias),
}
_PREDICTED = ("mae_points", "bias_points")


def _digits(measure: str) -> int:
    return 3 if measure == "rho" else 2


def _weights(count: int, resamples: int, rng: np.random.Generator) -> Floats:
    drawn = bootstrap_counts(count, resamples, rng)
    return np.vstack([np.ones((1, count)), drawn]).astype(float)


def _mean(values: Floats, weights: Floats) -> Floats:
    """Return the weighted mean over the first axis; nan where nothing has weight, or is nan."""
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.where(weights > 0, weights * values, 0.0).sum(axis=0)
        return np.asarray(total / weights.sum(axis=0))


def _edges(values: Floats) -> tuple[float, float]:
    defined = values[np.isfinite(values)]
    if not defined.size:
        return float("nan"), float("nan")
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def number(value: float | np.floating[Any], digits: int = 3) -> float | None:
    """Return a figure as JSON has it: rounded, None where it is not defined."""
    return round(float(value), digits) if np.isfinite(value) else None
