"""How well fixed features, or a source head's outputs, tell a dataset's classes apart.

One estimator a file. Each takes arrays and returns a number: the higher, the better. Labels are
any whole numbers; what a class is called changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """What a base makes of a dataset's images, before any training.

    Attributes
    ----------
    train
        Features of the training images, shape (n, d).
    train_labels
        Their classes, shape (n,).
    validation
        Features of the validation images, shape (m, d).
    validation_labels
        Their classes, shape (m,).
    classes
        Number of classes the dataset has.
    source
        The source head's probabilities on the training images, shape (n, K), or None.
    no_source
        Why there is no source head, and the remedy; None where there is one.
    """

    train: NDArray[np.float32] = field(repr=False)
    train_labels: NDArray[np.int64] = field(repr=False)
    validation: NDArray[np.float32] = field(repr=False)
    validation_labels: NDArray[np.int64] = field(repr=False)
    classes: int
    source: NDArray[np.float32] | None = field(default=None, repr=False)
    no_source: str | None = None
