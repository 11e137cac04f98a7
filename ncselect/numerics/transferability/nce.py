"""NCE: how uncertain the target's classes stay once the source head's choice is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.transferability.labelled import headed


def negative_conditional_entropy(source: NDArray[Any], labels: NDArray[Any]) -> float:
    """Negative conditional entropy −H(Y | Z) of the labels given the source head's choice Z.

    Parameters
    ----------
    source
        Probabilities of the K source classes for each image, shape (n, K); Z is the likeliest,
        the first where several are.
    labels
        Target classes, shape (n,).

    Returns
    -------
    float
        In nats, at most 0.

    Raises
    ------
    InputError
        See ``headed``.

    References
    ----------
    Tran, Nguyen, Hassner, Transferability and hardness of supervised classification tasks,
    ICCV 2019.

    Examples
    --------
    >>> source = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    >>> negative_conditional_entropy(source, np.array([0, 0, 1, 1]))
    0.0
    """
    theta, y = headed(source, labels)
    z = theta.argmax(axis=1)
    counts = np.zeros((y.max() + 1, theta.shape[1]))
    np.add.at(counts, (y, z), 1.0)
    return float(np.log(counts[y, z] / counts.sum(axis=0)[z]).mean())
