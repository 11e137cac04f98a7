"""From a run's checkpoint to a file that stands alone: the trained base with its classifier."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from ncselect.head import logits
from ncselect.pretrained import PretrainedNetwork
from ncselect.run import Run, RunWriter
from ncselect.spec import RunSpec
from ncselect.types import best_epoch
from zoo.candidate import content_digest
from zoo.datasets import Dataset
from zoo.models import Candidate
from zoo.standalone import keep_class_names, standalone


def rehearse(
    spec: RunSpec, candidate: Candidate, dataset: Dataset, *, resizes: bool = False
) -> None:
    """Build what will be saved, without weights, before anything is trained for it.

    Parameters are those of :func:`save`.

    Raises
    ------
    InputError, WeightsUnavailableError
        If the candidate cannot be built or its network cannot stand alone.
    """
    network = standalone(
        candidate,
        dataset.image_shape,
        len(dataset.classes),
        head=_head(spec, dataset),
        resizes=resizes,
    )
    type(network).from_config(network.get_config())
    keras.utils.clear_session()  # what trains next finds Keras as it began


def save(
    file: Path,
    run: Run,
    writer: RunWriter,
    *,
    candidate: Candidate,
    dataset: Dataset,
    resizes: bool = False,
) -> None:
    """Save a trained network with its classifier, and its facts beside it.

    The file appears whole or not at all, and last. It has the weights after the last epoch, or
    after the best one where the run's settings ask for that.

    Parameters
    ----------
    file
        Where to; its folder exists.
    run, writer
        A run after its last epoch, with the test accuracy measured.
    candidate, dataset
        What the run trained, on what.
    resizes
        Whether the file takes images of any size and brings them to the dataset's.

    Raises
    ------
    ValueError
        If the checkpoint is that of another network.
    """
    record = run.record()
    best = best_epoch(record.observations) if run.spec.settings.restore_best else None
    saved_epoch = record.epochs if best is None else best
    keras.utils.clear_session()  # frees what has been trained
    network = standalone(
        candidate,
        dataset.image_shape,
        len(dataset.classes),
        seed=run.spec.seed,
        head=_head(run.spec, dataset),
        values=writer.variables() if best is None else writer.best_variables(),
        resizes=resizes,
    )
    draft = file.with_name(f".{file.stem}.draft.keras")
    network.save(draft, include_optimizer=False)
    keep_class_names(draft, dataset.classes)
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    PretrainedNetwork(
        file=file,
        spec=dataclasses.replace(run.spec, model=candidate.name),  # the run may have another name
        epochs=record.epochs,
        classes=tuple(dataset.classes),
        weights=record.facts["weights"],
        parameters=record.facts["parameters"],
        input_shape=tuple(network.input_shape[1:]),
        validation_accuracy=record.observations[saved_epoch].signals["validation-accuracy"],
        test_accuracy=record.truth[saved_epoch],
        digest=content_digest(draft),
        smallest_size=None if resizes else _smallest_size(candidate, network, record.facts),
        best_epoch=best,
        has_stopped=record.has_stopped,
    ).keep()
    writer.add_facts({"network_file": str(file)})
    os.replace(draft, file)


def _head(spec: RunSpec, dataset: Dataset) -> Callable[[Any], Any] | None:
    """Return what puts a run's probe unit on a base; None for a plain classifier."""
    if spec.settings.unit != "probe":
        return None
    return lambda features: logits(features, len(dataset.classes), spec.settings, seed=spec.seed)


def _smallest_size(
    candidate: Candidate, network: keras.Model, facts: Mapping[str, Any]
) -> int | None:
    """Return what a file of free size needs, unless it resizes what it is given."""
    if None not in network.input_shape[1:3] or facts["resized_to"] is not None:
        return None
    if candidate.smallest_size is not None or candidate.card is None:
        return candidate.smallest_size
    return candidate.card.smallest_size
