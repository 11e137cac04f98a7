"""What every source of images gives: labelled images, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.images import CorruptImageError

SPLITS = ("train", "validation", "test")
"""The splits of a dataset, in the order of their indices in ``origins.npy``."""

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def split_named(name: str) -> str | None:
    """Return the split that people call ``name`` (train, val, valid, test …), if there is one."""
    return _SPLIT_NAMES.get(name.casefold())


@dataclass(frozen=True)
class Item:
    """One labelled image.

    Attributes
    ----------
    image
        An encoded file, or uint8 pixels of shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), or
        why neither can be had.
    label
        Index into the source's classes.
    split
        ``train``, ``validation`` or ``test`` where the source says so, else ``None``.
    name
        What a person would call the image: its path, or its position.
    """

    image: bytes | NDArray[np.uint8] | CorruptImageError
    label: int
    split: str | None
    name: str


class Source(Protocol):
    """A dataset before it is prepared. Nothing but labels may be kept in memory.

    Attributes
    ----------
    name
        For people.
    """

    name: str

    @property
    def identity(self) -> Mapping[str, Any] | None:
        """JSON values that change when the images do; ``None`` if only reading them can tell."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their labels."""

    @property
    def count(self) -> int | None:
        """Number of images, if it is known before reading them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about how the source was read."""

    def items(self) -> Iterator[Item]:
        """Yield every image, in an order that does not change."""

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield the (height, width) of every image that can be read, decoding none."""


def file_or_error(read: Callable[[], bytes]) -> bytes | CorruptImageError:
    """Return a file's content, or why it cannot be read."""
    try:
        return read()
    except CorruptImageError as error:
        return error


def listed(names: Iterable[str], limit: int = 5) -> str:
    """Join names for a sentence; beyond ``limit`` only their number is given."""
    names = list(names)
    text = ", ".join(names[:limit])
    return text if len(names) <= limit else f"{text} and {len(names) - limit:,} more"
