"""The input that estimators take: finite values of labelled images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def finite(values: NDArray[Any], labels: NDArray[Any], what: str) -> Floats:
    """Return values of images as float64, shape (n, d), if they are finite and fit the labels.

    Parameters
    ----------
    values, labels
        One row and one label an image, shapes (n, d) and (n,).
    what
        What the values are, for the text of errors.

    Raises
    ------
    InputError
        If rows and labels do not fit each other, there are none, or a value is not finite.
    """
    if values.ndim != 2 or labels.shape != (len(values),) or not values.size:
        raise InputError(
            f"{what} of shape {values.shape} came with labels of shape {labels.shape}; "
            "give one row of values and one label an image"
        )
    infinite = int(np.count_nonzero(~np.isfinite(values).all(axis=1)))
    if infinite:
        raise InputError(
            f"{what} of {infinite:,} of {len(values):,} images are not finite; "
            "check the candidate's weights and preprocessing"
        )
    return values.astype(np.float64)


def labelled(
    values: NDArray[Any], labels: NDArray[Any], *, what: str = "features"
) -> tuple[Floats, Codes]:
    """Return values that can tell classes apart, and the labels renumbered from 0 without gaps.

    Parameters
    ----------
    values
        One row an image, shape (n, d).
    labels
        Their classes, any whole numbers, shape (n,).
    what
        What the values are, for the text of errors.

    Raises
    ------
    InputError
        See ``finite``; or if there are fewer than two classes, or all images have the same values.
    """
    checked = finite(values, labels, what)
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError("the images are of 1 class; give images of at least 2")
    if (checked == checked[0]).all():
        raise InputError(
            f"all images have the same {what}: there is nothing to tell classes apart by; "
            "check the candidate's weights and preprocessing, or give larger images"
        )
    return checked, codes


def headed(source: NDArray[Any], labels: NDArray[Any]) -> tuple[Floats, Codes]:
    """Return a source head's probabilities, each row's sum 1, and the labels renumbered.

    Parameters
    ----------
    source
        Probabilities of the K source classes for each image, shape (n, K).
    labels
        Target classes, shape (n,).

    Raises
    ------
    InputError
        See ``labelled``; or if the values are no probabilities.
    """
    theta, codes = labelled(source, labels, what="source probabilities")
    sums = theta.sum(axis=1, keepdims=True)
    if theta.min() < 0 or abs(sums - 1).max() > 0.01:
        raise InputError(
            f"source probabilities run from {theta.min():g} to {theta.max():g} and sum to between "
            f"{sums.min():g} and {sums.max():g} an image; give the head's outputs after its softmax"
        )
    return theta / sums, codes


def one_hot(codes: Codes) -> Floats:
    """Return membership of classes, shape (n, classes), from labels numbered without gaps."""
    return np.eye(int(codes.max()) + 1)[codes]
