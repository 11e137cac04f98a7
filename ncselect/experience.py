"""What is known of networks from elsewhere: their final accuracies on other datasets.

It comes from the built-in table (``ncselect/data/experience.csv``), a file of one's own, or the
runs of a store.
"""

from __future__ import annotations

import csv
import functools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.stacking import ACCURACY, Known, ScoreWeights
from ncselect.types import Outcome, RunRecord
from zoo.cards import MODELS
from zoo.errors import InputError

Floats = NDArray[np.float64]

COLUMNS = ("model", "dataset", "accuracy")
"""Columns of a file of one's own; further ones are passed over."""

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
    """Return the built-in table; ``ncselect/data/README.md`` says where it comes from."""
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


@functools.cache
def built_in() -> tuple[Outcome, ...]:
    """Return the final accuracies of the built-in table."""
    table = published()
    return tuple(
        Outcome(model, dataset, float(accuracy))
        for model, row in zip(table.models, table.accuracy, strict=True)
        for dataset, accuracy in zip(table.datasets, row, strict=True)
    )


def read_experience(path: str | Path) -> tuple[Outcome, ...]:
    """Read a CSV file with the columns model, dataset, accuracy.

    Parameters
    ----------
    path
        The file; UTF-8, names in the first line, accuracies in [0, 1].

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or a line of it cannot be used; the text
        names the line.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"experience: cannot read '{path}' ({error}); give a CSV file with the columns "
            f"{','.join(COLUMNS)}"
        ) from error
    lines = csv.DictReader(text.splitlines())
    header = [name.strip().casefold() for name in lines.fieldnames or ()]
    lines.fieldnames = header
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(
            f"experience: '{path}' has no column '{missing[0]}'; its first line must name "
            f"{','.join(COLUMNS)}, it names {','.join(header) or 'nothing'}"
        )
    read = tuple(_outcome(row, f"'{path}', line {lines.line_num}") for row in lines)
    if not read:
        raise InputError(f"experience: '{path}' has no lines below its names; add some")
    return read


def _outcome(row: Mapping[str, str | None], where: str) -> Outcome:
    model, dataset, text = ((row[name] or "").strip() for name in COLUMNS)
    if not model or not dataset:
        raise InputError(f"experience: {where} names no {'dataset' if model else 'model'}")
    try:
        accuracy = float(text)
    except ValueError:
        accuracy = math.nan
    if not 0 <= accuracy <= 1:
        raise InputError(
            f"experience: {where} has the accuracy '{text}'; give a number between 0 and 1"
        )
    return Outcome(model, dataset, accuracy)


def outcomes(records: Iterable[RunRecord]) -> tuple[Outcome, ...]:
    """Return the final accuracies of runs that have ended.

    Parameters
    ----------
    records
        Runs of any store, with their truth; those without test accuracy after their last epoch
        are passed over, and so are failed ones.
    """
    return tuple(
        Outcome(name_in_experience(one), one.spec.dataset, one.truth[one.epochs])
        for one in records
        if one.status == "complete" and one.epochs in one.truth
    )


def name_in_experience(record: RunRecord) -> str:
    """Return the name under which experience knows a run's candidate.

    A network of the zoo with Keras's ImageNet weights and its default arguments has the name of
    its card, whatever it is called. Any other candidate has its own, with its weights where that
    is a card's name: what is known of the card is not known of it.
    """
    candidate = record.spec.candidate
    model = record.spec.model
    if is_as_published(candidate):
        return str(candidate["source"])
    if model.casefold() in _CARDS:
        return f"{model} with weights {candidate.get('weights', 'unknown')}"
    return model


def is_as_published(candidate: Mapping[str, Any]) -> bool:
    """Return whether a candidate is a network of the zoo as Keras distributes it.

    Parameters
    ----------
    candidate
        What decides its outcome, see ``zoo.candidate.Candidate.identity``.
    """
    return (
        candidate.get("kind") == "application"
        and candidate.get("source") in MODELS
        and not candidate.get("arguments")
        and candidate.get("weights") == "imagenet"
    )


def dataset_key(name: str) -> str:
    """Return a name that is the same for all names of a dataset.

    Case does not matter, nor a ``tfds:`` before it or a version after it; a name of
    ``zoo.datasets.DATASETS`` is that of its source.

    Examples
    --------
    >>> dataset_key("birds") == dataset_key("tfds:Caltech_Birds2011:0.1.1")
    True
    """
    from zoo.datasets import DATASETS  # it brings PIL along

    folded = name.strip().casefold().removeprefix("tfds:").partition(":")[0].replace("-", "_")
    card = DATASETS.get(folded)
    return card.tfds if card is not None and card.tfds else folded


def elsewhere(experience: Sequence[Outcome], datasets: Iterable[str]) -> tuple[Outcome, ...]:
    """Return what is known of other datasets than these, by any of their names."""
    here = {dataset_key(name) for name in datasets}
    return tuple(one for one in experience if dataset_key(one.dataset) not in here)


@dataclass(frozen=True)
class AccuracyTable:
    """Outcomes as a table.

    Attributes
    ----------
    models, datasets
        Names of the m rows, case folded, and d columns.
    accuracy
        Mean accuracy where a pair is known more than once, nan where it is not; shape (m, d).
    """

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    accuracy: Floats


def tabulated(experience: Sequence[Outcome]) -> AccuracyTable:
    """Bring outcomes into a table, sorted by name: their order does not matter."""
    pairs: dict[tuple[str, str], list[float]] = {}
    for one in experience:
        pair = one.model.strip().casefold(), dataset_key(one.dataset)
        pairs.setdefault(pair, []).append(one.accuracy)
    models = tuple(sorted({model for model, _ in pairs}))
    datasets = tuple(sorted({dataset for _, dataset in pairs}))
    accuracy = np.full((len(models), len(datasets)), math.nan)
    for (model, dataset), values in pairs.items():
        accuracy[models.index(model), datasets.index(dataset)] = np.mean(sorted(values))
    return AccuracyTable(models, datasets, accuracy)


def known_networks(
    names: Sequence[str], experience: Sequence[Outcome], dataset: str, quantities: Sequence[str]
) -> tuple[Known, NDArray[np.int64]]:
    """Return what is known of networks from other datasets, as ``stacked`` takes it.

    Parameters
    ----------
    names
        The candidates' names in experience, see :func:`name_in_experience`.
    experience
        Outcomes besides the built-in table.
    dataset
        The dataset that is ranked; what is known of it is left out.
    quantities
        Those of the weights.

    Returns
    -------
    tuple
        What is known, and the candidates' rows in it, shape (n,).
    """
    table = published()
    kept = [
        column
        for column, name in enumerate(table.datasets)
        if dataset_key(name) != dataset_key(dataset)
    ]
    own = tabulated(elsewhere(experience, [dataset]))
    folded = [name.casefold() for name in names]
    networks = list(
        dict.fromkeys([*(name.casefold() for name in table.models), *own.models, *folded])
    )
    values = np.full((len(quantities), len(networks), len(kept) + len(own.datasets)), math.nan)
    for quantity, name in enumerate(quantities):
        if name == ACCURACY:
            rows = [networks.index(model) for model in own.models]
            values[quantity, rows, len(kept) :] = own.accuracy
            values[quantity, : len(table.models), : len(kept)] = table.accuracy[:, kept]
        elif name in PUBLISHED_SCORES:
            scores = table.scores[PUBLISHED_SCORES[name]]
            values[quantity, : len(table.models), : len(kept)] = scores[:, kept]
        elif name == "imagenet-top1":
            values[quantity, : len(table.models), : len(kept)] = table.imagenet_top1[:, None]
    families = [family(name) for name in networks]
    numbered = {name: number for number, name in enumerate(dict.fromkeys(families))}
    images = np.concatenate([table.training_images[kept], np.full(len(own.datasets), math.nan)])
    known = Known(np.array([numbered[name] for name in families]), images, values, len(kept))
    return known, np.array([networks.index(name) for name in folded], dtype=np.int64)


@functools.cache
def score_weights() -> ScoreWeights:
    """Return what was learned from the built-in table of how scores go together."""
    text = (files("ncselect") / "data" / "score_weights.json").read_text(encoding="utf-8")
    return ScoreWeights.from_json(json.loads(text)["weights"])


def family(name: str) -> str:
    """Return the name of a network without the number that is its size.

    Networks of one design behave alike. Those whose sizes have names, such as MobileNetV3Small and
    MobileNetV3Large, differ too much to be told by one another.

    Examples
    --------
    >>> [family(name) for name in ("EfficientNetB3", "ResNet101V2", "ResNet101", "VGG16")]
    ['efficientnet', 'resnetv2', 'resnet', 'vgg']
    """
    folded = name.strip().casefold()
    if folded not in _CARDS:
        return folded
    return re.sub(_SIZES, "", folded)


_MOBILENET_V3_LARGE_TOP1 = 0.756
"""The one that Keras's table lacks; documentation of ``keras.applications.MobileNetV3Large``."""

_CARDS = {name.casefold() for name in MODELS}
_SIZES = r"(?<=vgg)\d+|(?<=resnet)\d+|(?<=densenet)\d+|(?<=efficientnet)b\d|(?<=efficientnetv2)b\d"
