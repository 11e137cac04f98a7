"""A folder of class folders, with or without train, validation and test folders above them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.images import CorruptImageError, header_size
from zoo.sources.layout import Layout, Parts, Tree, is_hidden, is_image, read_layout
from zoo.sources.source import Item


class FolderSource:
    """Images in folders, read in the order of their names.

    Parameters
    ----------
    path
        The folder.

    Raises
    ------
    InputError
        If there are no images in class folders, or a folder cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.resolve().name
        digest, tree = hashlib.sha256(), Tree()
        for parts, entry in _walk(path, (), (os.path.realpath(path),)):
            if entry is None:
                tree.add_folder(parts)
            elif tree.add_file(parts):
                status = entry.stat()
                digest.update(
                    f"{'/'.join(parts)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode()
                )
        self._layout: Layout = read_layout(tree, f"folder '{path}'")
        self.identity: Mapping[str, Any] = {
            "kind": "folder",
            "path": str(path.resolve()),
            "classes": list(self._layout.classes),
            "files": digest.hexdigest(),
        }

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the class folders."""
        return self._layout.classes

    @property
    def count(self) -> int:
        """Number of images."""
        return self._layout.count

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out."""
        return self._layout.notes

    def items(self) -> Iterator[Item]:
        """Yield every image."""
        for parts, path, (label, split) in self._images():
            yield Item(Path(path).read_bytes(), label, split, "/".join(parts))

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield (height, width) of every image, from its header."""
        for _, path, _ in self._images():
            try:
                yield header_size(path)
            except CorruptImageError:
                continue

    def _images(self) -> Iterator[tuple[Parts, str, tuple[int, str | None]]]:
        for parts, entry in _walk(self._path, (), (os.path.realpath(self._path),)):
            if entry is not None and is_image(parts):
                place = self._layout.place(parts)
                if place is not None:
                    yield parts, entry.path, place


def _walk(
    folder: str | Path, parts: Parts, above: tuple[str, ...]
) -> Iterator[tuple[Parts, os.DirEntry[str] | None]]:
    """Yield (parts, file) and (parts, ``None``) for folders, sorted; follows links, not in circles.

    ``above`` are the real paths of the folders that lead here.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(
                (entry for entry in found if not is_hidden(entry.name) or entry.is_file()),
                key=lambda entry: entry.name,
            )
    except OSError as error:
        raise InputError(
            f"folder '{folder}' cannot be read ({error.strerror}); change its permissions"
        ) from None
    for entry in entries:
        inner = (*parts, entry.name)
        if entry.is_dir():
            real = os.path.realpath(entry.path)
            if real not in above:
                yield inner, None
                yield from _walk(entry.path, inner, (*above, real))
        elif entry.is_file():
            yield inner, entry
