"""How much of today's doubt about a pool's final accuracies further epochs will remove."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.curve_model import LONGEST, mixture, view
from ncselect.numerics.curve_prior import CurvePrior


def share_to_be_learned(
    accuracy: NDArray[np.float64], horizon: int, prior: CurvePrior, further: int
) -> float:
    """Return the share of the predictive variance that further epochs are expected to remove.

    What is expected of the candidates without training them is left out of account. The pool is
    taken to look, that many epochs later, as it looks now: as wide, as rough and as
    fast; only the time that has passed and the time to come are others.

    Parameters
    ----------
    accuracy
        Validation accuracies after epochs 1 … E, shape (n, E), E ≥ 1, in [0, 1].
    horizon
        The epoch T > E whose accuracy is predicted.
    prior
        The hyperparameters of the curve model.
    further
        Epochs to come, at least 1; with E + further ≥ T nothing is left to be learned.

    Returns
    -------
    float
        In [0, 1]: of the variance of log-odds, averaged over the candidates.
    """
    epochs = accuracy.shape[1]
    if epochs + further >= horizon:
        return 1.0
    now = view(accuracy, horizon, prior.momentum)
    later = dataclasses.replace(
        now,
        horizon=np.full_like(now.horizon, min(np.log(horizon / (epochs + further)), LONGEST)),
        epochs=np.full_like(now.epochs, np.log(epochs + further)),
    )
    left = mixture(prior, later).variance.mean() / mixture(prior, now).variance.mean()
    return float(np.clip(1 - left, 0.0, 1.0))
