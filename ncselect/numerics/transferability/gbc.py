"""GBC: how little the classes, as Gaussians in the space of features, overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.transferability.labelled import labelled, one_hot
from zoo.errors import InputError

DIMENSIONS = 64


def gbc(features: NDArray[Any], labels: NDArray[Any]) -> float:
    """Gaussian Bhattacharyya coefficient −Σ exp(−D_B(i, j)) over ordered pairs of classes i ≠ j.

    Features are reduced to 64 principal components, or as many as there are; each class is a
    spherical Gaussian, its variance the mean over the components.

    Parameters
    ----------
    features
        Shape (n, d).
    labels
        Classes, shape (n,).

    Returns
    -------
    float
        At most 0, at least −C (C − 1) for C classes. Rotating, shifting or scaling the features
        changes nothing.

    Raises
    ------
    InputError
        If a class has no spread, as with a single image. Also see ``labelled``.

    References
    ----------
    Pándy et al., Transferability estimation using Bhattacharyya class separability, CVPR 2022.
    """
    from sklearn.decomposition import PCA

    values, codes = labelled(features, labels)
    d = min(DIMENSIONS, *values.shape)
    principal = PCA(n_components=d, svd_solver="covariance_eigh").fit_transform(values)
    members = one_hot(codes)
    sizes = members.sum(axis=0)
    means = (members.T @ principal) / sizes[:, None]
    variances = members.T @ ((principal - means[codes]) ** 2).mean(axis=1) / sizes
    flat = np.flatnonzero(variances <= np.finfo(float).eps * principal.var())
    if flat.size:
        raise InputError(
            f"{flat.size} of {len(sizes)} classes have no spread, such as one of "
            f"{int(sizes[flat[0]])} training image{'' if sizes[flat[0]] == 1 else 's'}; "
            "give at least 2 different images of each class"
        )
    apart = ((means[:, None] - means) ** 2).sum(axis=2)
    average = (variances[:, None] + variances) / 2
    logs = np.log(variances)
    distance = apart / (8 * average) + d / 2 * (np.log(average) - (logs[:, None] + logs) / 2)
    overlap = np.exp(-distance)
    return float(np.trace(overlap) - overlap.sum())
