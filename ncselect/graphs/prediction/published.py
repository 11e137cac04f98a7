"""What Vahedian et al. print on predicting accuracies: thresholds, windows, errors.

Convolutional Neural Network Dynamics: A Graph Perspective (under review at ICLR 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.errors import UnknownNameError

THRESHOLDS: Mapping[str, Mapping[str, float]] = {
    "cifar10": {
        "lenet": 0.40, "alexnet": 0.40, "vgg": 0.40, "resnet32": 0.40, "resnet44": 0.40,
    },
    "imagenet": {"lenet": 0.09, "alexnet": 0.10, "resnet50": 0.25},
}  # fmt: skip
"""Dataset → architecture → accuracy above which a network is of the high class (Table 2).

``imagenet``: 100 classes of Tiny ImageNet at 32 × 32 pixels.
"""

NETWORKS: Mapping[str, str] = {
    "LeNet5": "lenet", "AlexNetSmall": "alexnet", "VGGSmall": "vgg", "ResNet32": "resnet32",
    "ResNet44": "resnet44", "ResNet50Small": "resnet50",
}  # fmt: skip
"""Network of the zoo → the paper's architecture."""

BALANCED_SAMPLE = 250
"""Networks of a classification, half of them high (appendix A.1)."""


@dataclass(frozen=True)
class PublishedError:
    """A cell of Table 3 or 4: linear regression on rolled degree signatures.

    Attributes
    ----------
    mae
        Mean absolute error, in points of per cent.
    r2
        Coefficient of determination.
    """

    mae: float
    r2: float


REGRESSION: Mapping[str, Mapping[str, Mapping[str, PublishedError]]] = {
    "imagenet": {
        "alexnet": {
            "3-5": PublishedError(4.10, 0.65),
            "5-7": PublishedError(3.96, 0.70),
            "7-9": PublishedError(2.70, 0.84),
        },
        "lenet": {
            "0-3": PublishedError(4.04, 0.30),
            "3-5": PublishedError(3.94, 0.34),
            "5-7": PublishedError(3.58, 0.46),
            "7-9": PublishedError(3.24, 0.54),
        },
        "resnet50": {
            "0-3": PublishedError(7.99, 0.57),
            "3-5": PublishedError(8.36, 0.60),
            "5-7": PublishedError(8.02, 0.62),
            "7-9": PublishedError(7.49, 0.67),
        },
    },
    "cifar10": {
        "lenet": {
            "0-2": PublishedError(14.95, 0.16),
            "1-3": PublishedError(14.67, 0.30),
            "3-5": PublishedError(17.09, 0.67),
            "5-7": PublishedError(12.49, 0.75),
        },
        "alexnet": {
            "0-2": PublishedError(18.712, 0.62),
            "1-3": PublishedError(18.57, 0.66),
            "3-5": PublishedError(18.4, 0.59),
            "5-7": PublishedError(16.74, 0.66),
        },
        "vgg": {
            "0-2": PublishedError(17.72, 0.62),
            "1-3": PublishedError(11.98, 0.81),
            "3-5": PublishedError(11.91, 0.81),
            "5-7": PublishedError(6.87, 0.94),
        },
        "resnet": {
            "0-2": PublishedError(19.84, 0.60),
            "1-3": PublishedError(19.41, 0.62),
            "3-5": PublishedError(17.63, 0.67),
            "5-7": PublishedError(18.28, 0.68),
        },
    },
}
"""Dataset → architecture → window → error (Tables 3 and 4).

The text's own figures for LeNet on CIFAR-10 at 5-7 are others: MAE 5.74, R² 0.91. A window a-b is
"a concatenation of two consecutive feature vectors", so b - a epochs; which ones it does not say.
"""


def high_threshold(dataset: str, architecture: str) -> float:
    """Return the accuracy, in [0, 1], above which a network is of the high class (Table 2).

    Parameters
    ----------
    dataset, architecture
        Keys of ``THRESHOLDS``.

    Raises
    ------
    UnknownNameError
        If Table 2 has no such dataset or architecture.

    Examples
    --------
    >>> high_threshold("imagenet", "lenet")
    0.09
    """
    remedy = "For others give a number or 'median' as the threshold."
    if dataset not in THRESHOLDS:
        raise UnknownNameError("dataset of Table 2", dataset, THRESHOLDS, remedy)
    if architecture not in THRESHOLDS[dataset]:
        known = THRESHOLDS[dataset]
        raise UnknownNameError(f"architecture of Table 2 on {dataset}", architecture, known, remedy)
    return THRESHOLDS[dataset][architecture]


def network_threshold(dataset: str, network: str) -> float:
    """Return the accuracy above which a network of the zoo is of the high class (Table 2).

    Parameters
    ----------
    dataset
        A key of ``THRESHOLDS``.
    network
        A key of ``NETWORKS``.

    Raises
    ------
    UnknownNameError
        If Table 2 has no such dataset or network.

    Examples
    --------
    >>> network_threshold("cifar10", "LeNet5")
    0.4
    """
    return high_threshold(dataset, NETWORKS.get(network, network))


def published_error(dataset: str, network: str, window: str) -> PublishedError | None:
    """Return the paper's errors of regressing a network of the zoo, None where it has none.

    Parameters
    ----------
    dataset, network
        As for :func:`network_threshold`.
    window
        Such as ``5-7``.
    """
    name = NETWORKS.get(network, network)
    cells = REGRESSION.get(dataset, {})
    return cells.get(name, cells.get(name.rstrip("0123456789"), {})).get(window)
