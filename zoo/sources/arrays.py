"""Images that are in memory as arrays: ``.npz``, idx files, scikit-learn's digits, Python's own."""

from __future__ import annotations

import functools
import gzip
import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError
from zoo.sources.pixels import (
    check_shape,
    class_names,
    integer_labels,
    pixel_factor,
    to_uint8,
    value_range,
)
from zoo.sources.source import Item

Parts = Mapping[str | None, tuple[NDArray[Any], NDArray[Any]]]
"""Split, or ``None`` for unsplit → (images, labels)."""

_UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
_NPZ_REMEDY = "save x_train, y_train, x_test, y_test with numpy.savez"
_IDX = re.compile(
    r"(?P<set>.*?(?P<split>train|test|t10k|valid|val))[-_](?P<what>images|labels)"
    r"[-.]idx[13][-.]ubyte(\.gz)?$"
)
_IDX_SPLITS = {"train": "train", "test": "test", "t10k": "test", "val": "validation"}


class ArraySource:
    """Arrays of images and labels.

    Parameters
    ----------
    name
        For people.
    identity
        What stands for the arrays' content.
    load
        Returns the arrays; called when the images are needed.
    """

    def __init__(self, name: str, identity: Mapping[str, Any], load: Callable[[], Parts]) -> None:
        self.name = name
        self.identity: Mapping[str, Any] = identity
        self._load = load

    @property
    def classes(self) -> tuple[str, ...]:
        """The numbers of the classes."""
        greatest = max(int(labels.max()) for _, labels in self._parts.values())
        return class_names(greatest, self.count)

    @property
    def count(self) -> int:
        """Number of images."""
        return sum(len(labels) for _, labels in self._parts.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """How the values were read, if they are not uint8."""
        images = next(iter(self._parts.values()))[0]
        if images.dtype.kind != "f":
            return ()
        top = 1 if self._factor == 255 else 255
        return (f"floating-point pixels read as values in [0, {top}]",)

    def items(self) -> Iterator[Item]:
        """Yield every image."""
        for split, (images, labels) in self._parts.items():
            for position, label in enumerate(labels.tolist()):
                pixels = to_uint8(images[position], self._factor)
                yield Item(pixels, label, split, f"{split or 'image'} {position}")

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield each array's (height, width)."""
        for images, _ in self._parts.values():
            yield images.shape[1], images.shape[2]

    @functools.cached_property
    def _parts(self) -> Parts:
        checked: dict[str | None, tuple[NDArray[Any], NDArray[np.int64]]] = {}
        for split, (images, labels) in self._load().items():
            ending = f"_{split}" if split else ""
            codes = integer_labels(labels, f"y{ending}")
            check_shape(images, f"x{ending}")
            if len(images) != len(codes):
                raise InputError(
                    f"x{ending} has {len(images):,} images but y{ending} {len(codes):,} labels; "
                    "give one label per image"
                )
            checked[split] = images, codes
        return checked

    @functools.cached_property
    def _factor(self) -> int:
        parts = [images for images, _ in self._parts.values()]
        if all(images.dtype == np.uint8 for images in parts):
            return 1
        ranges = [value_range(images) for images in parts]
        least, greatest = min(low for low, _ in ranges), max(high for _, high in ranges)
        kinds = {images.dtype.kind for images in parts}
        if len(kinds) > 1:
            raise InputError("the splits' images differ in their type; give all of them as uint8")
        return pixel_factor(parts[0].dtype, least, greatest, "the images' array")


def npz_source(path: Path) -> ArraySource:
    """Read a ``.npz`` with x_train, y_train and optionally x_val, y_val, x_test, y_test.

    Raises
    ------
    InputError
        When the images are needed, if keys are missing or the file is damaged.
    """
    return ArraySource(path.stem, _file_identity("npz", [path]), lambda: _read_npz(path))


def idx_source(folder: Path) -> ArraySource | None:
    """Read a folder of idx files, MNIST's format; ``None`` if it holds no such files.

    Raises
    ------
    InputError
        If a file of a pair is missing, or there is more than one set in the folder.
    """
    found: dict[tuple[str, str], Path] = {}
    for file in sorted(folder.iterdir()):
        match = _IDX.match(file.name)
        if match:
            split = _IDX_SPLITS[match["split"].replace("valid", "val")]
            key = split, match["what"]
            if key in found and found[key].name.removesuffix(".gz") != file.name.removesuffix(
                ".gz"
            ):
                raise InputError(
                    f"folder '{folder}' holds more than one set of idx files "
                    f"('{found[key].name}' and '{file.name}'); give a folder with one"
                )
            found[key] = file
    if not found:
        return None
    splits = sorted({split for split, _ in found})
    for split in splits:
        for what in ("images", "labels"):
            if (split, what) not in found:
                raise InputError(
                    f"folder '{folder}' has no {what} file of the {split} split; idx files come "
                    "in pairs such as train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"
                )
    pairs = {split: (found[split, "images"], found[split, "labels"]) for split in splits}

    def load() -> Parts:
        return {
            split: (_read_idx(images, 3), _read_idx(labels, 1))
            for split, (images, labels) in pairs.items()
        }

    return ArraySource(folder.resolve().name, _file_identity("idx", sorted(found.values())), load)


def digits_source() -> ArraySource:
    """Read scikit-learn's digits: 1,797 images of 8 × 8, values 0 … 16 stretched to 0 … 255."""

    def load() -> Parts:
        from sklearn.datasets import load_digits

        values, labels = load_digits(return_X_y=True)
        pixels = np.rint(values.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
        return {None: (pixels, labels)}

    return ArraySource("digits", {"kind": "digits"}, load)


def arrays_source(parts: Parts, name: str = "arrays") -> ArraySource:
    """Take arrays that are in memory; their content is hashed.

    Parameters
    ----------
    parts
        Split → (images, labels).
    name
        For people.
    """
    digest = hashlib.sha256()
    for split, pair in parts.items():
        for values in pair:
            digest.update(f"{split} {values.dtype} {values.shape}".encode())
            for chunk in np.array_split(values, max(1, values.nbytes >> 24)):
                digest.update(np.ascontiguousarray(chunk).data)
    return ArraySource(name, {"kind": "arrays", "sha256": digest.hexdigest()}, lambda: parts)


def _read_npz(path: Path) -> Parts:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise InputError(f"'{path}' is one array, an .npy file; {_NPZ_REMEDY}")
        with loaded as file:
            present = set(file.files)
            parts: dict[str | None, tuple[NDArray[Any], NDArray[Any]]] = {}
            for split, endings in (
                ("train", ("train",)),
                ("validation", ("val", "validation")),
                ("test", ("test",)),
            ):
                for ending in endings:
                    keys = {f"x_{ending}", f"y_{ending}"}
                    if keys & present and not keys <= present:
                        (absent,) = keys - present
                        raise InputError(f"'{path}' has no '{absent}'; {_npz_remedy(present)}")
                    if keys <= present:
                        parts[split] = file[f"x_{ending}"], file[f"y_{ending}"]
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(
            f"'{path}' cannot be read ({error}); save plain arrays with numpy.savez"
        ) from None
    if "train" not in parts:
        raise InputError(f"'{path}' has no 'x_train' and 'y_train'; {_npz_remedy(present)}")
    return parts


def _npz_remedy(present: set[str]) -> str:
    return f"it holds {', '.join(sorted(present)) or 'nothing'}; {_NPZ_REMEDY}"


def _read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read one idx file: magic number 0x0000 08 dimensions, sizes, then bytes."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"'{path}' is damaged ({error}); download it again") from None
    header = 4 + 4 * dimensions
    if data[:4] != bytes((0, 0, 8, dimensions)) or len(data) < header:
        raise InputError(
            f"'{path}' is no idx file of bytes with {dimensions} dimension(s); download it again"
        )
    shape = np.frombuffer(data, ">u4", dimensions, 4).astype(int).tolist()
    if len(data) - header != int(np.prod(shape)):
        raise InputError(
            f"'{path}' holds {len(data) - header:,} bytes where its header says {shape}; "
            "download it again"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _file_identity(kind: str, paths: list[Path]) -> dict[str, Any]:
    """Return what changes when one of the files does."""
    files = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    return {"kind": kind, "files": files}
