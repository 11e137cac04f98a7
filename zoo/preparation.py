"""From a stream of images to one flat file of equal ones, at the cost of a few of them."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.cache import FORMAT, IMAGES, META, Cache
from zoo.errors import InputError
from zoo.images import CorruptImageError, resized, rgb, strict_decoding
from zoo.prepared import LABELS, ORIGINS
from zoo.sources.source import SPLITS, Item, Source, listed

PAPER_SIZE = (224, 224)
"""Of the paper's bird images; sets of larger or of mixed sizes are brought to it."""

Progress = Callable[[int, int | None], None]

_BATCH_IMAGES, _BATCH_BYTES = 32, 4 * 2**20  # what a thread decodes at a time
_RESERVE_BYTES = 64 * 2**20  # how far ahead space is reserved if the number of images is unknown
_NAMED_FILES = 20  # in a note; an error names all


@dataclass(frozen=True)
class Decoded:
    """An image after decoding: its pixels and the size it had, or why there are none."""

    item: Item
    pixels: NDArray[np.uint8] | None
    size: tuple[int, int] | None = None
    error: str = ""


def write(
    source: Source,
    folder: Path,
    cache: Cache,
    *,
    image_size: int | None,
    skip_corrupt: bool,
    progress: Progress | None,
) -> str:
    """Write a source's images into an empty folder.

    ``images.bin`` gets the pixels, uint8 of shape (n, height, width, 3); ``labels.npy`` and
    ``origins.npy`` one number for each image, ``meta.json`` the rest.

    Parameters
    ----------
    source
        The images.
    folder
        Where to.
    cache
        Whose limit counts.
    image_size
        Side of the square images; ``None`` keeps a size that all images share, up to 224, else
        makes them 224 × 224.
    skip_corrupt
        Leave out what cannot be decoded instead of raising.
    progress
        Called with the number of images done and of all, if known.

    Returns
    -------
    str
        SHA-256 of all that was written, hexadecimal.

    Raises
    ------
    InputError
        If images are corrupt, there are too few classes, or space is short.
    """
    _check_classes(source.classes, source.name)
    with strict_decoding():
        size = _common_size(source) if image_size is None else (image_size, image_size)
        own_sizes: set[tuple[int, int] | None] = set()
        labels, origins = array("q"), array("b")
        corrupt: list[str] = []
        digest = hashlib.sha256()
        per_image = math.prod(size) * 3
        reserved = (source.count or 0) * per_image
        cache.reserve(reserved, folder)
        with (folder / IMAGES).open("wb") as file:
            for done, decoded in enumerate(_decoded(source.items(), size), start=1):
                if decoded.pixels is None:
                    corrupt.append(f"{decoded.item.name} ({decoded.error})")
                elif skip_corrupt or not corrupt:
                    if len(own_sizes) < 2:
                        own_sizes.add(decoded.size)
                    written = len(labels) * per_image
                    if written + per_image > reserved:
                        file.flush()
                        reserved = written + max(per_image, min(written, _RESERVE_BYTES))
                        cache.reserve(reserved, folder)
                    file.write(decoded.pixels.data)
                    digest.update(decoded.pixels.data)
                    labels.append(decoded.item.label)
                    origin = decoded.item.split
                    origins.append(-1 if origin is None else SPLITS.index(origin))
                if progress is not None and (done % 100 == 0 or done == source.count):
                    progress(done, source.count)
            file.flush()
            os.fsync(file.fileno())
    if corrupt and not skip_corrupt:
        raise InputError(
            f"{_files(len(corrupt), 'corrupt')} in {source.name}: {', '.join(corrupt)}; "
            "repair or remove them, or leave them out with --skip-corrupt"
        )
    classes, codes, class_notes = _present(source.classes, np.array(labels, dtype=np.int64))
    _check_classes(classes, source.name)
    notes = [*source.notes, *_size_notes(own_sizes, size), *class_notes]
    if corrupt:
        notes.append(f"{_files(len(corrupt), 'corrupt')} skipped: {listed(corrupt, _NAMED_FILES)}")
    digest.update(codes.astype("<i8").tobytes())
    digest.update(repr(size).encode())
    _save(folder / LABELS, codes)
    _save(folder / ORIGINS, np.array(origins, dtype=np.int8))
    meta = {
        "format": FORMAT,
        "source": source.identity,
        "classes": classes,
        "image_shape": [*size, 3],
        "count": len(codes),
        "fingerprint": digest.hexdigest(),
        "notes": notes,
    }
    text = json.dumps(meta, indent=1)
    (folder / META).write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode() + origins.tobytes()).hexdigest()


