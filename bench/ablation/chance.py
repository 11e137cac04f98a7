"""What chance does with as many choices: the ρ that the best of them reaches, and that of picks.

Two kinds of chance. Random numbers in place of every definition's β, each definition its own: the
best of so many windows' means and random slopes. And the β of the pool's models exchanged among
them, one permutation for all definitions, readings and pools, so that these stay as alike as they
are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bench.ablation.choices import Read
from bench.ablation.grid import Grid, Measured, measured
from bench.ablation.intervals import points
from bench.ablation.stored import Pool

BANK = 400
"""Random inputs of a pool that replicates are drawn from."""


def random_inputs(
    reads: Mapping[Pool, Read], real: Grid, draws: int, rng: np.random.Generator
) -> Measured:
    """Return ρ and regret with random inputs, shapes (draws, targets, choices)."""
    found = {}
    count = max(BANK, 2 * len(real.names))
    for pool, read in reads.items():
        bank = rng.random((count, *read.accuracy.shape))
        of_bank = points(pool.truth, read.every(bank, real.readings))
        drawn = rng.permuted(np.tile(np.arange(count), (draws, 1)), axis=1)[:, : len(real.names)]
        rho, regret = (one.T[drawn].reshape(draws, -1) for one in of_bank)
        found[pool] = (rho, regret)
    return measured(found)


def exchanged_inputs(
    reads: Mapping[Pool, Read], real: Grid, draws: int, rng: np.random.Generator
) -> Measured:
    """Return ρ and regret with the models' β exchanged, shapes (draws, targets, choices)."""
    models = sorted({name for pool in reads for name in pool.models})
    keys = rng.random((draws, len(models)))
    found = {}
    for pool, read in reads.items():
        inputs = np.array([read.inputs(name) for name in real.names])
        pairs = read.exchanged(inputs, real.readings).swapaxes(0, 1)
        pairs = pairs.reshape(len(real), *pairs.shape[2:])
        columns = [models.index(name) for name in pool.models]
        each = [_under(pool, pairs, key.argsort()) for key in keys[:, columns]]
        found[pool] = (np.array([rho for rho, _ in each]), np.array([cost for _, cost in each]))
    return measured(found)


def tail(value: float, drawn: NDArray[np.float64]) -> dict[str, float | None]:
    """Return median and 95% quantile of chance, and how much of it is as high as a value.

    The value itself counts as one of chance's, so that the share is never 0. What is not defined
    is None.
    """
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or not np.isfinite(value):
        return {"median": None, "q95": None, "p": None}
    higher = int((drawn >= value - 1e-9).sum())
    return {
        "median": round(float(np.median(drawn)), 3),
        "q95": round(float(np.quantile(drawn, 0.95)), 3),
        "p": round((1 + higher) / (1 + len(drawn)), 4),
    }


def _under(
    pool: Pool, pairs: NDArray[np.float64], order: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return points(pool.truth, pairs[:, np.arange(len(order)), order])
