"""H-score: how much of the features' spread lies between the classes, with shrinkage."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.transferability.labelled import labelled, one_hot


def h_score(features: NDArray[Any], labels: NDArray[Any]) -> float:
    """Shrinkage-based H-score tr(Σ_α⁻¹ (1 − α) Σ_z).

    Σ_z is the covariance of the class means, Σ_α = (1 − α) Σ + α (tr Σ / d) I the Ledoit–Wolf
    estimate of the features' covariance Σ.

    Parameters
    ----------
    features
        Shape (n, d).
    labels
        Classes, shape (n,).

    Returns
    -------
    float
        Between 0 and the lesser of d and the number of classes less 1. Rotating, shifting or
        scaling the features changes nothing.

    Raises
    ------
    InputError
        See ``labelled``.

    References
    ----------
    Ibrahim, Ponomareva, Mazumder, Newer is not always better: rethinking transferability metrics,
    their peculiarities, stability and performance, ECML PKDD 2022 (H_α);
    Bao et al., An information-theoretic approach to transferability in task transfer learning,
    ICIP 2019 (H-score); Ledoit, Wolf, A well-conditioned estimator for
    large-dimensional covariance matrices, 2004 (α).
    """
    from sklearn.covariance import ledoit_wolf_shrinkage

    values, codes = labelled(features, labels)
    n, d = values.shape
    centred = values - values.mean(axis=0)
    alpha = ledoit_wolf_shrinkage(centred, assume_centered=True)
    variances, axes = np.linalg.eigh(centred.T @ centred / n)
    kept = variances > variances[-1] * max(n, d) * np.finfo(float).eps
    variances, axes = variances[kept], axes[:, kept]
    # In the basis of its principal axes Σ is diagonal; Σ_z has the diagonal below.
    members = one_hot(codes)
    sizes = members.sum(axis=0)
    means = members.T @ centred / sizes[:, None]
    between = (sizes / n) @ (means @ axes) ** 2
    shrunk = (1 - alpha) * variances + alpha * variances.sum() / d
    return float((1 - alpha) * (between / shrunk).sum())
