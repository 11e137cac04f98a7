"""TransRate: how many more bits all features take than those of each class by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.transferability.labelled import labelled

Floats = NDArray[np.float64]

DISTORTION = 1e-4


def transrate(features: NDArray[Any], labels: NDArray[Any]) -> float:
    """Coding rate R(Z) of the features less that given the classes, Σ_c (n_c/n) R(Z_c).

    Z are the features, centred and scaled to a mean squared length of 1, so that the distortion
    ε = 1e-4 is relative to their spread: the paper's listing centres and does not scale, which
    lets the unit of a network's features decide. It averages over classes; the weights here are
    their shares, the same where classes are equally large.

    Parameters
    ----------
    features
        Shape (n, d).
    labels
        Classes, shape (n,).

    Returns
    -------
    float
        In nats per image, at least 0. Rotating, shifting or scaling the features changes nothing.

    Raises
    ------
    InputError
        See ``labelled``.

    References
    ----------
    Huang et al., Frustratingly easy transferability estimation, ICML 2022.
    """
    values, codes = labelled(features, labels)
    centred = values - values.mean(axis=0)
    Z = centred * (np.sqrt(len(centred)) / np.linalg.norm(centred))
    sizes = np.bincount(codes)
    given = sum(size * coding_rate(Z[codes == code]) for code, size in enumerate(sizes)) / len(Z)
    return float(coding_rate(Z) - given)


def coding_rate(Z: Floats) -> float:
    """Return R(Z, ε) = ½ log det(I + ZᵀZ/(n ε)), from the smaller Gram matrix of Z, (n, d)."""
    n, d = Z.shape
    gram = Z.T @ Z if d <= n else Z @ Z.T
    return float(np.linalg.slogdet(np.eye(len(gram)) + gram / (n * DISTORTION))[1] / 2)
