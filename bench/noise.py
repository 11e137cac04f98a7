"""Images of noise as a prepared dataset: what measurements of speed train on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.datasets import Dataset


def prepared_noise(images: int, size: int, cache: Path, *, classes: int = 5) -> Dataset:
    """Return a dataset of so many training images, and .32 times as many to validate and test."""
    import numpy as np

    from zoo.datasets import prepare

    rng = np.random.default_rng(0)
    held_out = max(classes, round(0.32 * images))
    total = images + 2 * held_out
    pixels = rng.integers(0, 256, (total, size, size, 3), dtype=np.uint8)
    return prepare(
        (pixels, rng.permutation(np.arange(total) % classes)),
        name="noise",
        train_size=images,
        validation_size=held_out,
        test_size=held_out,
        cache=cache,
    )
