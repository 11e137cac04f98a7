"""What is known of networks from elsewhere: their final accuracies on other datasets.

It comes from the built-in table (``ncselect/data/experience.csv``), a file of one's own, or the
runs of a store.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.score_weights import ACCURACY, ScoreWeights
from ncselect.numerics.stacking import Known
from ncselect.published import PUBLISHED_SCORES, published
from ncselect.types import Outcome, RunRecord
from zoo.cards import MODELS
from zoo.errors import InputError

Floats = NDArray[np.float64]

COLUMNS = ("model", "dataset", "accuracy")
"""Columns of a file of one's own; further ones are passed over."""


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

    A network of the zoo as Keras distributes it has the name of its card, whatever it is called.
    Any other candidate has its own name, with what sets it apart where that is a card's name, and
    a digest of what it is: two files of one name are two networks. :func:`plain_name` takes the
    digest off.
    """
    candidate = record.spec.candidate
    name = record.spec.model
    if is_as_published(candidate):
        return str(candidate["source"])
    if name.casefold() in _CARDS:
        name = f"{name} with {_differences(candidate)}"
    text = json.dumps(dict(candidate), sort_keys=True, separators=(",", ":"))
    return f"{name} [{hashlib.sha256(text.encode()).hexdigest()[:16]}]"


def _differences(candidate: Mapping[str, Any]) -> str:
    """Say in what a candidate that has a card's name differs from the card's network."""
    arguments = candidate.get("arguments") or {}
    told = [f"{name}={value}" for name, value in arguments.items()]
    if candidate.get("weights") != "imagenet":
        told.append(f"weights {candidate.get('weights', 'unknown')}")
    return ", ".join(told) or f"preprocessing {candidate.get('preprocessing', 'unknown')}"


def plain_name(name: str) -> str:
    """Return a name in experience without its digest, as a file of one's own can give it."""
    return _DIGEST.sub("", name)


def row_of(name: str, rows: Mapping[str, int]) -> int | None:
    """Return the row in which something is known of a candidate, or None.

    Parameters
    ----------
    name
        Its name in experience, see :func:`name_in_experience`.
    rows
        Case folded name → row. What is known of this very candidate comes first; a plain name,
        as in a file of one's own, is that of any candidate of this name.
    """
    folded = name.strip().casefold()
    return rows.get(folded, rows.get(plain_name(folded)))


def is_as_published(candidate: Mapping[str, Any]) -> bool:
    """Return whether a candidate is a network of the zoo as Keras distributes it.

    Parameters
    ----------
    candidate
        What decides its outcome, see ``zoo.candidate.Candidate.identity``.
    """
    card = MODELS.get(str(candidate.get("source")))
    return (
        candidate.get("kind") == "application"
        and card is not None
        and not candidate.get("arguments")
        and candidate.get("weights") == "imagenet"
        and candidate.get("preprocessing") == card.preprocessing
    )


def dataset_key(name: str) -> str:
    """Return a name that is the same for all names of a dataset.

    Case, hyphens and underscores do not matter, nor a ``tfds:`` or ``tfds-`` before it or a
    configuration or version after it; a name of ``zoo.datasets.DATASETS`` is that of its source.

    Examples
    --------
    >>> dataset_key("birds") == dataset_key("tfds-Caltech_Birds2011:0.1.1")
    True
    >>> dataset_key("CIFAR-10") == dataset_key("tfds:cifar10/plain:3.0.2")
    True
    """
    folded = _folded(name)
    return _sources().get(folded, folded)


@functools.cache
def _sources() -> Mapping[str, str]:
    """Return the folded names of known datasets → those of their sources."""
    from zoo.datasets import DATASETS  # it brings PIL along

    return {_folded(card.name): _folded(card.tfds or card.name) for card in DATASETS.values()}


def _folded(name: str) -> str:
    plain = re.sub(r"^tfds[:-]", "", name.strip().casefold())
    return re.sub(r"[-_]", "", re.split(r"[/:]", plain, maxsplit=1)[0] or plain)


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
    networks = list(dict.fromkeys([*(name.casefold() for name in table.models), *own.models]))
    rows_known = {name: row for row, name in enumerate(networks)}
    found = [row_of(name, rows_known) for name in names]
    folded = [
        name.casefold() if row is None else networks[row]
        for name, row in zip(names, found, strict=True)
    ]
    networks = list(dict.fromkeys([*networks, *folded]))
    values = np.full((len(quantities), len(networks), len(kept) + len(own.datasets)), math.nan)
    for quantity, name in enumerate(quantities):
        if name == ACCURACY:
            rows = [rows_known[model] for model in own.models]
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


_DIGEST = re.compile(r" \[[0-9a-f]{16}\]$")
_CARDS = {name.casefold() for name in MODELS}
_SIZES = r"(?<=vgg)\d+|(?<=resnet)\d+|(?<=densenet)\d+|(?<=efficientnet)b\d|(?<=efficientnetv2)b\d"
