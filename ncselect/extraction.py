"""Images passed once through a candidate that is not trained: features, source probabilities."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ncselect.batches import Batches
from ncselect.features import SUBSET_SEED, TRAIN_IMAGES, VALIDATION_IMAGES
from ncselect.numerics.transferability import Features
from zoo.datasets import Dataset
from zoo.models import Candidate, build
from zoo.source_head import NoSourceHead, build_source_head

AT_ONCE = 64  # images per batch


def extracted(
    candidate: Candidate, dataset: Dataset, *, seed: int
) -> tuple[Features, dict[str, Any]]:
    """Return the features of a candidate's headless base, without source probabilities.

    Parameters
    ----------
    candidate, dataset
        The network and the images: at most ``TRAIN_IMAGES`` of the training split and
        ``VALIDATION_IMAGES`` of the validation split, every class with its share.
    seed
        Decides random weights.

    Returns
    -------
    Features
        Features (n, d) and labels (n,) of both splits.
    dict
        What happened to the candidate (see ``zoo.base.Base``), ``extraction_seconds``, and
        ``silent_images``, the share of training images whose features are all 0.

    Raises
    ------
    InputError, WeightsUnavailableError
        If the candidate cannot be built, as ``zoo.base.build``.
    """
    features, facts = _extracted(candidate, dataset, seed)
    keras.utils.clear_session()  # frees the network; what trains next finds Keras as it began
    return features, facts


def _extracted(
    candidate: Candidate, dataset: Dataset, seed: int
) -> tuple[Features, dict[str, Any]]:
    started = time.perf_counter()
    base = build(candidate, dataset.image_shape, seed=seed)
    train = dataset.stratified("train", TRAIN_IMAGES, SUBSET_SEED)
    validation = dataset.stratified("validation", VALIDATION_IMAGES, SUBSET_SEED)
    features = Features(
        train=_predicted(base.model, dataset, "train", train),
        train_labels=dataset.labels("train")[train],
        validation=_predicted(base.model, dataset, "validation", validation),
        validation_labels=dataset.labels("validation")[validation],
        classes=len(dataset.classes),
    )
    return features, {
        **base.facts,
        "extraction_seconds": time.perf_counter() - started,
        "silent_images": float((~features.train.any(axis=1)).mean()),
    }


def source_probabilities(candidate: Candidate, dataset: Dataset) -> NDArray[np.float32] | str:
    """Return the probabilities of the classes a candidate was pre-trained on.

    Returns
    -------
    NDArray[np.float32] or str
        Of the same training images as :func:`extracted`, shape (n, K), rows of sum 1; or why
        the candidate gives none, and the remedy.

    Raises
    ------
    WeightsUnavailableError
        If the weights of its classifier cannot be had here and now.
    """
    probabilities = _source_probabilities(candidate, dataset)
    keras.utils.clear_session()
    return probabilities


def _source_probabilities(candidate: Candidate, dataset: Dataset) -> NDArray[np.float32] | str:
    head = build_source_head(candidate, dataset.image_shape)
    if isinstance(head, NoSourceHead):
        return head.reason
    positions = dataset.stratified("train", TRAIN_IMAGES, SUBSET_SEED)
    return _predicted(head.model, dataset, "train", positions)


def _predicted(
    model: Any, dataset: Dataset, split: str, positions: NDArray[np.int64]
) -> NDArray[np.float32]:
    batches = Batches(dataset, split, AT_ONCE, order=positions)
    return np.asarray(model.predict(batches, verbose=0), dtype=np.float32)
