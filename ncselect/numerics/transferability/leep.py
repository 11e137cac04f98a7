"""LEEP: how well a source head's probabilities, relabelled, predict the target's classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.transferability.labelled import headed, one_hot


def leep(source: NDArray[Any], labels: NDArray[Any]) -> float:
    """Log expected empirical prediction.

    Parameters
    ----------
    source
        Probabilities of the K source classes for each image, shape (n, K).
    labels
        Target classes, shape (n,).

    Returns
    -------
    float
        Mean log-likelihood of the labels in nats, at most 0.

    Raises
    ------
    InputError
        See ``headed``.

    References
    ----------
    Nguyen et al., LEEP: a new measure to evaluate transferability of learned representations,
    ICML 2020, equations 1 and 2.

    Examples
    --------
    >>> leep(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), np.array([0, 0, 1, 1]))
    0.0
    """
    theta, y = headed(source, labels)
    joint = one_hot(y).T @ theta / len(theta)  # P̂(y, z), section 3, step 2
    marginal = joint.sum(axis=0)
    conditional = np.divide(joint, marginal, out=np.zeros_like(joint), where=marginal > 0)
    expected = (conditional[y] * theta).sum(axis=1)  # equation 1
    return float(np.log(expected).mean())  # equation 2
