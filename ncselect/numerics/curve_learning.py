"""Learning a :class:`CurvePrior` from finished curves.

The weight of momentum maximises the likelihood of the order of pairs of final accuracies (a
logistic model of the difference of the index); everything else maximises the predictive density
of final log-odds over random pools. Both are penalised towards the prior one starts from, so a
short history changes little and a long one much.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.curve_model import (
    Array,
    PoolView,
    fade,
    log_odds,
    mixture,
    momentum,
    view,
)
from ncselect.numerics.curve_prior import CurvePrior

FREE = tuple(
    one.name
    for one in dataclasses.fields(CurvePrior)
    if one.name not in {"momentum", "shared", "provenance"}
)
ADAPTED = ("shift", "catch_up", "own", "noise", "spread", "tail", "stay", "start")

MOMENTUM_STEP = 1.5  # what a history may well move the weight of momentum by
STEP = 0.3  # what a history may well move another number by
PER_DATASET = 20.0  # curves that one other data set counts for at most
POOLS = 2  # how often each curve of a history is seen, in other company


@dataclasses.dataclass(frozen=True)
class Lesson:
    """A pool as seen after some epochs, and how it ended.

    Attributes
    ----------
    seen
        What the model sees, each of shape (n,).
    final
        Final log-odds, shape (n,).
    weight
        Weight of each candidate, shape (n,).
    """

    seen: PoolView
    final: Array
    weight: Array


def joined(lessons: Sequence[Lesson]) -> Lesson:
    """Return lessons end to end."""
    names = [one.name for one in dataclasses.fields(PoolView)]
    seen = PoolView(
        **{name: np.concatenate([getattr(one.seen, name) for one in lessons]) for name in names}
    )
    return Lesson(
        seen,
        np.concatenate([one.final for one in lessons]),
        np.concatenate([one.weight for one in lessons]),
    )


def momentum_weight(
    pairs: Sequence[tuple[Array, Array, Array]],
    start: float,
    *,
    shares: Sequence[float],
    penalty: float,
    rng: np.random.Generator,
    per_group: int = 3000,
) -> float:
    """Return the weight of momentum that orders finished curves best.

    Parameters
    ----------
    pairs
        Per group of curves that may be compared: log-odds of the best value (m,), faded
        momentum (m,), final accuracy (m,).
    start
        Where the penalty pulls to.
    shares
        Weight of each group.
    penalty
        Its strength, per unit of mean log-likelihood.
    rng
        Draws the pairs that are compared.
    per_group
        Number of pairs drawn from each group.
    """
    from scipy.optimize import minimize
    from scipy.stats import rankdata

    bases, slopes, weights = [], [], []
    for (best, gained, final), share in zip(pairs, shares, strict=True):
        ranks = rankdata(final) / len(final)
        first, second = rng.integers(0, len(final), (2, per_group))
        apart = final[first] > final[second]
        first, second = first[apart], second[apart]
        if not len(first):
            continue
        # wrong order costs by distance, and twice in the upper half, where one chooses
        weight = ranks[first] - ranks[second]
        weight = weight * (1 + (np.minimum(ranks[first], ranks[second]) > 0.5))
        bases.append(best[first] - best[second])
        slopes.append(gained[first] - gained[second])
        weights.append(share * weight / weight.sum())
    if not bases:
        return start
    base, slope = np.concatenate(bases), np.concatenate(slopes)
    weight = np.concatenate(weights) / sum(shares)

    def loss(x: Array) -> tuple[float, Array]:
        steepness = np.exp(x[0])
        margin = base + slope * x[1]
        wrong = weight / (1 + np.exp(np.clip(margin * steepness, -500, 500)))
        value = weight @ np.logaddexp(0, -margin * steepness)
        pull = x[1] - start
        gradient = -steepness * np.array([wrong @ margin, wrong @ slope])
        gradient[1] += 2 * penalty * pull
        return float(value + penalty * pull**2), gradient

    return float(minimize(loss, [0.0, start], jac=True, method="L-BFGS-B").x[1])


def fitted(
    prior: CurvePrior,
    lesson: Lesson,
    *,
    names: Sequence[str] = FREE,
    penalty: float,
    iterations: int = 100,
) -> CurvePrior:
    """Return the prior whose named numbers maximise the penalised mean log density of a lesson."""
    from scipy.optimize import minimize

    origin = np.array([getattr(prior, name) for name in names])
    weight = lesson.weight / lesson.weight.sum()

    def moved(x: Array) -> CurvePrior:
        changes: dict[str, Any] = dict(zip(names, map(float, x), strict=True))
        return dataclasses.replace(prior, **changes)

    def value(x: Array) -> float:
        pull = x - origin
        return float(
            penalty * pull @ pull
            - weight @ mixture(moved(x), lesson.seen).log_density(lesson.final)
        )

    def loss(x: Array) -> tuple[float, Array]:
        here = value(x)
        steps = 1e-5 * np.eye(len(x))
        return here, np.array([(value(x + step) - here) / 1e-5 for step in steps])

    best_fit = minimize(
        loss, origin, jac=True, method="L-BFGS-B", options={"maxiter": iterations}
    ).x
    return moved(best_fit)


def random_lessons(
    groups: Sequence[Array],
    weight: float,
    rng: np.random.Generator,
    *,
    pools: int,
    kept: int = 8,
) -> Lesson:
    """Return random pools at random epochs of finished curves, each group weighing the same.

    Pools have 2 to 50 candidates, epochs and pool sizes are log-uniform, and the horizon is the
    last epoch in seven of ten pools, else uniform.

    Parameters
    ----------
    groups
        Curves that may be compared, shape (m, T) each, m and T ≥ 2.
    weight
        Weight of momentum.
    rng
        Draws the pools.
    pools
        Pools per group.
    kept
        Candidates kept of each pool at most, so that large pools do not outweigh small ones.
    """
    lessons = []
    for curves in groups:
        m, last = curves.shape
        for _ in range(pools):
            size = min(m, int(np.exp(rng.uniform(np.log(2), np.log(51)))))
            epochs = min(int(np.exp(rng.uniform(0, np.log(last)))), last - 1)
            horizon = last if rng.random() < 0.7 else int(rng.integers(epochs + 1, last + 1))
            pool = curves[rng.choice(m, size, replace=False)]
            some = rng.choice(size, min(size, kept), replace=False)
            seen = view(pool[:, :epochs], horizon, weight)
            final = log_odds(pool[:, horizon - 1])
            lessons.append(_part(Lesson(seen, final, np.full(size, 1 / len(some))), some))
    return joined(lessons)


def learned(
    same: Sequence[Array],
    others: Sequence[Sequence[Array]],
    prior: CurvePrior,
    *,
    epochs: int,
    horizon: int,
    size: int = 17,
) -> CurvePrior:
    """Return the prior after a history of finished curves, for a prediction that is asked for.

    Curves shorter than the horizon are read at the same share of their length. Curves of one
    other data set count for at most ``PER_DATASET`` together, because they share what is
    particular to it; curves of the same data set count one by one.

    Parameters
    ----------
    same
        Curves on the data set of the pool, shape (T,) each, of other networks.
    others
        Curves on each other data set.
    prior
        What is believed without the history.
    epochs, horizon
        What is to be predicted, after how many epochs.
    size
        Number of candidates in the pool to be predicted.

    Returns
    -------
    CurvePrior
        ``prior`` itself where there is nothing to learn from.
    """
    rng = np.random.default_rng(0)  # only shuffles the history into pools
    groups = [(read, 1.0) for read in _readings(same, epochs, horizon)]
    for curves in others:
        readings = _readings(curves, epochs, horizon)
        total = sum(len(accuracy) for accuracy, _, _ in readings)
        groups += [(read, min(1.0, PER_DATASET / total)) for read in readings]
    if not groups:
        return prior
    evidence = sum(len(accuracy) * weight for (accuracy, _, _), weight in groups)
    pairs = []
    for (accuracy, _, end), _ in groups:
        early = accuracy[:, :-1]
        best = log_odds(early.max(axis=1))
        pairs.append((best, fade(early.shape[1], end) * momentum(early), accuracy[:, -1]))
    shares = [len(accuracy) * weight / evidence for (accuracy, _, _), weight in groups]
    found = momentum_weight(
        pairs, prior.momentum, shares=shares, penalty=0.5 / MOMENTUM_STEP**2 / evidence, rng=rng
    )
    prior = dataclasses.replace(prior, momentum=found)
    lessons = []
    for (accuracy, _, end), weight in groups:
        for pool in _shuffled(len(accuracy), size, rng):
            seen = view(accuracy[pool, :-1], end, found)
            final = log_odds(accuracy[pool, -1])
            lessons.append(Lesson(seen, final, np.full(len(pool), weight)))
    return fitted(
        prior,
        joined(lessons),
        names=ADAPTED,
        penalty=0.5 / STEP**2 / evidence,
        iterations=30,
    )


def _part(lesson: Lesson, rows: NDArray[np.intp]) -> Lesson:
    """Return some rows of a lesson."""
    seen = {name: values[rows] for name, values in vars(lesson.seen).items()}
    return Lesson(PoolView(**seen), lesson.final[rows], lesson.weight[rows])


def _readings(curves: Sequence[Array], epochs: int, horizon: int) -> list[tuple[Array, int, int]]:
    """Return curves read at the question's share of their length, those of one reading together.

    Each entry: first epochs and, last, the final value, shape (m, E + 1); E; T.
    """
    by_reading: dict[tuple[int, int], list[Array]] = {}
    for curve in curves:
        end = min(len(curve), horizon)
        seen = max(1, round(epochs * end / horizon))
        if seen < end:
            read = np.append(curve[:seen], curve[end - 1])
            by_reading.setdefault((seen, end), []).append(read)
    return [(np.stack(read), seen, end) for (seen, end), read in by_reading.items()]


def _shuffled(count: int, size: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return random pools of about ``size`` in which each of ``count`` stands ``POOLS`` times."""
    parts = max(1, round(count / size))
    return [part for _ in range(POOLS) for part in np.array_split(rng.permutation(count), parts)]
