"""Arrays that come as images and labels: what their numbers mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError

_CHUNK = 256  # images looked at or converted at a time


def check_shape(images: NDArray[Any], argument: str) -> None:
    """Refuse arrays that are not (n, h, w), (n, h, w, 1), (n, h, w, 3) or (n, h, w, 4).

    Raises
    ------
    InputError
        If the shape is another one.
    """
    shape = images.shape
    if images.ndim == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3, 4):
        raise InputError(
            f"{argument} has shape {shape}, channels first; give channels last: "
            f"np.moveaxis({argument}, 1, -1)"
        )
    if images.ndim not in (3, 4) or (images.ndim == 4 and shape[3] not in (1, 3, 4)):
        raise InputError(
            f"{argument} has shape {shape}; give images as (n, height, width) or "
            "(n, height, width, 1, 3 or 4 channels)"
        )
    if 0 in shape:
        raise InputError(f"{argument} has shape {shape}, which is empty; give at least one image")


def value_range(images: NDArray[Any]) -> tuple[float, float]:
    """Return the least and the greatest value, a chunk at a time; nan where one is nan."""
    chunks = range(0, len(images), _CHUNK)
    least = min(float(np.min(images[at : at + _CHUNK])) for at in chunks)
    greatest = [float(np.max(images[at : at + _CHUNK])) for at in chunks]
    return least, float(np.max(greatest))


def pixel_factor(dtype: np.dtype[Any], least: float, greatest: float, argument: str) -> int:
    """Return what to multiply values with to get 0 … 255.

    Integers are taken as they are; floating-point numbers in [0, 1] are stretched, in [0, 255]
    rounded; booleans are black and white.

    Parameters
    ----------
    dtype
        Of the images.
    least, greatest
        Their range.
    argument
        What to call them in errors.

    Returns
    -------
    int
        1 or 255.

    Raises
    ------
    InputError
        If the values have no such meaning.
    """
    if dtype.kind == "b":
        return 255
    if dtype.kind not in "uif":
        raise InputError(f"{argument} holds values of type {dtype}; give uint8 images")
    if not (least >= 0 and greatest <= 255):
        remedy = "divide by 256" if dtype.kind == "u" else "undo their normalisation"
        raise InputError(
            f"{argument} holds values from {least:g} to {greatest:g}; give uint8, or "
            f"floating-point numbers in [0, 1] or [0, 255]: {remedy} first"
        )
    return 255 if dtype.kind == "f" and greatest <= 1 else 1


def to_uint8(images: NDArray[Any], factor: int) -> NDArray[np.uint8]:
    """Return images × factor, rounded."""
    if images.dtype == np.uint8:
        return images.view(np.uint8)
    if images.dtype.kind == "f":
        images = np.rint(images * factor)
        factor = 1
    return images.astype(np.uint8) * np.uint8(factor)


def integer_labels(labels: Any, argument: str) -> NDArray[np.int64]:
    """Return labels of shape (n,) or (n, 1) as (n,).

    Raises
    ------
    InputError
        If they are not integers of at least 0, or of another shape.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        remedy = " for one-hot labels give labels.argmax(axis=1)" if labels.ndim == 2 else ""
        raise InputError(f"{argument} has shape {labels.shape}; give (n,) or (n, 1);{remedy}")
    if labels.dtype.kind not in "ui":
        raise InputError(
            f"{argument} holds {labels.dtype} values; give integers 0, 1, 2 …: "
            "np.unique(labels, return_inverse=True)[1] numbers the classes"
        )
    if labels.size and labels.min() < 0:
        raise InputError(
            f"{argument} holds the label {labels.min()}; give integers of at least 0, and leave "
            "unlabelled images out"
        )
    codes: NDArray[np.int64] = labels.astype(np.int64)
    return codes


def class_names(greatest: int, count: int) -> tuple[str, ...]:
    """Name classes by their numbers, 0 … the greatest label.

    Raises
    ------
    InputError
        If there are fewer images than numbers: such labels are no classes.
    """
    if greatest >= count:
        raise InputError(
            f"labels go up to {greatest:,}, but there are {count:,} images; number the classes "
            "0, 1, 2 …: np.unique(labels, return_inverse=True)[1] does"
        )
    return tuple(str(label) for label in range(greatest + 1))
