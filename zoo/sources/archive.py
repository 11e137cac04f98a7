"""A tar or zip of class folders, read member by member; nothing is extracted to the disk."""

from __future__ import annotations

import contextlib
import functools
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.images import CorruptImageError, check_bytes, header_size
from zoo.sources.layout import Layout, Parts, Tree, is_hidden, is_image, read_layout, shown
from zoo.sources.source import Item, file_or_error

_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, RuntimeError, ValueError),
)
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
        self.name = re.sub(r"\.(tar(\.\w+)?|tgz|tbz2?|txz|zip)$", "", shown(path.name), flags=re.I)
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
                yield Item(file_or_error(read), place[0], place[1], shown(*parts))

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
        members = _tar_members if is_tar(self._path) else _zip_members
        with _undamaged(self._path):
            yield from members(self._path)


def is_tar(path: Path) -> bool:
    """Tell whether a file is a tar, compressed or not; asked first, as a tar may end in a zip."""
    try:
        return tarfile.is_tarfile(path)
    except EOFError:  # compressed, and cut in its first block
        return True


class _StrictTarInfo(tarfile.TarInfo):
    """A member's header; ``tarfile`` itself takes a damaged one for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _StrictTarInfo:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            assert archive.fileobj is not None
            while block := archive.fileobj.read(tarfile.RECORDSIZE):
                if any(block):
                    raise tarfile.ReadError("there is data after its end") from None
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None


def _tar_members(path: Path) -> Iterator[tuple[Parts, Callable[[], bytes] | None]]:
    with tarfile.open(path, tarinfo=_StrictTarInfo) as archive:
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
                yield parts, functools.partial(_tar_content, path, archive, member)


def _tar_content(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Read a member of a tar; what goes wrong is the tar's fault: members have no checksums."""
    check_bytes(member.size)
    file = archive.extractfile(member)
    assert file is not None
    with _undamaged(path):
        return file.read()


def _zip_members(path: Path) -> Iterator[tuple[Parts, Callable[[], bytes] | None]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _hostile(path, member.filename, "is a link")
            parts = _parts(path, member.filename)
            if parts is not None:
                folder = member.is_dir()
                yield parts, (None if folder else functools.partial(_zip_content, archive, member))


def _zip_content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a member of a zip; what goes wrong concerns it alone."""
    check_bytes(member.file_size)
    if member.flag_bits & 1:
        raise CorruptImageError("encrypted; pack it again without a password")
    try:
        return archive.read(member)
    except _DAMAGED as error:
        raise CorruptImageError(str(error)) from None


@contextlib.contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    """Turn what a damaged archive raises into one error."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(
            f"archive '{path}' is damaged ({error}); download or pack it again"
        ) from None


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
        f"archive '{path}': member '{shown(member)}' {fault}; images are only read from plain "
        "files inside the archive: pack it again without that member, and distrust where it came "
        "from"
    )
