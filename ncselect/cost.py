"""How long a candidate's training and the extraction of its features will take."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ncselect.features import TRAIN_IMAGES, VALIDATION_IMAGES
from ncselect.spec import RunSpec
from ncselect.store import RunStore
from ncselect.types import RunRecord
from zoo.models import Candidate

STEP_PER_FORWARD = 3  # a training step costs about three forward passes
EFFICIENCY = 0.4  # of the matrix product's speed that fine-tuning reaches, between .2 and 1.2
TRACE_SECONDS = 25  # compiling a candidate's first step, typically
BUILD_SECONDS = 10  # building a candidate and compiling its forward pass, typically


@dataclass(frozen=True)
class Price:
    """Seconds that a candidate's training takes; nan where they are not known.

    Attributes
    ----------
    start
        From the start of its process to its first epoch: to build the network and compile it.
    epoch
        Of an epoch, with what is measured after it.
    basis
        What they rest on.
    """

    start: float
    epoch: float
    basis: str

    def training(self, epochs: int) -> float:
        """Return the seconds of one process and some epochs."""
        return self.start + epochs * self.epoch


ROUGH = "rough"
UNKNOWN = Price(math.nan, math.nan, "unknown")


def seconds_per_epoch(record: RunRecord) -> float:
    """Return what an epoch of a run took with its measuring, the median; nan before the first."""
    seen = [one.seconds + one.measuring_seconds for one in record.observations[1:]]
    return statistics.median(seen) if seen else math.nan


def measured_training(spec: RunSpec, records: Sequence[RunRecord]) -> Price:
    """Scale what the same candidate's epochs took in the store by images and pixels.

    What compiling took is the same for images of any number.
    """
    own = [one for one in records if one.spec.candidate == spec.candidate and one.epochs]
    if not own:
        return UNKNOWN
    seen = [seconds_per_epoch(one) / _trained_pixels(one.spec) for one in own]
    traced = [float(one.facts.get("trace_seconds", TRACE_SECONDS)) for one in own]
    return Price(
        start=statistics.median(traced) + BUILD_SECONDS,
        epoch=statistics.median(seen) * _trained_pixels(spec),
        basis="as stored runs",
    )


def measured_extraction(spec: RunSpec, store: RunStore) -> tuple[float, str]:
    """Scale what the same candidate's features took in the store by images and pixels.

    Returns
    -------
    tuple of float and str
        Seconds and what they rest on; nan if the store has none of its features.
    """
    seen = [
        stored.facts["extraction_seconds"] / _extracted_pixels(stored.spec["data"])
        for stored in store.features()
        if stored.key and stored.is_extracted and stored.spec["candidate"] == spec.candidate
    ]
    if not seen:
        return math.nan, UNKNOWN.basis
    return statistics.median(seen) * _extracted_pixels(spec.data), "as stored features"


@dataclass(frozen=True)
class RoughCost:
    """Seconds by a candidate's card: multiply-adds over what this machine reaches.

    Attributes
    ----------
    spec
        Images and threads.
    candidate
        A candidate that has a card.
    speed
        Threads → floating-point operations a second.
    """

    spec: RunSpec
    candidate: Candidate
    speed: Callable[[int], float]

    def training(self) -> Price:
        """Return the price of training."""
        epoch = STEP_PER_FORWARD * self._forward(_trained_images(self.spec))
        return Price(BUILD_SECONDS + TRACE_SECONDS, epoch, ROUGH)

    def extraction(self, *, source: bool) -> float:
        """Return the seconds of passing images through, through the source head too."""
        seconds = self._forward(_extracted_images(self.spec.data)) + BUILD_SECONDS
        if source and self.candidate.weights == "imagenet":
            images = min(int(self.spec.data["counts"]["train"]), TRAIN_IMAGES)
            seconds += self._forward(images, at_default_size=True) + BUILD_SECONDS
        return seconds

    def _forward(self, images: int, *, at_default_size: bool = False) -> float:
        card = self.candidate.card
        assert card is not None
        height, width, _ = self.spec.data["image_shape"]
        smallest = self.candidate.smallest_size or card.smallest_size
        area = max(height, smallest) * max(width, smallest)
        share = 1.0 if at_default_size else area / card.default_size**2
        arguments = self.candidate.arguments
        thinned = float(arguments.get("alpha", 1.0)) * float(arguments.get("width", 1.0))
        per_image = 2.0 * card.multiply_adds * thinned**2 * share
        threads = int(self.spec.environment["threads"])
        return float(per_image * images / (self.speed(threads) * EFFICIENCY))


def matrix_product_speed(threads: int) -> float:
    """Measure floating-point operations a second of a matrix product, for so many threads."""
    rng = np.random.default_rng(0)
    left = rng.random((768, 768), dtype=np.float32)
    left @ left
    started = time.perf_counter()
    for _ in range(4):
        left @ left
    per_core = 4 * 2 * 768**3 / (time.perf_counter() - started) / len(os.sched_getaffinity(0))
    return per_core * threads


def _trained_images(spec: RunSpec) -> int:
    """Return the images that pass between two observations."""
    images = int(spec.data["counts"]["train"])
    return spec.settings.observation_steps * min(spec.settings.batch_size, images) or images


def _trained_pixels(spec: RunSpec) -> float:
    height, width, _ = spec.data["image_shape"]
    return float(_trained_images(spec) * height * width)


def _extracted_pixels(data: Mapping[str, Any]) -> float:
    height, width, _ = data["image_shape"]
    return float(_extracted_images(data) * height * width)


def _extracted_images(data: Mapping[str, Any]) -> int:
    counts = data["counts"]
    return int(min(counts["train"], TRAIN_IMAGES) + min(counts["validation"], VALIDATION_IMAGES))
