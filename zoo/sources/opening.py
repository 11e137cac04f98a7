"""Which kind of source something is."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import InputError, UnknownNameError
from zoo.sources.archive import ArchiveSource, is_tar
from zoo.sources.arrays import digits_source, idx_source, npz_source
from zoo.sources.folder import FolderSource
from zoo.sources.source import Source

_REMEDY = "Or give tfds:NAME, or the path of a folder, tar, zip or npz that exists."


def open_source(source: Any, tfds: str | None, known: Sequence[str]) -> Source:
    """Find out what a source is, without reading its images.

    Parameters
    ----------
    source
        What :func:`zoo.datasets.prepare` takes.
    tfds
        Its name in tensorflow-datasets, if it is a known name.
    known
        The names that would have been understood.

    Raises
    ------
    InputError
        If it is none of the kinds, or cannot be read.
    """
    if tfds is not None:
        from zoo.sources.tfds import TfdsSource

        return TfdsSource(tfds)
    if isinstance(source, str) and source.startswith("tfds:"):
        from zoo.sources.tfds import TfdsSource

        return TfdsSource(source.removeprefix("tfds:"))
    if isinstance(source, str) and source == "digits":
        return digits_source()
    if isinstance(source, str | os.PathLike):
        return _open_path(source, known)
    from zoo.sources.python import python_source

    return python_source(source)


def _open_path(source: str | os.PathLike[str], known: Sequence[str]) -> Source:
    """Open a folder or file."""
    path = Path(source).expanduser()
    if not path.exists():
        if isinstance(source, str) and not path.suffix and os.sep not in source:
            raise UnknownNameError("dataset", source, known, _REMEDY)
        raise InputError(f"dataset: there is no file or folder '{path}'; give a path that exists")
    if path.is_dir():
        return idx_source(path) or FolderSource(path)
    if path.suffix.casefold() == ".npz":
        return npz_source(path)
    if is_tar(path) or zipfile.is_zipfile(path):
        return ArchiveSource(path)
    raise InputError(
        f"dataset: '{path}' is no tar, zip or npz file, or it is damaged; "
        "give one, or a folder of class folders"
    )