def _decoded(items: Iterator[Item], size: tuple[int, int]) -> Iterator[Decoded]:
    """Decode in a few threads, in order, holding only a few batches."""
    workers = min(4, os.cpu_count() or 1)
    waiting: deque[Future[list[Decoded]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        for batch in _batches(items, math.prod(size) * 3):
            waiting.append(pool.submit(_decode, batch, size))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _decode(batch: list[Item], size: tuple[int, int]) -> list[Decoded]:
    """Decode some images."""
    results = []
    for item in batch:
        try:
            if isinstance(item.image, CorruptImageError):
                raise item.image
            pixels = rgb(item.image)
            height, width, _ = pixels.shape
            results.append(Decoded(item, resized(pixels, size), (height, width)))
        except CorruptImageError as error:
            results.append(Decoded(item, None, error=str(error)))
    return results


def _batches(items: Iterator[Item], per_image: int) -> Iterator[list[Item]]:
    """Group images for the threads by what they take before or after decoding."""
    batch: list[Item] = []
    held = 0
    for item in items:
        batch.append(item)
        held += max(per_image, _bytes(item.image))
        if len(batch) == _BATCH_IMAGES or held >= _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _bytes(image: bytes | NDArray[np.uint8] | CorruptImageError) -> int:
    """Return what an image that is not decoded yet takes."""
    if isinstance(image, CorruptImageError):
        return 0
    return len(image) if isinstance(image, bytes) else image.nbytes


def _save(path: Path, values: NDArray[Any]) -> None:
    """Write an array; numpy's own writing to a file does not say why it failed."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    path.write_bytes(buffer.getvalue())


def _common_size(source: Source) -> tuple[int, int]:
    """Return the (height, width) that all images share if it is at most the paper's, else that."""
    own: tuple[int, int] | None = None
    for size in source.sizes():
        own = own or size
        if size != own or max(size) > max(PAPER_SIZE):
            return PAPER_SIZE
    return own or PAPER_SIZE


def _size_notes(own: set[tuple[int, int] | None], size: tuple[int, int]) -> list[str]:
    """Say which size the images had, if it was not the one they got."""
    if own <= {size}:
        return []
    (only, *others) = own
    kind = "mixed sizes" if others or only is None else f"{only[0]}×{only[1]}"
    return [f"images resized from {kind} to {size[0]}×{size[1]}"]


def _present(
    classes: tuple[str, ...], labels: NDArray[np.int64]
) -> tuple[tuple[str, ...], NDArray[np.int64], list[str]]:
    """Leave out classes without an image and number the others anew."""
    used, codes = np.unique(labels, return_inverse=True)
    empty = sorted(set(range(len(classes))) - set(used.tolist()))
    notes = []
    if empty:
        names = listed(classes[label] for label in empty)
        notes.append(f"classes without images left out: {names}")
    return tuple(classes[label] for label in used), codes.astype(np.int64), notes


def _check_classes(classes: tuple[str, ...], name: str) -> None:
    """Refuse what is no classification task."""
    if len(classes) < 2:
        found = f"one class ('{classes[0]}')" if classes else "no class"
        raise InputError(
            f"{name} has {found}; ranking needs at least 2: one folder, or one label, per class"
        )


def _files(count: int, kind: str) -> str:
    """Return ``1 corrupt file``, ``3 corrupt files``."""
    return f"{count:,} {kind} file{'' if count == 1 else 's'}"
