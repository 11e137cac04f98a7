"""Which epochs to read: the observation window [t0, t0 + n), chosen by BIC."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.ridge import RidgeLine, Scaling, ridge_line
from ncselect.numerics.sampling import sampling_variance
from zoo.errors import InputError

UNKNOWN_NOISE_VARIANCE = 1e-4  # (one point of accuracy)², when the validation set's size is unknown


@dataclass(frozen=True)
class Window:
    """Consecutive epochs and how well a model explains them.

    Attributes
    ----------
    start
        Position of the first epoch (0 is epoch 1).
    length
        Number of epochs.
    bic
        Bayesian information criterion of the model in the window.
    """

    start: int
    length: int
    bic: float

    @property
    def slice(self) -> slice:
        """Positions of the window's epochs."""
        return slice(self.start, self.start + self.length)


def noise_floor(accuracy: NDArray[np.float64], images: int | None) -> float:
    """Return the smallest variance of accuracy round a line that is more than chance.

    Parameters
    ----------
    accuracy
        Validation accuracies, shape (epochs,), in [0, 1].
    images
        Size of the validation set; None if unknown.

    Returns
    -------
    float
        p(1 − p)/n at the curve's mean; (0.01)² if n is unknown.
    """
    if images is None:
        return UNKNOWN_NOISE_VARIANCE
    return sampling_variance(float(accuracy.mean()), images)


def chosen_window(
    residual_variances: NDArray[np.float64], *, length: int, parameters: int, floor: float
) -> Window:
    """Choose the window with the smallest BIC = n·ln(RSS/n) + k·ln n.

    RSS/n is floored, or a flat window would send BIC to −∞. Windows at the floor are equally
    good; of equals the latest is taken, the one nearest to what is to be predicted.

    Parameters
    ----------
    residual_variances
        RSS/n of the model in the window starting at each position, shape (starts,).
    length
        The windows' common length n, in epochs.
    parameters
        Number k of fitted parameters, noise variance included.
    floor
        Smallest variance that is more than chance, positive.

    References
    ----------
    Schwarz, Estimating the dimension of a model, Annals of Statistics 6 (1978), with the
    Gaussian likelihood maximised over the noise variance.
    """
    floored = np.maximum(residual_variances, floor)
    start = len(floored) - 1 - int(np.argmin(floored[::-1]))
    bic = length * math.log(floored[start]) + parameters * math.log(length)
    return Window(start=start, length=length, bic=bic)


def windowed_ridge(
    x: NDArray[np.float64],
    accuracy: NDArray[np.float64],
    *,
    length: int,
    floor: float,
    scaling: Scaling,
) -> tuple[Window, RidgeLine]:
    """Fit the ridge line in every window of a length and return the best by BIC.

    Parameters
    ----------
    x, accuracy
        Input and validation accuracy after epochs 1 … E, shape (E,).
    length
        Epochs in a window, 2 ≤ length ≤ E; with length E there is nothing to choose.
    floor
        See :func:`noise_floor`.
    scaling
        See :func:`ncselect.numerics.ridge.ridge_line`.

    Raises
    ------
    InputError
        If no window of the length fits.
    """
    if not 2 <= length <= len(accuracy):
        raise InputError(
            f"length is {length} with {len(accuracy)} epochs; give a window of 2 epochs or more "
            "that fits into them"
        )
    starts = range(len(accuracy) - length + 1)
    lines = [
        ridge_line(x[start : start + length], accuracy[start : start + length], scaling=scaling)
        for start in starts
    ]
    window = chosen_window(
        np.array([line.residual_variance for line in lines]),
        length=length,
        parameters=3,  # intercept, slope, noise variance
        floor=floor,
    )
    return window, lines[window.start]


def windowed_mean(
    accuracy: NDArray[np.float64], *, length: int, floor: float
) -> tuple[Window, float, float]:
    """Return the best window under a constant model, its mean and predictive sd.

    Parameters
    ----------
    accuracy
        Validation accuracy after epochs 1 … E, shape (E,).
    length
        Epochs in a window, 1 ≤ length ≤ E.
    floor
        See :func:`noise_floor`.

    Returns
    -------
    window, mean, sd
        ``sd`` is s·√(1 + 1/n), that of one more value; nan with a single epoch.

    Raises
    ------
    InputError
        If no window of the length fits.
    """
    if not 1 <= length <= len(accuracy):
        raise InputError(
            f"length is {length} with {len(accuracy)} epochs; give a window of 1 epoch or more "
            "that fits into them"
        )
    windows = np.lib.stride_tricks.sliding_window_view(accuracy, length)
    window = chosen_window(
        windows.var(axis=1),
        length=length,
        parameters=2,  # mean, noise variance
        floor=floor,
    )
    seen = windows[window.start]
    sd = float(seen.std(ddof=1)) * math.sqrt(1 + 1 / length) if length > 1 else float("nan")
    return window, float(seen.mean()), sd
