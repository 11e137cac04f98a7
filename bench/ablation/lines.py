"""Bayesian ridge lines of many inputs at once: what each says at 0 in every window.

The same numbers as ``ncselect.numerics.ridge.ridge_line`` gives one at a time; the number of
choices and of random inputs to hold them against asks for millions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

INPUTS = ("standardised", "raw", "log")
"""The ridge's input: two of the product, and sign(β)·ln(1 + |β|/median|β|), standardised."""

MAX_ITERATIONS, TOLERANCE, HYPERPRIOR = 300, 1e-3, 1e-6  # scikit-learn's BayesianRidge


@dataclass(frozen=True)
class Lines:
    """Lines in every window of a length, shape (…, starts) each; nan where an input is missing.

    Attributes
    ----------
    at_zero
        h(0), not clipped.
    residual_variance
        Mean of (y − h(x))².
    """

    at_zero: Floats
    residual_variance: Floats


def windowed_lines(x: Floats, y: Floats, *, length: int, scaling: str) -> Lines:
    """Fit a line in every window of a length.

    Parameters
    ----------
    x, y
        Input and accuracy after epochs 1 … E, shapes (…, E) that broadcast.
    length
        Epochs in a window, 2 ≤ length ≤ E.
    scaling
        Of :data:`INPUTS`.
    """
    inputs = np.lib.stride_tricks.sliding_window_view(x, length, axis=-1)
    outputs = np.lib.stride_tricks.sliding_window_view(y, length, axis=-1)
    return ridge_lines(inputs, outputs, scaling=scaling)


def ridge_lines(x: Floats, y: Floats, *, scaling: str) -> Lines:
    """Fit y = h(x) along the last axis, one line for each of the others' points.

    Parameters
    ----------
    x, y
        Shapes (…, n) that broadcast, n ≥ 2; x may hold nan.
    scaling
        Of :data:`INPUTS`.

    References
    ----------
    MacKay, Bayesian interpolation, Neural Computation 4 (1992): equations 4.2–4.5, as in
    ``ncselect.numerics.ridge``.
    """
    if scaling == "log":
        x = _logarithmic(x)
    n = x.shape[-1]
    largest = np.abs(x).max(axis=-1, keepdims=True)
    largest = np.where(largest > 0, largest, 1.0)
    unit = x / largest
    constant = np.ptp(unit, axis=-1) <= 8 * np.finfo(float).eps
    centre = x.mean(axis=-1) if scaling == "raw" else unit.mean(axis=-1)
    spread = (x if scaling == "raw" else unit) - centre[..., None]
    if scaling != "raw":
        deviation = np.where(constant, 1.0, unit.std(axis=-1))
        spread, centre = spread / deviation[..., None], centre / deviation
    spread = np.where(constant[..., None], 0.0, spread)
    mean = y.mean(axis=-1)
    rise = y - mean[..., None]
    sxx, sxy = (spread**2).sum(axis=-1), (spread * rise).sum(axis=-1)
    sxx, sxy, syy = np.broadcast_arrays(sxx, sxy, (rise**2).sum(axis=-1))
    slope = _slopes(sxx.ravel(), sxy.ravel(), syy.ravel(), n).reshape(sxx.shape)
    return Lines(
        at_zero=mean - slope * np.where(constant, 0.0, centre),
        residual_variance=np.maximum(syy - 2 * slope * sxy + slope**2 * sxx, 0.0) / n,
    )


def _slopes(sxx: Floats, sxy: Floats, syy: Floats, n: int) -> Floats:
    """Return the slopes of evidence maximisation, iterated as scikit-learn does; shape (lines,)."""
    slope = np.full(sxx.shape, np.nan)
    going = np.flatnonzero(np.isfinite(sxx) & np.isfinite(sxy))
    xx, xy, yy = sxx[going], sxy[going], syy[going]
    alpha, lam = 1.0 / (yy / n + np.finfo(float).eps), np.ones_like(yy)
    before = np.zeros_like(yy)
    for turn in range(MAX_ITERATIONS):
        now = xy / (xx + lam / alpha)
        error = np.maximum(yy - 2 * now * xy + now**2 * xx, 0.0)
        gamma = alpha * xx / (lam + alpha * xx)
        lam = (gamma + 2 * HYPERPRIOR) / (now**2 + 2 * HYPERPRIOR)
        alpha = (n - gamma + 2 * HYPERPRIOR) / (error + 2 * HYPERPRIOR)
        ended = (np.abs(before - now) < TOLERANCE) & (turn > 0)
        if turn == MAX_ITERATIONS - 1:
            ended[:] = True
        slope[going[ended]] = xy[ended] / (xx[ended] + lam[ended] / alpha[ended])
        on = ~ended
        going = going[on]
        xx, xy, yy, alpha, lam = (one[on] for one in (xx, xy, yy, alpha, lam))
        before = now[on]
        if not going.size:
            break
    return slope


def starts(lines: Lines, *, epochs: int, length: int, rule: str, floor: Floats) -> NDArray[np.intp]:
    """Return the position of the window that a rule takes among epochs 1 … ``epochs``.

    Parameters
    ----------
    lines
        In windows of this length of as many epochs or more.
    epochs, length
        Observed epochs and epochs in a window.
    rule
        ``bic``: the smallest floored residual variance, of equals the latest, as
        ``ncselect.numerics.window``; ``first`` or ``last``.
    floor
        Smallest variance that is more than chance; broadcasts with shape (…).

    Returns
    -------
    ndarray
        Shape (…).
    """
    possible = epochs - length + 1
    shape = lines.at_zero.shape[:-1]
    if rule != "bic":
        return np.full(shape, 0 if rule == "first" else possible - 1)
    variances = np.maximum(lines.residual_variance[..., :possible], np.asarray(floor)[..., None])
    return np.asarray(possible - 1 - variances[..., ::-1].argmin(axis=-1))


def taken(values: Floats, position: NDArray[np.intp]) -> Floats:
    """Return each line's value in its window, shape (…), of values of shape (…, starts)."""
    return np.take_along_axis(values, position[..., None], axis=-1)[..., 0]


def _logarithmic(x: Floats) -> Floats:
    size = np.abs(x)
    middle = np.median(size, axis=-1, keepdims=True)
    return np.sign(x) * np.log1p(size / np.where(middle > 0, middle, 1.0))
