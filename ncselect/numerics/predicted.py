"""What a method predicts of a pool, as arrays, and how each prediction fared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.predictive import (
    normal_covered,
    normal_crps,
    sample_covered,
    sample_crps,
)

Floats = NDArray[np.float64]

DRAWS = 1000
"""Joint draws that a probability of being the best is made of, at most."""

LEVELS = {"coverage_50": 0.5, "coverage_80": 0.8, "coverage_95": 0.95}
"""Measure → probability of the central interval whose coverage it is."""


@dataclass(frozen=True)
class Predicted:
    """What a method says of n models.

    Attributes
    ----------
    score
        What it orders them by, shape (n,).
    mean, sd
        Predicted accuracies and their standard deviations, shape (n,); nan where it has none.
    draws
        Joint draws, shape (draws, n), where there are any: they, not mean and sd, are then the
        predictive distribution.
    """

    score: Floats
    mean: Floats
    sd: Floats
    draws: Floats | None = None

    @classmethod
    def ordering(cls, score: Floats) -> Predicted:
        """Return what a method says that orders models and predicts nothing."""
        nothing = np.full(score.shape, np.nan)
        return cls(score, nothing, nothing)


def model_scores(truth: Floats, predicted: Predicted) -> dict[str, Floats]:
    """Return what is measured model by model: squared error, sd, CRPS, inside each interval.

    Parameters
    ----------
    truth
        True final accuracies, shape (n,), in [0, 1].
    predicted
        Of the same models.

    Returns
    -------
    dict
        ``squared_error``, ``sd``, ``crps`` and the coverages → shape (n,), in units of accuracy;
        nan where the method does not predict that.
    """
    mean, sd, draws = predicted.mean, predicted.sd, predicted.draws
    if draws is not None:
        crps = sample_crps(truth, draws)
        inside = partial(sample_covered, truth, draws)
        unknown = np.zeros(len(truth), dtype=bool)
    else:
        crps = normal_crps(truth, mean, sd)
        inside = partial(normal_covered, truth, mean, sd)
        unknown = np.isnan(mean) | np.isnan(sd)
    covered = {name: np.where(unknown, np.nan, inside(level)) for name, level in LEVELS.items()}
    return {"squared_error": (truth - mean) ** 2, "sd": sd, "crps": crps, **covered}


def best_draws(predicted: Predicted, noise: Floats) -> Floats | None:
    """Return at most ``DRAWS`` joint draws to tell the best by; None where there is no sd.

    Parameters
    ----------
    predicted
        Of n models.
    noise
        Standard normal numbers, shape (draws, n): where the method gives no draws, its
        predictions are taken as independent and normal.
    """
    if predicted.draws is not None:
        step = -(-len(predicted.draws) // DRAWS)
        return predicted.draws[::step]
    if np.isnan(predicted.mean).any() or np.isnan(predicted.sd).any():
        return None
    return np.asarray(predicted.mean + predicted.sd * noise)
