"""What the protocol of training changes: final accuracies, their order, and how well it is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bench.ablation.intervals import Document, Figures, Plan
from bench.ablation.stored import DEFAULT, Pool
from ncselect.numerics.rank_agreement import regret_points, spearman_rho

Floats = NDArray[np.float64]

CLASSIFIER = "unit=classifier"


def pairs(pools: Sequence[Pool]) -> dict[tuple[str, str], list[tuple[Pool, Pool]]]:
    """Return two protocols → their pools of the same target and seed.

    The pairs are those with the default protocol, which comes first, and those with a plain
    classifier as the unit, which is what a network is used with.
    """
    by_place: dict[tuple[str, int], dict[str, Pool]] = {}
    for pool in pools:
        by_place.setdefault(pool.place, {})[pool.setting] = pool
    found: dict[tuple[str, str], list[tuple[Pool, Pool]]] = {}
    for of_place in by_place.values():
        settings = sorted(of_place, key=lambda one: (one != DEFAULT, one))
        for one, other in combinations(settings, 2):
            both = of_place[one], of_place[other]
            told = one == DEFAULT or CLASSIFIER in one or CLASSIFIER in other
            if told and len(_common(*both)) >= 2:
                found.setdefault((one, other), []).append(both)
    return found


def truths(plan: Plan, both: Sequence[tuple[Pool, Pool]]) -> Document:
    """Compare the final accuracies of the same models under two protocols.

    Parameters
    ----------
    plan
        Of the resamples; of a pair, those of its first pool.
    both
        Pools of the same target and seed, one of each protocol.

    Returns
    -------
    dict
        ``gain_points``: the second's accuracy less the first's, mean over models; ``rho``:
        Spearman's, between the two orders; ``regret_points``: what picking by the first costs
        where the second is used, and ``reverse_regret_points``.
    """
    found: dict[str, dict[Pool, Floats]] = {
        "gain_points": {},
        "rho": {},
        "regret_points": {},
        "reverse_regret_points": {},
    }
    for first, second in both:
        counts, one, other = _paired(plan, first, second)
        held = counts.any(axis=1)
        for values in found.values():
            values[first] = np.full(len(counts), np.nan)
        some = counts[held]
        found["gain_points"][first][held] = 100 * (some @ (other - one)) / some.sum(axis=1)
        found["rho"][first][held] = spearman_rho(one, other, some)
        found["regret_points"][first][held] = regret_points(other, one, some)
        found["reverse_regret_points"][first][held] = regret_points(one, other, some)
    return {
        "targets": sorted({first.target for first, _ in both}),
        "pools": len(both),
        **{name: plan.interval(values) for name, values in found.items()},
        "each": {
            f"{first.target}, seed {first.seed}": {
                "models": len(_common(first, second)),
                **{name: _rounded(values[first][0]) for name, values in found.items()},
            }
            for first, second in both
        },
    }


def seen(
    figures: Figures, both: Sequence[tuple[Pool, Pool]], labels: Sequence[str]
) -> dict[str, Document]:
    """Return how well each label does under two protocols, and the first's against the second's.

    Returns
    -------
    dict
        Label → ρ and regret under ``first`` and ``second``, each against its own truth, and
        their ``difference``, second less first, paired; ``across``: what is said under the first
        against the truth of the second, on the models both have.
    """
    plan = figures.plan
    found: dict[str, Document] = {}
    for label in labels:
        values: dict[str, dict[str, dict[Pool, Floats]]] = {}
        for first, second in both:
            one, other = figures.said(first, label), figures.said(second, label)
            if one is None:
                continue
            for measure in ("rho", "regret_points"):
                of = values.setdefault(
                    measure, {"first": {}, "second": {}, "difference": {}, "across": {}}
                )
                own = figures.values(first, label, measure)
                of["first"][first] = own
                of["across"][first] = _across(plan, first, second, one.scores, measure)
                if other is not None:
                    of["second"][first] = figures.values(second, label, measure)
                    of["difference"][first] = of["second"][first] - own
        if values:
            found[label] = {
                measure: {name: plan.interval(one) for name, one in of.items() if one}
                for measure, of in values.items()
            }
    return found


def repeats(figures: Figures, pools: Sequence[Pool], labels: Sequence[str]) -> Document:
    """Return how much the seed alone moves truths and figures, of targets with several seeds.

    Returns
    -------
    dict
        Target → ``seeds``; ``truth_rho``: Spearman's between the orders of two seeds, mean over
        their pairs; ``truth_difference_points``: mean |difference| of a model's final
        accuracies; ``pick_costs_points``: of one seed's best under another; and per label the
        ``rho`` of each seed, and ``averaged``, that of the mean ranks over seeds against the
        mean truth.
    """
    by_target: dict[str, list[Pool]] = {}
    for pool in pools:
        by_target.setdefault(pool.target, []).append(pool)
    found: Document = {}
    for target, of_target in by_target.items():
        if len(of_target) < 2:
            continue
        orders, gaps, costs = [], [], []
        for first, second in combinations(of_target, 2):
            one, other = _common_truths(first, second)
            once = np.ones((1, len(one)), dtype=np.int64)
            orders.append(spearman_rho(one, other, once)[0])
            gaps.append(100 * np.abs(one - other).mean())
            costs += [regret_points(one, other, once)[0], regret_points(other, one, once)[0]]
        found[target] = {
            "seeds": [pool.seed for pool in of_target],
            "truth_rho": _rounded(np.mean(orders)),
            "truth_difference_points": _rounded(np.mean(gaps)),
            "pick_costs_points": _rounded(np.mean(costs)),
            "rho": {
                label: [_rounded(figures.point(pool, label, "rho")) for pool in of_target]
                for label in labels
            },
            "averaged": {
                label: value
                for label in labels
                if (value := _averaged(figures, of_target, label)) is not None
            },
        }
    return found


def _averaged(figures: Figures, pools: Sequence[Pool], label: str) -> float | None:
    """Return ρ of the mean rank over seeds against the mean truth, of models that all have."""
    from scipy.stats import rankdata

    models = [name for name in pools[0].models if all(name in pool.models for pool in pools)]
    ranks, truth = [], []
    for pool in pools:
        said = figures.said(pool, label)
        if said is None:
            return None
        places = [pool.models.index(name) for name in models]
        ranks.append(rankdata(said.scores[:, places], axis=-1).mean(axis=0))
        truth.append(pool.truth[places])
    once = np.ones((1, len(models)), dtype=np.int64)
    return _rounded(spearman_rho(np.mean(truth, axis=0), np.mean(ranks, axis=0), once)[0])


def _across(plan: Plan, first: Pool, second: Pool, scores: Floats, measure: str) -> Floats:
    """Return a measure of the first's scores against the second's truth, on common models."""
    models = _common(first, second)
    here = [first.models.index(name) for name in models]
    there = [second.models.index(name) for name in models]
    answered = np.isfinite(scores[:, here]).all(axis=0)
    counts = plan.counts(first)[:, here][:, answered]
    held = counts.any(axis=1)
    values = np.full(len(counts), np.nan)
    truth = second.truth[there][answered]
    of = spearman_rho if measure == "rho" else regret_points
    if answered.sum() >= 2:
        rows = scores[:, here][:, answered]
        values[held] = np.mean([of(truth, row, counts[held]) for row in rows], axis=0)
    return values


def _paired(plan: Plan, first: Pool, second: Pool) -> tuple[NDArray[np.int64], Floats, Floats]:
    here = [first.models.index(name) for name in _common(first, second)]
    return plan.counts(first)[:, here], *_common_truths(first, second)


def _common_truths(first: Pool, second: Pool) -> tuple[Floats, Floats]:
    models = _common(first, second)
    one = first.truth[[first.models.index(name) for name in models]]
    return one, second.truth[[second.models.index(name) for name in models]]


def _common(first: Pool, second: Pool) -> list[str]:
    return [name for name in first.models if name in second.models]


def _rounded(value: float) -> float | None:
    return round(float(value), 3) if np.isfinite(value) else None


def protocols(pools: Sequence[Pool]) -> Mapping[str, list[Pool]]:
    """Return setting → its pools, the default first."""
    found: dict[str, list[Pool]] = {}
    for pool in sorted(pools, key=lambda one: (one.setting != DEFAULT, one.setting)):
        found.setdefault(pool.setting, []).append(pool)
    return found
