"""A tar or zip of class folders, read member by member; nothing is extracted to the disk."""

from __future__ import annotations

import functools
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.images import CorruptImageError, header_size
from zoo.sources.layout import Layout, Parts, Tree, is_hidden, is_image, read_layout
from zoo.sources.source import Item

_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, lzma.LZMAError)
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")


class ArchiveSource:
    """Images in a tar (also compressed) or zip file, in the order of the archive.

    Parameters
    ----------
    path
        The archive.

    Raises
    ------
    InputError
        If any member's name is absolute or leads out of the archive, or any member is a link or
        a device, even if it would not be read; if there are no images in class folders; if the
        archive is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = re.sub(r"\.(tar(\.\w+)?|tgz|tbz2?|txz|zip)$", "", path.name, flags=re.I)
        status = path.stat()
        self.identity: Mapping[str, Any] = {
            "kind": "archive",
            "path": str(path.resolve()),
            "bytes": status.st_size,
            "modified": status.st_mtime_ns,
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
        for parts, read in self._files():
            place = self._layout.place(parts) if is_image(parts) else None
            if place is not None:
                yield Item(read(), place[0], place[1], "/".join(parts))

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield (height, width) of every image, from its header."""
        for parts, read in self._files():
            if is_image(parts) and self._layout.place(parts) is not None:
                try:
                    yield header_size(read())
                except CorruptImageError:
                    continue

    @functools.cached_property
    def _layout(self) -> Layout:
        tree = Tree()
        for parts, read in self._members():
            if read is None:
                tree.add_folder(parts)
            else:
                tree.add_file(parts)
        return read_layout(tree, f"archive '{self._path}'")

    def _files(self) -> Iterator[tuple[Parts, Callable[[], bytes]]]:
        return ((parts, read) for parts, read in self._members() if read is not None)

    def _members(self) -> Iterator[tuple[Parts, Callable[[], bytes] | None]]:
        """Yield (parts, how to read it) for files and (parts, ``None``) for folders."""
        members = _zip_members if zipfile.is_zipfile(self._path) else _tar_members
        try:
            yield from members(self._path)
        except InputError:
            raise
        except _DAMAGED as error:
            raise InputError(
                f"archive '{self._path}' is damaged ({error}); download or pack it again"
            ) from None


def _tar_members(path: Path) -> Iterator[tuple[Parts, Callable[[], bytes] | None]]:
    with tarfile.open(path) as archive:
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # else one is kept for every image
            if not (member.isfile() or member.isdir()):
                kind = "link" if member.issym() or member.islnk() else "device"
                raise _hostile(path, member.name, f"is a {kind}")
            parts = _parts(path, member.name)
            if parts is None:
                continue
            if member.isdir():
                yield parts, None
            else:
                file = archive.extractfile(member)
                if file is not None:
                    yield parts, file.read


def _zip_members(path: Path) -> Iterator[tuple[Parts, Callable[[], bytes] | None]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _hostile(path, member.filename, "is a link")
            if member.flag_bits & 1:
                raise InputError(
                    f"archive '{path}': member '{member.filename}' is encrypted; "
                    "pack it again without a password"
                )
            parts = _parts(path, member.filename)
            if parts is not None:
                yield parts, (None if member.is_dir() else functools.partial(archive.read, member))


def _parts(path: Path, name: str) -> Parts | None:
    """Split a member's name; ``None`` for hidden folders' content and the top folder itself."""
    if _ABSOLUTE.match(name):
        raise _hostile(path, name, "has an absolute name")
    parts = tuple(part for part in re.split(r"[/\\]", name) if part not in ("", "."))
    if ".." in parts:
        raise _hostile(path, name, "leads out of the archive")
    if not parts or any(map(is_hidden, parts[:-1])):
        return None
    return parts


def _hostile(path: Path, member: str, fault: str) -> InputError:
    return InputError(
        f"archive '{path}': member '{member}' {fault}; images are only read from plain files "
        "inside the archive: pack it again without that member, and distrust where it came from"
    )
