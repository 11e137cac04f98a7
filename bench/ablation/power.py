"""What difference between two rankings an ablation can see: ``python -m bench.ablation.power``.

Rankings of known quality are simulated, as many targets, models and seeds as named, and compared as
the report compares them. The table says how often the 95% interval over targets is above 0; in
brackets, that over models and seeds alone.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.ablation.intervals import Figures, Plan, Said
from bench.ablation.stored import DEFAULT, Pool
from bench.ablation.tables import plain, table
from ncselect.spec import RunSpec
from ncselect.types import RunRecord

Floats = NDArray[np.float64]

BETTER_RHO = 0.8
"""ρ of the better ranking, about that of the last value after ten epochs."""

GAINS = (0.0, 0.2, 0.4, 0.6)
"""By which ρ of the other one is lower."""

DESIGNS = ((3, 8, 1), (3, 8, 2), (3, 8, 5), (3, 16, 2), (6, 16, 2), (10, 16, 2))
"""Targets, models, seeds."""


@dataclass(frozen=True)
class Seen:
    """How often a difference in ρ was seen.

    Attributes
    ----------
    fixed
        Share of the trials whose interval over models and seeds is above 0.
    resampled
        The same of the interval that draws the targets, too.
    """

    fixed: float
    resampled: float


def power(
    targets: int,
    models: int,
    seeds: int,
    gain: float,
    *,
    trials: int,
    resamples: int,
    rng: np.random.Generator,
) -> Seen:
    """Return how often a gain in ρ is seen.

    Parameters
    ----------
    targets, models, seeds
        Of the runs; all targets have the same models.
    gain
        ρ of the better ranking, :data:`BETTER_RHO`, less that of the other, over many models.
    trials, resamples
        Simulated comparisons, and bootstrap resamples of each.
    rng
        Draws the accuracies, anew for each target and the same for its seeds; the errors of the
        rankings, anew for each seed and independent; and the resamples.
    """
    counted = np.zeros(2)
    for _ in range(trials):
        pools = [
            pool
            for target in range(targets)
            for pool in _pools(f"target {target}", rng.normal(size=models), seeds)
        ]
        plan = Plan(pools, resamples=resamples, seed=int(rng.integers(2**32)))
        figures = Figures(pools, plan)
        for pool in pools:
            for label, rho in (("better", BETTER_RHO), ("other", BETTER_RHO - gain)):
                figures.add(pool, label, _ranking(pool.truth, rho, rng))
        _, low, _, low_targets, _ = figures.difference("better", "other", "rho")
        counted += [end is not None and end > 0 for end in (low, low_targets)]
    return Seen(*(float(one) for one in counted / trials))


def rows(*, trials: int, resamples: int, seed: int) -> Iterable[tuple[str, ...]]:
    """Return the table: for each design, per gain how often the widest interval is above 0."""
    for place, design in enumerate(DESIGNS):
        rng = np.random.default_rng([seed, place])
        found = [
            power(*design, gain, trials=trials, resamples=resamples, rng=rng) for gain in GAINS
        ]
        yield (
            *(str(one) for one in design),
            *(f"{plain(one.resampled)} ({plain(one.fixed)})" for one in found),
        )


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench.ablation.power", description=__doc__)
    parser.add_argument("--trials", type=int, default=250)
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    found = list(rows(trials=asked.trials, resamples=asked.resamples, seed=asked.seed))
    print(table(("targets", "models", "seeds", *(f"gain {plain(one, 1)}" for one in GAINS)), found))


def _pools(target: str, truth: Floats, seeds: int) -> Iterable[Pool]:
    for seed in range(seeds):
        records = tuple(
            RunRecord(
                RunSpec(model=f"model {place}", dataset=target, candidate={}, data={}, seed=seed),
                truth={1: float(value)},
            )
            for place, value in enumerate(truth)
        )
        yield Pool(target, DEFAULT, seed, 1, records, {})


def _ranking(truth: Floats, rho: float, rng: np.random.Generator) -> Said:
    """Return normal scores whose Spearman's ρ with a normal truth is as given, in the mean."""
    share = 2 * math.sin(math.pi * rho / 6)  # Pearson, On further methods (1907)
    scores = share * truth + math.sqrt(1 - share**2) * rng.normal(size=truth.shape)
    return Said(scores[None], np.full((1, len(truth)), np.nan))


if __name__ == "__main__":
    main()
