"""Nearest neighbours: accuracy of the plainest classifier there is on frozen features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.transferability.labelled import finite, labelled


def knn_accuracy(
    train: NDArray[Any],
    train_labels: NDArray[Any],
    validation: NDArray[Any],
    validation_labels: NDArray[Any],
    *,
    neighbours: int = 5,
) -> float:
    """Accuracy of a vote among the nearest training images by cosine.

    Parameters
    ----------
    train, validation
        Features, shapes (n, d) and (m, d). An image all of whose features are 0 is equally far
        from every other.
    train_labels, validation_labels
        Classes, shapes (n,) and (m,).
    neighbours
        k, how many vote; all training images where there are fewer.

    Returns
    -------
    float
        In [0, 1]. Where t classes tie for most votes and the right one is among them the image
        counts 1/t, the expectation of a tie broken at random.

    Raises
    ------
    InputError
        See ``labelled`` for training, ``finite`` for validation.

    References
    ----------
    Cover, Hart, Nearest neighbor pattern classification, 1967; as a measure of transferability:
    Sorkhei et al., k-NN as a simple and effective estimator of transferability, 2025.
    """
    from sklearn.neighbors import NearestNeighbors

    known, y = labelled(train, train_labels)
    asked = finite(validation, validation_labels, "validation features")
    search = NearestNeighbors(
        n_neighbors=min(neighbours, len(known)), metric="cosine", algorithm="brute"
    )
    nearest = search.fit(known).kneighbors(asked, return_distance=False)
    votes = np.zeros((len(asked), y.max() + 1))
    np.add.at(votes, (np.arange(len(asked))[:, None], y[nearest]), 1.0)
    leads = votes == votes.max(axis=1, keepdims=True)
    right = validation_labels[:, None] == np.unique(train_labels)
    return float(((leads & right).sum(axis=1) / leads.sum(axis=1)).mean())
