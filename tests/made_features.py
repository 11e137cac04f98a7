"""Features of made images, and the table of estimators that judge them."""

from __future__ import annotations

import numpy as np

from ncselect.numerics.transferability.gbc import gbc
from ncselect.numerics.transferability.h_score import h_score
from ncselect.numerics.transferability.knn import knn_accuracy
from ncselect.numerics.transferability.leep import leep
from ncselect.numerics.transferability.linear_head import linear_head_accuracy
from ncselect.numerics.transferability.logme import logme
from ncselect.numerics.transferability.n_leep import n_leep
from ncselect.numerics.transferability.nce import negative_conditional_entropy
from ncselect.numerics.transferability.transrate import transrate


def made(n=60, d=5, classes=3, *, seed=0, apart=1.5, skew=True):
    """Return overlapping classes of unlike sizes and spreads, and as many to validate on."""
    rng = np.random.default_rng(seed)
    shares = np.arange(1, classes + 1) if skew else np.ones(classes)
    centres = apart * rng.normal(size=(classes, d)) + 0.7
    both = []
    for _ in range(2):
        labels = np.concatenate([np.arange(classes), np.arange(classes)])
        labels = np.concatenate(
            [labels, rng.choice(classes, n - len(labels), p=shares / shares.sum())]
        )
        spread = (0.5 + labels / classes)[:, None]
        both += [(centres[labels] + spread * rng.normal(size=(n, d))).astype(np.float32), labels]
    return tuple(both)


def probabilities(n=60, classes=3, source=7, *, seed=0):
    """Return a source head's outputs, some of them exactly 0, and labels they depend on."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(classes, size=n - classes)])
    logits = 1.5 * rng.normal(size=(classes, source))[labels] + rng.normal(size=(n, source))
    theta = np.exp(logits)
    theta[:, -1] = 0.0
    theta[theta < 0.05] = 0.0
    return (theta / theta.sum(axis=1, keepdims=True)).astype(np.float32), labels


def of_validation(estimator):
    return lambda seen: estimator(*seen)


def of_training(estimator):
    return lambda seen: estimator(*seen[:2])


ON_FEATURES = {
    "knn": of_validation(knn_accuracy),
    "linear-head": of_validation(linear_head_accuracy),
    "n-leep": of_training(n_leep),
    "logme": of_training(logme),
    "h-score": of_training(h_score),
    "gbc": of_training(gbc),
    "transrate": of_training(transrate),
}
ON_SOURCE = {"leep": leep, "nce": negative_conditional_entropy}
