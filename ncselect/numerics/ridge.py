"""Accuracy as a Bayesian ridge line h(x) of one input, read off at x = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError

Scaling = Literal["standardised", "raw"]
SCALINGS: tuple[Scaling, ...] = ("standardised", "raw")

LARGEST_RAW_INPUT = 1e100  # its square, which the ridge needs, is still a float


@dataclass(frozen=True)
class RidgeLine:
    """The line h and what it says at x = 0.

    Attributes
    ----------
    mean, sd
        Mean and standard deviation of the predictive distribution at x = 0, not clipped. The
        standard deviation joins the slope's uncertainty and the noise; as in scikit-learn the
        intercept is taken as known.
    slope
        dh/dx, in units of y per unit of x.
    slope_over_least_squares
        Slope over the least-squares slope: 1 where the prior does nothing, 0 where it shrinks
        the line to the mean of y; nan if x or y is constant.
    zero_distance
        Distance of 0 from the range of x in units of that range: 0 if inside, inf if x is
        constant and not 0.
    residual_variance
        Mean of (y − h(x))².
    """

    mean: float
    sd: float
    slope: float
    slope_over_least_squares: float
    zero_distance: float
    residual_variance: float


def ridge_line(
    x: NDArray[np.float64], y: NDArray[np.float64], *, scaling: Scaling = "standardised"
) -> RidgeLine:
    """Fit y = h(x) by Bayesian ridge regression and extrapolate to x = 0.

    Evidence maximisation with scikit-learn's ``BayesianRidge`` and its defaults. Its priors know
    units: with ``raw`` input the answer changes when x is rescaled. With ``standardised`` input
    the mean of x becomes 0 and its standard deviation 1, and x = 0 is mapped likewise, so the
    answer does not change. Where x is constant no slope is identified, the prior's slope of 0
    stands and the mean is the mean of y.

    How much the slope shrinks depends on the correlation r of x and y alone, as long as the
    hyperpriors are vague: slope over least-squares slope = max(0, 1 − (1 − r²)/((n − 1)·r²)).
    Five points with r² ≤ 1/5 thus give the mean of y. Close to that edge scikit-learn's default
    tolerance ends the iteration early.

    Parameters
    ----------
    x, y
        Input and response, shape (n,), finite, n ≥ 2.
    scaling
        ``standardised`` or ``raw``.

    Returns
    -------
    RidgeLine

    Raises
    ------
    InputError
        If the shapes differ or hold fewer than two points, a value is not finite, the scaling
        is unknown, or a raw input is too large to be squared.

    References
    ----------
    MacKay, Bayesian interpolation, Neural Computation 4 (1992): equations 4.2–4.5 for the
    re-estimation of noise and slope precision. The use of h(0): Algorithm 1 of the neural
    capacitance paper (ICLR 2022 text), I* = h(0; θ).

    Examples
    --------
    >>> import numpy as np
    >>> line = ridge_line(np.array([4.0, 3.0, 2.0, 1.0]), np.array([0.5, 0.6, 0.7, 0.8]))
    >>> round(line.mean, 3)
    0.9
    """
    from sklearn.linear_model import BayesianRidge

    _check(x, y, scaling)
    constant = _is_constant(x)
    offset, scale = (0.0, 1.0) if scaling == "raw" else _standard(x, constant=constant)
    inputs = np.full_like(x, x[0] / scale - offset) if constant else x / scale - offset
    at_zero = -offset

    model = BayesianRidge().fit(inputs[:, None], y)
    mean, sd = model.predict(np.array([[at_zero]]), return_std=True)
    residuals = y - model.predict(inputs[:, None])
    slope = float(model.coef_[0])
    return RidgeLine(
        mean=float(mean[0]),
        sd=float(sd[0]),
        slope=slope / scale,
        slope_over_least_squares=_shrinkage(inputs, y, slope, constant=constant),
        zero_distance=_zero_distance(x),
        residual_variance=float(np.mean(residuals**2)),
    )


def _check(x: NDArray[np.float64], y: NDArray[np.float64], scaling: str) -> None:
    if scaling not in SCALINGS:
        raise InputError(f"scaling is '{scaling}'; choose {' or '.join(SCALINGS)}")
    if x.ndim != 1 or x.shape != y.shape or x.size < 2:
        raise InputError(
            f"x and y have shapes {x.shape} and {y.shape}; a line needs two or more points of each"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("x or y holds nan or infinity; leave those points out")
    if scaling == "raw" and np.abs(x).max() > LARGEST_RAW_INPUT:
        raise InputError(
            f"x reaches {np.abs(x).max():.3g}, too large to be squared; standardise it"
        )


def _is_constant(x: NDArray[np.float64]) -> bool:
    """Tell whether x varies by no more than rounding."""
    largest = np.abs(x).max()
    unit = x / largest if largest > 0 else x
    return bool(np.ptp(unit) <= 8 * np.finfo(float).eps)


def _standard(x: NDArray[np.float64], *, constant: bool) -> tuple[float, float]:
    """Return (offset, scale) such that x / scale − offset has mean 0 and deviation 1."""
    largest = float(np.abs(x).max())
    if constant:
        return (float(np.sign(x[0])), largest) if largest > 0 else (0.0, 1.0)
    unit = x / largest  # neither huge nor tiny values lose their squares
    deviation = float(unit.std())
    return float(unit.mean()) / deviation, largest * deviation


def _shrinkage(
    inputs: NDArray[np.float64], y: NDArray[np.float64], slope: float, *, constant: bool
) -> float:
    if constant or np.ptp(y) == 0:
        return float("nan")
    largest = float(np.abs(inputs).max())
    centred = inputs / largest - np.mean(inputs / largest)
    least_squares = float(centred @ (y - y.mean())) / float(centred @ centred)
    return slope * largest / least_squares if least_squares != 0 else float("nan")


def _zero_distance(x: NDArray[np.float64]) -> float:
    low, high = float(x.min()), float(x.max())
    if low <= 0 <= high:
        return 0.0
    nearest = min(abs(low), abs(high))
    return nearest / (high - low) if high > low else float("inf")
