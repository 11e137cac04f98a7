"""What the paper prints: protocol and numbers, each with its place.

Source: *Neural Capacitance: A New Perspective of Neural Network Selection via Edge Dynamics*, ICLR
2022 text. Methods are named as here: ``capacitance`` is the paper's "Ours".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Table = Mapping[str, Mapping[str, tuple[float | None, ...]]]  # method → dataset → values

OURS = "capacitance"
NAMES: Mapping[str, str] = {
    OURS: "Ours",
    "best-value": "BSV",
    "last-value": "LSV",
    "bgrn": "BGRN",
    "cl": "CL",
    "lc": "LC",
}
"""Method → its name in the paper."""

HORIZON, REPEATS, BATCH_SIZE, LEARNING_RATE = 50, 20, 64, 1e-3  # section 5
MODELS = (  # section 5: AlexNet and sixteen of Keras
    "AlexNet",
    "VGG16",
    "VGG19",
    "ResNet50",
    "ResNet50V2",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "MobileNet",
    "MobileNetV2",
    "InceptionV3",
    "InceptionResNetV2",
    "Xception",
)


@dataclass(frozen=True)
class PaperDataset:
    """One of the five datasets as the paper used it.

    Attributes
    ----------
    title
        As the paper writes it.
    image_size
        Side in pixels.
    train, validation, test
        Images, where they follow from the text: it sets 15K of the original training images
        aside and keeps the original test split.
    """

    title: str
    image_size: int
    train: int | None
    validation: int | None
    test: int | None


DATASETS: Mapping[str, PaperDataset] = {  # section 5
    "cifar10": PaperDataset("CIFAR10", 32, 35_000, 15_000, 10_000),
    "cifar100": PaperDataset("CIFAR100", 32, 35_000, 15_000, 10_000),
    "svhn": PaperDataset("SVHN", 32, 58_257, 15_000, 26_032),
    "fashion_mnist": PaperDataset("Fashion MNIST", 32, 45_000, 15_000, 10_000),
    "birds": PaperDataset("Birds", 224, None, 15_000, None),
}

LENGTHS = (5, 10)  # of table 1

TABLE_1: Table = {  # Spearman's ρ after 5 and 10 epochs; LC's package failed once
    OURS: {
        "cifar10": (0.93, 0.98),
        "cifar100": (0.77, 0.80),
        "svhn": (0.84, 0.88),
        "fashion_mnist": (0.95, 0.89),
        "birds": (0.74, 0.79),
    },
    "best-value": {
        "cifar10": (0.86, 0.89),
        "cifar100": (0.55, 0.80),
        "svhn": (0.74, 0.78),
        "fashion_mnist": (0.53, 0.60),
        "birds": (0.52, 0.61),
    },
    "last-value": {
        "cifar10": (0.85, 0.87),
        "cifar100": (0.55, 0.80),
        "svhn": (0.73, 0.70),
        "fashion_mnist": (0.49, 0.45),
        "birds": (0.48, 0.45),
    },
    "bgrn": {
        "cifar10": (0.74, 0.78),
        "cifar100": (0.45, 0.60),
        "svhn": (0.63, 0.65),
        "fashion_mnist": (0.57, 0.59),
        "birds": (0.53, 0.52),
    },
    "lc": {
        "cifar10": (0.85, 0.85),
        "cifar100": (0.50, 0.58),
        "svhn": (0.44, 0.10),
        "fashion_mnist": (0.55, 0.61),
        "birds": (0.50, None),
    },
}

IMPROVEMENT: Mapping[str, tuple[float, ...]] = {  # table 1, "Imprv (%)"
    "cifar10": (9.1, 10.2),
    "cifar100": (38.3, -0.9),
    "svhn": (12.4, 13.3),
    "fashion_mnist": (65.3, 49.2),
    "birds": (40.1, 30.6),
}

TABLE_G2: Table = {  # seconds to predict, after 5 epochs
    OURS: {
        "cifar10": (0.491,),
        "cifar100": (0.414,),
        "svhn": (0.506,),
        "fashion_mnist": (0.493,),
        "birds": (0.460,),
    },
    "bgrn": {
        "cifar10": (0.610,),
        "cifar100": (0.628,),
        "svhn": (0.607,),
        "fashion_mnist": (0.625,),
        "birds": (0.636,),
    },
    "last-value": {
        "cifar10": (0.059,),
        "cifar100": (0.051,),
        "svhn": (0.074,),
        "fashion_mnist": (0.057,),
        "birds": (0.071,),
    },
    "best-value": {
        "cifar10": (0.049,),
        "cifar100": (0.045,),
        "svhn": (0.044,),
        "fashion_mnist": (0.046,),
        "birds": (0.044,),
    },
    "cl": {
        "cifar10": (3966.128,),
        "cifar100": (5256.478,),
        "svhn": (4690.507,),
        "fashion_mnist": (4552.194,),
        "birds": (4734.992,),
    },
}

RHO_F4: Mapping[str, float] = {  # figure F.4, AlexNet included
    "cifar10": 0.93,
    "cifar100": 0.77,
    "svhn": 0.84,
    "fashion_mnist": 0.95,
    "birds": 0.74,
}
ALEXNET = "AlexNet"  # Keras has none
DATASET_3A = "cifar10"  # figure 3a's; figures 2, 3b and 3c, too
RHO_3A_WITHOUT_ALEXNET = 0.92  # figure 3a's corner; its caption: 0.93 with AlexNet
ALEXNET_3A = (0.871, 0.868)  # figure 3a's caption: predicted, true
FAMILIES_2 = ("MobileNet", "ResNet", "DenseNet", "Inception", "VGG")  # figure 2's columns
WINDOWS_2: Mapping[str, tuple[int, float]] = {  # figure 2, row 3: t0 and BIC
    "MobileNet": (2, 3.2),
    "ResNet": (3, 3.3),
    "DenseNet": (3, 3.2),
    "Inception": (2, 3.3),
    "VGG": (4, 4.5),
}
COST_G6 = 1.332  # figure G.6: slope of T_β against T_train


def title(dataset: str) -> str:
    """Return what to call a dataset: the paper's title where it has one."""
    known = DATASETS.get(dataset)
    return dataset if known is None else known.title


def printed(table: Table, method: str, dataset: str, place: int) -> float | None:
    """Return a printed value; None where the paper has none.

    Parameters
    ----------
    table
        ``TABLE_1`` or ``TABLE_G2``.
    method, dataset
        Their names.
    place
        Position among the values of a cell: that of the observation length.
    """
    values = table.get(method, {}).get(dataset, ())
    return values[place] if place < len(values) else None
