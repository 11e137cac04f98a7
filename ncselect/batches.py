"""Images of a split in batches, augmented on the way, for Keras's ``fit`` and for measuring."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from zoo.datasets import Dataset
from zoo.errors import InputError

SHIFT = 0.1  # flip-crop moves an image by up to this share of its side


class Batches(keras.utils.PyDataset):
    """Batches of a split: (uint8 images (n, h, w, 3), labels (n,)).

    Parameters
    ----------
    dataset, split
        Where the images come from.
    batch_size
        Images per batch; the last one may be smaller.
    order
        Positions in the split, in the order of reading; all of them by default.
    augmentation
        ``none``, ``flip`` or ``flip-crop``.
    seeds
        A batch's index → the seeds of its augmentation.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        batch_size: int,
        *,
        order: NDArray[np.int64] | None = None,
        augmentation: str = "none",
        seeds: Callable[[int], tuple[int, ...]] = lambda index: (0, index),
    ) -> None:
        super().__init__()
        self._dataset, self._split, self._size = dataset, split, batch_size
        self._order = np.arange(dataset.count(split)) if order is None else order
        self._labels = dataset.labels(split)
        self._augmentation, self._seeds = augmentation, seeds

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(len(self._order) / self._size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Return one batch."""
        positions = self._order[index * self._size : (index + 1) * self._size]
        images = self._dataset.images(self._split, positions)
        if self._augmentation != "none":
            rng = np.random.default_rng(self._seeds(index))
            images = augmented(images, self._augmentation, rng)
        return images, self._labels[positions]


def augmented(images: NDArray[np.uint8], kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return images flipped, or flipped and shifted, at random.

    Parameters
    ----------
    images
        Shape (n, h, w, channels); not changed.
    kind
        ``flip``: each image is mirrored left to right with probability ½. ``flip-crop``: also
        shifted by up to 10% of its side, the border filled by reflection.
    rng
        Where the chances come from.

    Raises
    ------
    InputError
        For another kind.
    """
    if kind not in ("flip", "flip-crop"):
        raise InputError(f"augmentation: '{kind}' is none of 'none', 'flip', 'flip-crop'")
    mirrored = rng.random(len(images)) < 0.5
    images = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
    if kind == "flip":
        return images
    height, width = images.shape[1:3]
    down, right = max(1, round(SHIFT * height)), max(1, round(SHIFT * width))
    padded = np.pad(images, ((0, 0), (down, down), (right, right), (0, 0)), mode="reflect")
    tops = rng.integers(0, 2 * down + 1, len(images))
    lefts = rng.integers(0, 2 * right + 1, len(images))
    return np.stack(
        [
            image[top : top + height, left : left + width]
            for image, top, left in zip(padded, tops, lefts, strict=True)
        ]
    )
