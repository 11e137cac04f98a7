"""From a run's checkpoint to a file that stands alone: the trained base with its classifier."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from ncselect.pretrained import PretrainedNetwork
from ncselect.run import Run, RunWriter
from zoo.candidate import content_digest
from zoo.datasets import Dataset
from zoo.models import Candidate
from zoo.standalone import standalone


def rehearse(candidate: Candidate, dataset: Dataset) -> None:
    """Build what will be saved, without weights, before anything is trained for it.

    Raises
    ------
    InputError, WeightsUnavailableError
        If the candidate cannot be built or its network cannot stand alone.
    """
    network = standalone(candidate, dataset.image_shape, len(dataset.classes))
    type(network).from_config(network.get_config())
    keras.utils.clear_session()  # what trains next finds Keras as it began


def save(
    file: Path, run: Run, writer: RunWriter, *, candidate: Candidate, dataset: Dataset
) -> None:
    """Save a trained network with its classifier, and its facts beside it.

    The file appears whole or not at all, and last.

    Parameters
    ----------
    file
        Where to; its folder exists.
    run, writer
        A run of a plain classifier (``unit="classifier"``), after its last epoch and with the
        test accuracy measured.
    candidate, dataset
        What the run trained, on what.

    Raises
    ------
    ValueError
        If the checkpoint is that of another network.
    """
    record = run.record()
    keras.utils.clear_session()  # frees what has been trained
    network = standalone(
        candidate,
        dataset.image_shape,
        len(dataset.classes),
        seed=run.spec.seed,
        values=writer.variables(),
    )
    draft = file.with_name(f".{file.stem}.draft.keras")
    network.save(draft, include_optimizer=False)
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
        validation_accuracy=record.observations[-1].signals["validation-accuracy"],
        test_accuracy=record.truth[record.epochs],
        digest=content_digest(draft),
        smallest_size=_smallest_size(candidate, network, record.facts),
    ).keep()
    os.replace(draft, file)


def _smallest_size(
    candidate: Candidate, network: keras.Model, facts: Mapping[str, Any]
) -> int | None:
    """Return what a file of free size needs, unless it resizes what it is given."""
    if None not in network.input_shape[1:3] or facts["resized_to"] is not None:
        return None
    if candidate.smallest_size is not None or candidate.card is None:
        return candidate.smallest_size
    return candidate.card.smallest_size
