"""LogME: the evidence that a Bayesian linear model of the features explains the labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.transferability.labelled import labelled, one_hot

Floats = NDArray[np.float64]

RATIOS = np.geomspace(float(np.finfo(np.float32).eps) ** 2, 1e8, 221)
"""Where α/β is looked for, in units of the largest eigenvalue of F Fᵀ.

Less noise than features rounded to float32 have is not looked for: where they reproduce the
labels exactly, as with fewer images than features and one image twice, the evidence would grow
without bound.
"""


def logme(features: NDArray[Any], labels: NDArray[Any]) -> float:
    """Logarithm of the maximum evidence per image, mean over the classes.

    For each class y is 1 for its images and 0 for others, y ~ N(F w, I/β), w ~ N(0, I/α). The
    evidence is maximised over α and β: for a given ratio δ = α/β the best α is known, and the
    rest is a search over δ. It finds what the paper's fixed-point iteration converges to, and
    the limit where that runs off to δ → ∞ or to the rounding of the features.

    Parameters
    ----------
    features
        F, shape (n, d), neither centred nor scaled.
    labels
        Classes, shape (n,).

    Returns
    -------
    float
        In nats per image. Rotating the features or multiplying them by a number changes nothing.

    Raises
    ------
    InputError
        See ``labelled``.

    References
    ----------
    You et al., LogME: practical assessment of pre-trained models for transfer learning,
    ICML 2021, equation 2 and algorithm 1.
    """
    F, codes = labelled(features, labels)
    n = len(F)
    Y = one_hot(codes)
    U, s, _ = np.linalg.svd(F, full_matrices=False)
    rank = int(np.count_nonzero(s > s[0] * max(F.shape) * np.finfo(float).eps))
    U = U[:, :rank]
    # Of F Fᵀ, in units of the largest: the best α changes with the unit, the evidence does not.
    eigenvalues = (s[:rank] / s[0]) ** 2
    explained = U.T @ Y
    left_over = ((Y - U @ explained) ** 2).sum(axis=0)
    if rank == n:
        left_over = np.zeros_like(left_over)
    highest = [
        _highest_evidence(eigenvalues, of_class**2, rest, n)
        for of_class, rest in zip(explained.T, left_over, strict=True)
    ]
    return float(np.mean(highest) / n)


def _highest_evidence(eigenvalues: Floats, squares: Floats, rest: float, n: int) -> float:
    """Maximise the evidence over δ: the best of a grid, refined between its neighbours."""
    from scipy.optimize import minimize_scalar

    def evidence(log_ratio: Floats) -> Floats:
        return _evidence(np.exp(log_ratio), eigenvalues, squares, rest, n)

    grid = np.log(RATIOS)
    values = evidence(grid)
    best = int(values.argmax())
    ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    refined = minimize_scalar(
        lambda at: -evidence(np.array([at]))[0], bounds=ends, method="bounded"
    )
    return max(float(values[best]), -float(refined.fun))


def _evidence(ratios: Floats, eigenvalues: Floats, squares: Floats, rest: float, n: int) -> Floats:
    """Return log p(y | F, α, β) at the best α for each ratio δ = α/β, shape (ratios,).

    Marginally y ~ N(0, C/α) with C = δI + F Fᵀ, so the best α is n / yᵀC⁻¹y. In the basis U of
    the left singular vectors C is diagonal.
    """
    spread = ratios[:, None] + eigenvalues
    length = (1 / spread) @ squares + rest / ratios  # yᵀC⁻¹y
    log_determinant = np.log(spread).sum(axis=1) + (n - len(eigenvalues)) * np.log(ratios)
    return np.asarray(-0.5 * (n * np.log(2 * np.pi * length / n) + n + log_determinant))
