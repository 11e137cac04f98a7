"""N-LEEP: LEEP with a Gaussian mixture on the features in place of a source head."""

from __future__ import annotations

import warnings
from typing import Any

from numpy.typing import NDArray

from ncselect.numerics.transferability.labelled import labelled
from ncselect.numerics.transferability.leep import leep
from zoo.errors import InputError

ENERGY = 0.8
"""Share of the features' variance that the principal components keep."""

COMPONENTS_PER_CLASS = 5

IMAGES_PER_COMPONENT = 25
"""At least so many on average: with many classes and few images there are fewer components."""


def n_leep(features: NDArray[Any], labels: NDArray[Any], *, seed: int = 0) -> float:
    """LEEP of the posteriors of a Gaussian mixture fitted to the features' principal components.

    The mixture has full covariances and knows no labels. Its fit is scikit-learn's, from k-means,
    at most 100 steps; it need not have converged for its posteriors to be judged.

    Parameters
    ----------
    features
        Shape (n, d).
    labels
        Classes, shape (n,).
    seed
        Decides where the mixture's fit starts.

    Returns
    -------
    float
        Mean log-likelihood of the labels in nats, at most 0. Rotating, shifting or scaling the
        features changes nothing but rounding.

    Raises
    ------
    InputError
        If there are fewer than 50 images. Also see ``labelled``.

    References
    ----------
    Li et al., Ranking neural checkpoints, CVPR 2021: five components a class, 80% of the energy.
    """
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    values, codes = labelled(features, labels)
    components = min(
        COMPONENTS_PER_CLASS * int(codes.max() + 1), len(values) // IMAGES_PER_COMPONENT
    )
    if components < 2:
        raise InputError(
            f"{len(values)} images are too few for a Gaussian mixture; "
            f"give {2 * IMAGES_PER_COMPONENT} training images or more"
        )
    principal = PCA(n_components=ENERGY, svd_solver="covariance_eigh").fit_transform(values)
    principal /= principal[:, 0].std()  # so that the mixture's floor of variances is relative
    mixture = GaussianMixture(components, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        posteriors = mixture.fit(principal).predict_proba(principal)
    return leep(posteriors, labels)
