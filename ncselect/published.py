"""The built-in table: what is published of networks on other datasets.

``ncselect/data/README.md`` says where it comes from.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from zoo.cards import MODELS

Floats = NDArray[np.float64]

PUBLISHED_SCORES: Mapping[str, str] = MappingProxyType(
    {"linear-head": "frozen_head_accuracy", "n-leep": "n_leep", "logme": "logme"}
)
"""Score → column of the built-in table that orders networks as the score does."""


@dataclass(frozen=True)
class PublishedTable:
    """The built-in table.

    Attributes
    ----------
    models, datasets
        Names of its m rows and d columns.
    training_images
        Images each dataset was trained on, shape (d,).
    accuracy
        Test accuracy after fine-tuning, shape (m, d).
    scores
        Column of the file → values of the frozen networks, shape (m, d).
    imagenet_top1
        Accuracy on ImageNet of Keras's weights, shape (m,).
    """

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    training_images: Floats
    accuracy: Floats
    scores: Mapping[str, Floats]
    imagenet_top1: Floats


@functools.cache
def published() -> PublishedTable:
    """Return the built-in table."""
    text = (files("ncselect") / "data" / "experience.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    models = tuple(dict.fromkeys(row["model"] for row in rows))
    datasets = tuple(dict.fromkeys(row["dataset"] for row in rows))
    place = {(row["model"], row["dataset"]): row for row in rows}

    def column(name: str) -> Floats:
        return np.array([[float(place[m, d][name]) for d in datasets] for m in models])

    measured = list(rows[0])[list(rows[0]).index("fine_tuned_accuracy") + 1 :]
    return PublishedTable(
        models,
        datasets,
        column("training_images")[0],
        column("fine_tuned_accuracy"),
        MappingProxyType({name: column(name) for name in measured}),
        np.array([MODELS[name].top1 or _MOBILENET_V3_LARGE_TOP1 for name in models]),
    )


_MOBILENET_V3_LARGE_TOP1 = 0.756
"""The one that Keras's table lacks; documentation of ``keras.applications.MobileNetV3Large``."""
