"""Least-squares fits of the parametric families to the beginning of a curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.curve_families import CurveFamily

Array = NDArray[np.float64]

INSIDE = 1e-5  # starts keep this share of a range away from its ends, so that a ball fits in
MARGIN = 0.005  # by which a fit keeps what the prior demands at the horizon, likewise
DEMAND = 100.0  # weight of what it lacks, in residuals


def recency_weights(n: int) -> Array:
    """Return 10^(i/n) for i = 0 … n − 1: late epochs count up to ten times as much as the first.

    References
    ----------
    Domhan et al., IJCAI 2015: the authors' implementation.
    """
    weights: Array = 10.0 ** (np.arange(n) / n)
    return weights


def observed_and_final(n: int, horizon: int) -> Array:
    """Return the epochs 1 … n and the horizon, shape (n + 1,)."""
    return np.append(np.arange(1, n + 1), horizon).astype(float)


def fitted_parameters(family: CurveFamily, curve: Array, *, horizon: int) -> Array:
    """Fit a family to a curve by least squares with recency weights, within its bounds.

    Starts from the defaults. At the horizon the fit is held within 0 … 1 and above its value
    after the first epoch, as the prior of the posterior that starts from it demands.

    Parameters
    ----------
    family
        One of ``FAMILIES``.
    curve
        Accuracy after epochs 1 … n, shape (n,), n ≥ 1.
    horizon
        The epoch to be predicted.

    Returns
    -------
    ndarray
        Parameters, strictly within the bounds, shape (parameters,).

    Examples
    --------
    >>> import numpy as np
    >>> from ncselect.numerics.curve_families import FAMILIES
    >>> family, epochs = FAMILIES["ilog2"], np.arange(1, 21)
    >>> curve = family.values(np.array([0.9, 0.2]), epochs)
    >>> fitted_parameters(family, curve, horizon=50).round(4)
    array([0.9, 0.2])
    """
    from scipy.optimize import least_squares

    epochs = observed_and_final(curve.size, horizon)
    root_weights = np.sqrt(recency_weights(curve.size))
    least, greatest = family.bounds
    margin = INSIDE * (greatest - least)

    def residuals(theta: Array) -> Array:
        values = family.values(theta, epochs)
        first, final = values[0], values[-1]
        lacks = [MARGIN - final, final - (1 - MARGIN), first + MARGIN - final]
        return np.append(root_weights * (values[:-1] - curve), DEMAND * np.maximum(lacks, 0.0))

    start = np.clip(family.defaults, least + margin, greatest - margin)
    found = least_squares(residuals, start, bounds=(least, greatest), x_scale="jac", max_nfev=200)
    inside: Array = np.clip(found.x, least + margin, greatest - margin)
    return inside
