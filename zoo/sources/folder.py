"""A folder of class folders, with or without train, validation and test folders above them."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.images import CorruptImageError, check_bytes, header_size
from zoo.sources.layout import Layout, Parts, Tree, is_hidden, is_image, read_layout, shown
from zoo.sources.source import Item, file_or_error


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
        self.name = shown(path.resolve().name)
        digest, tree = hashlib.sha256(), Tree()
        for parts, entry in _walk(path, (), (os.path.realpath(path),)):
            if entry is None:
                tree.add_folder(parts)
            elif tree.add_file(parts):
                digest.update(os.fsencode("/".join(parts)) + _status(entry))
        self._layout: Layout = read_layout(tree, f"folder '{shown(str(path))}'")
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
            image = file_or_error(functools.partial(_content, path))
            yield Item(image, label, split, shown(*parts))

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield (height, width) of every image, from its header."""
        for _, path, _ in self._images():
            try:
                _check_file(path)
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
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"folder '{folder}' cannot be read ({error.strerror}); change its permissions"
        ) from None
    for entry in entries:
        inner = (*parts, entry.name)
        if not _is_folder(entry):
            yield inner, entry
        elif not is_hidden(entry.name):
            real = os.path.realpath(entry.path)
            if real not in above:
                yield inner, None
                yield from _walk(entry.path, inner, (*above, real))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder, or a link that leads to one."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _status(entry: os.DirEntry[str]) -> bytes:
    """Return what changes when a file, or whether it can be read, does."""
    try:
        status = entry.stat()
    except OSError as error:
        return f"\0{error.strerror}\0".encode()
    return f"\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_mode}\0".encode()


def _check_file(path: str) -> None:
    """Refuse what would not end when read, or hardly."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise CorruptImageError(str(error.strerror)) from None
    if not stat.S_ISREG(status.st_mode):
        raise CorruptImageError("not a plain file")
    check_bytes(status.st_size)


def _content(path: str) -> bytes:
    """Read an image."""
    _check_file(path)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CorruptImageError(str(error.strerror)) from None
