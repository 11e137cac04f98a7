"""What β_eff adds to a ranking that needs none of it: partial correlation, and ranks together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.ablation.intervals import Figures, Said, points
from bench.ablation.stored import Pool
from ncselect.numerics.rank_agreement import spearman_rho

Floats = NDArray[np.float64]

WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of the added ranking that are tried; its weight is learned on the other targets."""


def together(one: Said, other: Said, weight: float) -> Said:
    """Return the weighted mean of two rankings' ranks, of the models that both answered.

    Parameters
    ----------
    one, other
        Of the same pool; variants of one are paired with the first of the other where it has one.
    weight
        Of the other, in [0, 1].
    """
    both = one.answered & other.answered
    variants = max(len(one.scores), len(other.scores))
    ranks = np.full((variants, len(both)), np.nan)
    if both.any():
        ranks[:, both] = (1 - weight) * _ranks(one.scores[:, both]) + weight * _ranks(
            other.scores[:, both]
        )
    return Said(ranks, np.full_like(ranks, np.nan))


def added(
    figures: Figures, pools: Sequence[Pool], base: str, extra: str
) -> dict[str, object] | None:
    """Return what a ranking adds to another; None if no pool has both.

    Parameters
    ----------
    figures
        Holds what both said.
    pools
        To be judged on.
    base, extra
        Labels of what is there and of what is added.

    Returns
    -------
    dict
        ``pools``: how many have both; ``partial_rho``: Spearman's correlation of ``extra`` with
        the truth given ``base``, 0 where both order alike or ``base`` leaves nothing to explain,
        not defined where either is the same for all models;
        ``half``: gains in ρ and regret by adding the ranks of both; ``learned``: the same, the
        weight that is best on the targets of other datasets (none may be), and those weights.
    """
    said = {
        pool: (one, other)
        for pool in pools
        if (one := figures.said(pool, base)) is not None
        and (other := figures.said(pool, extra)) is not None
        and (one.answered & other.answered).sum() >= 3
    }
    if not said:
        return None
    partial = {pool: _partial(figures, pool, *both) for pool, both in said.items()}
    found: dict[str, object] = {
        "pools": len(said),
        "partial_rho": figures.plan.interval(partial),
    }
    weights = _learned(said)
    for name, weight in (
        ("half", {pool.target: 0.5 for pool in said}),
        ("learned", weights),
    ):
        label = f"{base} + {extra}, {name}"
        for pool, both in said.items():
            if pool.target in weight:
                figures.add(pool, label, together(*both, weight[pool.target]))
        found[name] = {
            measure: figures.difference(label, base, measure, list(said))
            for measure in ("rho", "regret_points")
        }
    if weights:
        found["weights"] = {target: round(weight, 2) for target, weight in weights.items()}
    else:
        del found["learned"]
    return found


def _learned(said: Mapping[Pool, tuple[Said, Said]]) -> dict[str, float]:
    """Return target → the weight with the highest mean ρ on other datasets, the smallest of equals.

    Targets without another dataset beside them have none.
    """
    datasets = {pool.target: pool.dataset for pool in said}
    tried = (0.0, *WEIGHTS)
    rho = {
        target: np.mean(
            [
                [
                    np.mean(points(pool.truth[kept], together(*both, w).scores[:, kept])[0])
                    for w in tried
                ]
                for pool, both in said.items()
                if pool.target == target and (kept := both[0].answered & both[1].answered).any()
            ],
            axis=0,
        )
        for target in datasets
    }
    weights = {}
    for target, dataset in datasets.items():
        others = [rho[one] for one, its in datasets.items() if its != dataset]
        if others:
            means = np.mean(others, axis=0)
            weights[target] = tried[int(np.where(np.isnan(means), -np.inf, means).argmax())]
    return weights


def _partial(figures: Figures, pool: Pool, base: Said, extra: Said) -> Floats:
    """Return the partial rank correlation in every resample, shape (1 + resamples,)."""
    both = base.answered & extra.answered
    counts = figures.plan.counts(pool)[:, both]
    held = counts.any(axis=1)
    truth = pool.truth[both]
    values = np.full(len(counts), np.nan)

    def rho(one: Floats, other: Floats) -> Floats:
        return spearman_rho(one, other, counts[held])

    each = []
    for row in extra.scores[:, both]:
        given = base.scores[0, both]
        xt, xg, gt = rho(row, truth), rho(row, given), rho(given, truth)
        rest = (1 - xg**2) * (1 - gt**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            partial = np.where(rest > 1e-9, (xt - xg * gt) / np.sqrt(rest), 0.0)
        each.append(np.where(np.isnan(xt + rest), np.nan, partial))
    values[held] = np.mean(each, axis=0)
    return values


def _ranks(values: Floats) -> Floats:
    """Return ranks along the last axis, ties given their mean."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=-1), dtype=float)
