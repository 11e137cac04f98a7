"""What the methods that learn from finished trainings share: which of them they can use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ncselect.types import Curve
from zoo.errors import InputError

REMEDY = "name a store or a file of finished curves with --history"


def checked_history(history: Sequence[Curve]) -> tuple[Curve, ...]:
    """Return the history.

    Raises
    ------
    InputError
        If a curve holds anything but accuracies between 0 and 1.
    """
    for curve in history:
        if not np.all((curve.accuracy >= 0) & (curve.accuracy <= 1)):
            raise InputError(
                f"history: the curve of {curve.model} on {curve.dataset} holds "
                f"{_first_outside(curve.accuracy):g}; give accuracies between 0 and 1"
            )
    return tuple(history)


def checked_horizon(horizon: int) -> int:
    """Return the horizon.

    Raises
    ------
    InputError
        If it is not positive.
    """
    if horizon < 1:
        raise InputError(f"horizon is {horizon}; give the epoch to predict, 1 or more")
    return horizon


def finished_curves(
    history: Sequence[Curve], *, observed: int, horizon: int, least: int
) -> tuple[tuple[Curve, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Choose the curves that reach the horizon and cover the observed epochs.

    Parameters
    ----------
    history
        Finished trainings.
    observed
        Epochs that the candidates have shown.
    horizon
        The epoch to be predicted.
    least
        How many curves are needed.

    Returns
    -------
    tuple
        The m curves; their values after epochs 1 … observed, shape (m, observed); their values
        at the horizon, shape (m,).

    Raises
    ------
    InputError
        If there are fewer than ``least``.
    """
    needed = max(observed, horizon)
    chosen = tuple(curve for curve in history if len(curve.accuracy) >= needed)
    if len(chosen) < least:
        found = (
            f"{len(chosen)} of {len(history)} curves in the history have {needed} epochs or more"
            if history
            else "the history is empty"
        )
        wanted = "one finished curve" if least == 1 else f"{least} finished curves"
        raise InputError(f"it learns from {wanted} or more and {found}; {REMEDY}")
    early = np.array([curve.accuracy[:observed] for curve in chosen], dtype=float)
    final = np.array([curve.accuracy[horizon - 1] for curve in chosen], dtype=float)
    return chosen, early, final


def _first_outside(accuracy: NDArray[np.float64]) -> float:
    return float(accuracy[~((accuracy >= 0) & (accuracy <= 1))][0])
