"""Joint draws without their tails: what further observation can be expected to tell apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.curve_model import accuracy_of, log_odds
from zoo.errors import InputError

Floats = NDArray[np.float64]

ONE_SD = (0.15865525393145707, 0.5, 0.8413447460685429)  # chances at −1, 0 and 1 sd of a normal


def central(draws: Floats) -> Floats:
    """Return draws of the normals, in log-odds, of the same median and width as given draws.

    ``combined`` allows for curves that start late or collapse. That chance is about as large after
    40 epochs as after 4, so it is no reason to observe anybody longer, yet summed over many
    candidates it outweighs all else.

    The width is the distance between the quantiles that lie one sd below and above the median of a
    normal; the normals agree with the draws there on average, not in between. Tails that hold more
    than 16% of the draws on a side reach into it, and widen the normal instead of being left out.
    Every candidate's draws keep their ranks, so that what is joint in them stays.

    Parameters
    ----------
    draws
        Joint draws of final accuracies, shape (draws, n), in [0, 1].

    Returns
    -------
    ndarray
        The same shape.

    Raises
    ------
    InputError
        If a draw is not a number in [0, 1].
    """
    from scipy.special import ndtri

    wrong = draws[~((draws >= 0) & (draws <= 1))]
    if wrong.size:
        raise InputError(
            f"draws: {wrong.size} of {draws.size} are not in [0, 1], the first is {wrong[0]:g}; "
            "give accuracies as shares, all of them numbers"
        )
    odds = log_odds(draws)
    below, middle, above = np.quantile(odds, ONE_SD, axis=0)
    ranks = odds.argsort(axis=0, kind="stable").argsort(axis=0)
    normal = ndtri((np.arange(len(draws)) + 0.5) / len(draws))
    return accuracy_of(middle + (above - below) / 2 * normal[ranks])
