"""What joint draws of the candidates' final accuracies say about taking one of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FUTURES, TRUTHS = 100, 500  # draws of what will be predicted, and of the truth round it

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CONFIDENCE = 0.8
"""How sure it must be that one candidate beats another before the two are told apart."""


def p_best(draws: Floats) -> Floats:
    """Return the probability that each candidate's final accuracy is the highest.

    Parameters
    ----------
    draws
        Joint draws of the final accuracies, shape (draws, n).

    Returns
    -------
    ndarray
        Shape (n,), summing to 1; candidates that share the highest place of a draw share it.
    """
    highest = draws == draws.max(axis=1, keepdims=True)
    return np.asarray((highest / highest.sum(axis=1, keepdims=True)).mean(axis=0))


def expected_regret(draws: Floats) -> Floats:
    """Return the accuracy that taking each candidate is expected to lose, shape (n,).

    Parameters
    ----------
    draws
        Joint draws of the final accuracies, shape (draws, n), in [0, 1].
    """
    return np.asarray((draws.max(axis=1, keepdims=True) - draws).mean(axis=0))


def tie_groups(draws: Floats, order: Integers, confidence: float = CONFIDENCE) -> Integers:
    """Return the group of candidates that cannot be told apart for each, 1 for the best's.

    Going down the order, a candidate stays in the group of its first member unless it is at least
    as probable as ``confidence`` that the first member's final accuracy is the higher one; then it
    opens the next group.

    Parameters
    ----------
    draws
        Joint draws of the final accuracies, shape (draws, n).
    order
        The candidates, best first, shape (n,).
    confidence
        In (0.5, 1).

    Returns
    -------
    ndarray
        Group of each candidate, whole numbers, shape (n,).
    """
    groups = np.zeros(draws.shape[1], dtype=np.int64)
    first, group = order[0], 1
    for candidate in order:
        ahead = draws[:, first] > draws[:, candidate]
        level = draws[:, first] == draws[:, candidate]
        if ahead.mean() + level.mean() / 2 >= confidence:
            first, group = candidate, group + 1
        groups[candidate] = group
    return groups


def p_best_to_come(draws: Floats, learned: float, rng: np.random.Generator) -> float:
    """Return how probable the then best pick is expected to be after some more observation.

    The final accuracies are taken as normal. Observation removes the share ``learned`` of every
    candidate's variance: what will then be predicted scatters round today's prediction with that
    share of the variance, and the truth round what will then be predicted with the rest.

    Parameters
    ----------
    draws
        Joint draws of the final accuracies, shape (draws, n).
    learned
        Share in [0, 1] of the predictive variance that the observation removes.
    rng
        Source of randomness.

    References
    ----------
    Raiffa and Schlaifer, Applied Statistical Decision Theory (1961): preposterior analysis.
    """
    mean = draws.mean(axis=0)
    futures, own, rest = (
        draws[rng.permutation(len(draws))[:count]] - mean for count in (FUTURES, FUTURES, TRUTHS)
    )
    predictions = mean + learned * futures + np.sqrt(learned * (1 - learned)) * own[: len(futures)]
    rest = np.sqrt(1 - learned) * rest  # of the truth round what will then be predicted
    return float(np.mean([p_best(predicted + rest).max() for predicted in predictions]))
