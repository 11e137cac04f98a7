"""A prepared dataset: images of one size in a flat file, and which of them are in which split."""

from __future__ import annotations

import dataclasses
import fcntl
import functools
import hashlib
import json
import math
import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.cache import IMAGES, META
from zoo.errors import InputError
from zoo.splits import SplitRequest, split, stratified

IN_MEMORY_BYTES = 512 * 2**20
"""Sets up to this size are read into memory once; of larger ones only what is asked for."""

LABELS, ORIGINS = "labels.npy", "origins.npy"


class IncompleteSetError(Exception):
    """A set that is not in the cache, or of which files are missing or cut; the text says which."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images, labels and splits that a run's process can open by itself.

    Made by :func:`zoo.datasets.prepare`, or by :meth:`from_json` in another process. As long as
    one exists its images are not removed from the cache.

    Attributes
    ----------
    name
        As shown to the user.
    classes
        Their names, in the order of the labels.
    image_shape
        (height, width, 3) of every image.
    folder
        Where the prepared images lie.
    request
        How the set was split.
    splits
        ``train``, ``validation``, ``test`` → sorted indices of the split's images.
    fingerprint
        SHA-256 of all pixels and labels, hexadecimal.
    notes
        What a person should know: resized, corrupt files skipped, what was split off.
    """

    name: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    folder: Path
    request: SplitRequest
    splits: Mapping[str, NDArray[np.int64]]
    fingerprint: str
    notes: tuple[str, ...]
    _file: int = dataclasses.field(repr=False)
    _labels: NDArray[np.int64] = dataclasses.field(repr=False)

    @classmethod
    def open(
        cls, folder: Path, name: str, request: SplitRequest, remarks: tuple[str, ...] = ()
    ) -> Dataset:
        """Open a set that lies in the cache and split it; ``remarks`` come before its notes.

        Raises
        ------
        IncompleteSetError
            If it is not there, or not whole.
        InputError
            If it cannot be split as requested.
        """
        try:
            file = os.open(folder / IMAGES, os.O_RDONLY)
        except OSError as error:
            raise IncompleteSetError(f"{IMAGES}: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_SH)  # see zoo.cache: what is open stays
            meta, labels, origins = _stored(folder, os.fstat(file).st_size)
            classes = tuple(meta["classes"])
            splits, notes = split(labels, origins, classes, request)
        except BaseException:
            os.close(file)
            raise
        opened = cls(
            name=name,
            classes=classes,
            image_shape=tuple(meta["image_shape"]),
            folder=folder,
            request=request,
            splits=splits,
            fingerprint=meta["fingerprint"],
            notes=(*remarks, *meta["notes"], *notes),
            _file=file,
            _labels=labels,
        )
        weakref.finalize(opened, os.close, file)
        os.utime(folder / IMAGES)
        return opened

    def count(self, split: str) -> int:
        """Return the number of images in a split."""
        return len(self._indices(split))

    def labels(self, split: str) -> NDArray[np.int64]:
        """Return a split's labels, shape (count,)."""
        return self._labels[self._indices(split)]

    def images(self, split: str, positions: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        """Return images of a split.

        Parameters
        ----------
        split
            ``train``, ``validation`` or ``test``.
        positions
            Which, as positions in the split, in the order wanted; all of them by default.

        Returns
        -------
        NDArray[np.uint8]
            Shape (images, height, width, 3).
        """
        indices = self._indices(split)
        if positions is not None:
            indices = indices[positions]
        if self._all_images is not None:
            return self._all_images[indices]
        images = np.empty((len(indices), *self.image_shape), dtype=np.uint8)
        for image, index in zip(images, indices.tolist(), strict=True):
            self._read_into(image, index)
        return images

    def stratified(self, split: str, size: int, seed: int) -> NDArray[np.int64]:
        """Choose a fixed part of a split in which every class keeps its share.

        Parameters
        ----------
        split
            ``train``, ``validation`` or ``test``.
        size
            How many images; all of them if the split has fewer.
        seed
            Decides which.

        Returns
        -------
        NDArray[np.int64]
            Sorted positions in the split, shape (min(size, count),).
        """
        labels = self.labels(split)
        return stratified(labels, min(size, len(labels)), np.random.default_rng(seed))

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers of a run on this dataset, as JSON values.

        That the split is in the images' order is named only where it is: runs on stratified parts
        keep the identity that they had before there were others.
        """
        in_order = {"in_order": True} if self.request.in_order else {}
        return {
            **in_order,
            "fingerprint": self.fingerprint,
            "image_shape": list(self.image_shape),
            "classes": len(self.classes),
            "splits": self._splits_digest(),
            "counts": {name: self.count(name) for name in self.splits},
        }

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` needs in another process, as JSON values."""
        return {
            "folder": str(self.folder),
            "name": self.name,
            "request": dataclasses.asdict(self.request),
            "identity": self.identity(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Dataset:
        """Open the same dataset in another process.

        Raises
        ------
        InputError
            If its images are gone or are no longer the same.
        """
        folder = Path(document["folder"])
        try:
            opened = cls.open(folder, document["name"], SplitRequest(**document["request"]))
        except IncompleteSetError as error:
            raise InputError(
                f"the prepared images of '{document['name']}' are no longer in '{folder}' "
                f"({error}); start the command again to prepare them"
            ) from None
        if opened.identity() != document["identity"]:
            raise InputError(
                f"the prepared images of '{document['name']}' in '{folder}' have changed; "
                "remove the folder and start the command again"
            )
        return opened

    @functools.cached_property
    def _all_images(self) -> NDArray[np.uint8] | None:
        """Every image of the set, shape (n, height, width, 3), if they may be kept in memory."""
        shape = (len(self._labels), *self.image_shape)
        if math.prod(shape) > IN_MEMORY_BYTES:
            return None
        return np.fromfile(self.folder / IMAGES, dtype=np.uint8).reshape(shape)

    def _read_into(self, image: NDArray[np.uint8], index: int) -> None:
        """Read one image from the file; no memory map, so that it is not counted as ours."""
        if os.preadv(self._file, [image.data], index * image.nbytes) != image.nbytes:
            raise OSError(f"'{self.folder / IMAGES}' is shorter than its labels; remove its folder")

    def _indices(self, split: str) -> NDArray[np.int64]:
        try:
            return self.splits[split]
        except KeyError:
            raise InputError(f"split is '{split}'; give {' or '.join(self.splits)}") from None

    def _splits_digest(self) -> str:
        digest = hashlib.sha256()
        for name, indices in self.splits.items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(indices, dtype="<i8").tobytes())
        return digest.hexdigest()


def _stored(
    folder: Path, image_bytes: int
) -> tuple[dict[str, Any], NDArray[np.int64], NDArray[np.int8]]:
    """Return a set's facts, labels and origins if they fit each other and its images."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        labels, origins = np.load(folder / LABELS), np.load(folder / ORIGINS)
        count = meta["count"]
        expected = count * math.prod(meta["image_shape"])
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise IncompleteSetError(str(error)) from None
    if not (labels.shape == origins.shape == (count,) and image_bytes == expected):
        raise IncompleteSetError(f"{IMAGES}, {LABELS} and {ORIGINS} are not {count:,} images'")
    return meta, labels, origins
