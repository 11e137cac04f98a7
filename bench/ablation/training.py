"""What the protocol of training changes: final accuracies, their order, and how well it is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bench.ablation.intervals import Counts, Document, Figures, Plan, number
from bench.ablation.stored import DEFAULT, Pool
from ncselect.numerics.rank_agreement import regret_points, spearman_rho

Floats = NDArray[np.float64]

CLASSIFIER = "unit=classifier"

Measure = Callable[[Floats, Floats, Counts], Floats]
_MEASURE: dict[str, Measure] = {"rho": spearman_rho, "regret_points": regret_points}


def pairs(
    pools: Sequence[Pool],
) -> tuple[dict[tuple[str, str], list[tuple[Pool, Pool]]], dict[str, str]]:
    """Return two protocols → their pools of the same target, seed and length of training.

    The pairs are those with the default protocol, which comes first, and those with a plain
    classifier as the unit, which is what a network is used with.

    Returns
    -------
    found, left_out
        The pairs; and name of a pair → why it is not one: its trainings differ in length.
    """
    by_place: dict[tuple[str, int], dict[str, Pool]] = {}
    for pool in pools:
        by_place.setdefault(pool.place, {})[pool.setting] = pool
    found: dict[tuple[str, str], list[tuple[Pool, Pool]]] = {}
    left_out: dict[str, str] = {}
    for (target, seed), of_place in by_place.items():
        settings = sorted(of_place, key=lambda one: (one != DEFAULT, one))
        for one, other in combinations(settings, 2):
            both = of_place[one], of_place[other]
            told = one == DEFAULT or CLASSIFIER in one or CLASSIFIER in other
            if not told or len(_common(*both)) < 2:
                continue
            if both[0].horizon == both[1].horizon and both[0].steps == both[1].steps is not None:
                found.setdefault((one, other), []).append(both)
            else:
                left_out[f"{between(one, other)}, {target}, seed {seed}"] = (
                    f"the first has its truth {_length(both[0])}, the second {_length(both[1])}"
                )
    return found, left_out


def between(one: str, other: str) -> str:
    """Return the name of a comparison of two protocols."""
    return f"{one} → {other}"


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
                **{name: number(values[first][0]) for name, values in found.items()},
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
        against the truth of the second. All on the models that both have and that were answered
        under both; where nothing was said under the second, under the first.
    """
    found: dict[str, dict[str, dict[str, dict[Pool, Floats]]]] = {}
    for label in labels:
        for first, second in both:
            one, other = figures.said(first, label), figures.said(second, label)
            if one is None:
                continue
            models = [
                name
                for name in _common(first, second)
                if one.answered[first.models.index(name)]
                and (other is None or other.answered[second.models.index(name)])
            ]
            if len(models) < 2:
                continue
            here = [first.models.index(name) for name in models]
            there = [second.models.index(name) for name in models]
            counts = figures.plan.counts(first)[:, here]
            for measure, of in _MEASURE.items():
                values = {
                    "first": _mean_of(of, first.truth[here], one.scores[:, here], counts),
                    "across": _mean_of(of, second.truth[there], one.scores[:, here], counts),
                }
                if other is not None:
                    after = _mean_of(of, second.truth[there], other.scores[:, there], counts)
                    values |= {"second": after, "difference": after - values["first"]}
                for name, value in values.items():
                    found.setdefault(label, {}).setdefault(measure, {}).setdefault(name, {})[
                        first
                    ] = value
    return {
        label: {
            measure: {name: figures.plan.interval(one) for name, one in values.items()}
            for measure, values in measures.items()
        }
        for label, measures in found.items()
    }


def repeats(figures: Figures, pools: Sequence[Pool], labels: Sequence[str]) -> Document:
    """Return how much the seed alone moves truths and figures, of targets with several seeds.

    Returns
    -------
    dict
        Target, and epoch of the truth where seeds differ in it → ``seeds``;
        ``truth_rho``: Spearman's between the orders of two seeds, mean over
        their pairs; ``truth_difference_points``: mean |difference| of a model's final
        accuracies; ``pick_costs_points``: of one seed's best under another; and per label the
        ``rho`` of each seed, and ``averaged``, that of the mean ranks over seeds against the
        mean truth.
    """
    by_target: dict[str, list[Pool]] = {}
    for pool in pools:
        several = {one.horizon for one in pools if one.target == pool.target}
        name = pool.target if len(several) == 1 else f"{pool.target}, epoch {pool.horizon}"
        by_target.setdefault(name, []).append(pool)
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
            "truth_rho": number(np.mean(orders)),
            "truth_difference_points": number(np.mean(gaps)),
            "pick_costs_points": number(np.mean(costs)),
            "rho": {
                label: [number(figures.point(pool, label, "rho")) for pool in of_target]
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
    return number(spearman_rho(np.mean(truth, axis=0), np.mean(ranks, axis=0), once)[0])


def _mean_of(of: Measure, truth: Floats, scores: Floats, counts: Counts) -> Floats:
    """Return a measure in every resample, mean over variants; nan where no model is drawn."""
    held = counts.any(axis=1)
    values = np.full(len(counts), np.nan)
    values[held] = np.mean([of(truth, row, counts[held]) for row in scores], axis=0)
    return values


def _length(pool: Pool) -> str:
    steps = "unknown" if pool.steps is None else pool.steps
    return f"at epoch {pool.horizon} after {steps} steps"


def _paired(plan: Plan, first: Pool, second: Pool) -> tuple[NDArray[np.int64], Floats, Floats]:
    here = [first.models.index(name) for name in _common(first, second)]
    return plan.counts(first)[:, here], *_common_truths(first, second)


def _common_truths(first: Pool, second: Pool) -> tuple[Floats, Floats]:
    models = _common(first, second)
    one = first.truth[[first.models.index(name) for name in models]]
    return one, second.truth[[second.models.index(name) for name in models]]


def _common(first: Pool, second: Pool) -> list[str]:
    return [name for name in first.models if name in second.models]


def protocols(pools: Sequence[Pool]) -> Mapping[str, list[Pool]]:
    """Return setting → its pools, the default first."""
    found: dict[str, list[Pool]] = {}
    for pool in sorted(pools, key=lambda one: (one.setting != DEFAULT, one.setting)):
        found.setdefault(pool.setting, []).append(pool)
    return found
