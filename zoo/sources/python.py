"""Python objects: arrays, ``tf.data.Dataset``, Keras ``PyDataset``, Hugging Face datasets."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError
from zoo.sources.arrays import arrays_source
from zoo.sources.huggingface import HuggingFaceSource, is_huggingface
from zoo.sources.pixels import (
    check_shape,
    class_names,
    integer_labels,
    pixel_factor,
    to_uint8,
    value_range,
)
from zoo.sources.source import Item, Source, listed, split_named

_KINDS = (
    "a name, a path, (x, y), ((x_train, y_train), (x_test, y_test)), a tf.data.Dataset, a Keras "
    "PyDataset, a Hugging Face dataset, or a mapping of train, validation and test to these"
)
_ENDLESS = -1  # tf.data.INFINITE_CARDINALITY


def python_source(given: Any) -> Source:
    """Find out what kind of dataset a Python object is.

    Parameters
    ----------
    given
        See :func:`zoo.datasets.prepare`.

    Raises
    ------
    InputError
        If it is none of the kinds.
    """
    parts = _parts(given)
    if all(_is_pair(part) for part in parts.values()):
        return arrays_source(
            {split: (np.asarray(x), np.asarray(y)) for split, (x, y) in parts.items()}
        )
    if all(is_huggingface(part) for part in parts.values()):
        return HuggingFaceSource(parts)
    for part in parts.values():
        if not _is_batches(part):
            raise InputError(f"dataset is a {type(part).__name__}; give {_KINDS}")
    return BatchSource(parts)


class BatchSource:
    """Streams of (images, labels) batches, or of single (image, label) pairs.

    Parameters
    ----------
    parts
        Split, or ``None`` for unsplit → a ``tf.data.Dataset`` or ``PyDataset``.

    Raises
    ------
    InputError
        If one of them does not end.
    """

    identity: Mapping[str, Any] | None = None

    def __init__(self, parts: Mapping[str | None, Any]) -> None:
        self._parts_given = parts
        self.name = type(next(iter(parts.values()))).__name__.strip("_")
        if any(map(_is_endless, parts.values())):
            raise InputError(f"{self.name} never ends; remove .repeat(), or add .take(count)")

    @property
    def classes(self) -> tuple[str, ...]:
        """Numbers of the classes, 0 … the greatest label."""
        return class_names(self._survey[0], self.count)

    @property
    def count(self) -> int:
        """Number of images."""
        return self._survey[1]

    @property
    def notes(self) -> tuple[str, ...]:
        """How the values were read, if they are floating-point numbers."""
        _, _, kind, factor = self._survey
        top = 1 if factor == 255 else 255
        return (f"floating-point pixels read as values in [0, {top}]",) if kind == "f" else ()

    def items(self) -> Iterator[Item]:
        """Yield every image."""
        factor = self._survey[3]
        seen: dict[str | None, int] = {}
        for split, images, labels in self._batches():
            for pixels, label in zip(images, labels.tolist(), strict=True):
                position = seen.get(split, 0)
                seen[split] = position + 1
                yield Item(to_uint8(pixels, factor), label, split, f"{split or 'image'} {position}")

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield each batch's (height, width)."""
        for _, images, _ in self._batches():
            yield images.shape[1], images.shape[2]

    @functools.cached_property
    def _survey(self) -> tuple[int, int, str, int]:
        """Return greatest label, number of images, kind of values and factor, from one pass."""
        greatest_label, count, kinds = -1, 0, set()
        least, greatest = np.inf, -np.inf
        dtype = np.dtype(np.uint8)
        for _, images, labels in self._batches():
            low, high = value_range(images) if images.dtype != np.uint8 else (0.0, 255.0)
            least, greatest = np.fmin(least, low), np.maximum(greatest, high)
            greatest_label = max(greatest_label, int(labels.max()))
            count += len(labels)
            dtype = images.dtype
            kinds.add(dtype.kind)
        if count == 0:
            raise InputError(f"{self.name} yields no images; give one that can be read repeatedly")
        if len(kinds) > 1:
            raise InputError(f"{self.name} mixes types of images; give all of them as uint8")
        factor = pixel_factor(dtype, float(least), float(greatest), self.name)
        return greatest_label, count, dtype.kind, factor

    def _batches(self) -> Iterator[tuple[str | None, NDArray[Any], NDArray[np.int64]]]:
        """Yield (split, images (n, h, w[, c]), labels (n,))."""
        for split, part in self._parts_given.items():
            for element in _elements(part):
                if not isinstance(element, tuple | list) or len(element) not in (2, 3):
                    raise InputError(f"{self.name} must yield (images, labels)")
                images, labels = np.asarray(element[0]), np.asarray(element[1])
                if labels.ndim == 0:
                    images, labels = images[None], labels.reshape(1)
                codes = integer_labels(labels, "labels")
                check_shape(images, "images")
                if len(images) != len(codes):
                    raise InputError(
                        f"{self.name} yields {len(images)} images with {len(codes)} labels; "
                        "give one label per image"
                    )
                yield split, images, codes


def _parts(given: Any) -> dict[str | None, Any]:
    """Return split → dataset."""
    if isinstance(given, Mapping):
        parts: dict[str | None, Any] = {}
        for name, part in given.items():
            split = split_named(str(name))
            if split is None or split in parts:
                raise InputError(
                    f"dataset has the split '{name}' among {listed(map(str, given))}; "
                    "give train, validation and test, each once"
                )
            parts[split] = part
        if "train" not in parts:
            raise InputError("dataset has no split 'train'; give train, validation and test")
        return parts
    if isinstance(given, tuple | list) and len(given) == 2 and all(map(_is_pair, given)):
        return {"train": given[0], "test": given[1]}
    return {None: given}


def _is_pair(given: Any) -> bool:
    """Tell whether something is (x, y): two arrays, or what becomes arrays."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        return False
    return all(hasattr(part, "__array__") or isinstance(part, list) for part in given)


def _is_batches(given: Any) -> bool:
    """Tell whether something is a ``tf.data.Dataset`` or ``PyDataset``; imports neither."""
    return any(
        module is not None and isinstance(given, kind(module))
        for module, kind in (
            (sys.modules.get("tensorflow"), lambda tensorflow: tensorflow.data.Dataset),
            (sys.modules.get("keras"), lambda keras: keras.utils.PyDataset),
        )
    )


def _is_endless(part: Any) -> bool:
    """Tell whether a dataset says that it never ends."""
    if hasattr(part, "as_numpy_iterator"):
        return int(part.cardinality()) == _ENDLESS
    return part.num_batches is None


def _elements(part: Any) -> Iterator[Any]:
    """Iterate once over a dataset."""
    if hasattr(part, "as_numpy_iterator"):
        yield from part.as_numpy_iterator()
        return
    for number in range(part.num_batches):
        yield part[number]
