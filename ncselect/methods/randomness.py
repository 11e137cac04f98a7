"""Random numbers that belong to a run, whatever pool it is ranked in."""

from __future__ import annotations

import numpy as np

from ncselect.types import RunRecord
from zoo.errors import InputError


def checked_seed(seed: int) -> int:
    """Return the seed.

    Raises
    ------
    InputError
        If it is negative.
    """
    if seed < 0:
        raise InputError(f"seed is {seed}; give 0 or a positive integer")
    return seed


def run_generator(seed: int, record: RunRecord) -> np.random.Generator:
    """Return a generator seeded by a seed and the run's key."""
    return np.random.default_rng([seed, int(record.spec.key, 16)])
