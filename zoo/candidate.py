"""A candidate: a network with its weights, named, before it is built."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zoo.cards import MODELS, Card, Preprocessing

Kind = Literal["application", "file", "preset"]

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)
"""What reading an archive raises where bytes of it are wrong."""


@dataclass(frozen=True)
class Candidate:
    """A network with its weights, as it enters a ranking.

    Attributes
    ----------
    name
        As shown to the user.
    kind
        ``application``: a network of :data:`zoo.cards.MODELS`; ``file``: a ``.keras`` file;
        ``preset``: a keras-hub preset.
    source
        The card's name, the file's absolute path, or the preset's name or its folder's
        absolute path.
    arguments
        What the application is built with besides its defaults, such as ``{"alpha": 0.25}``.
    weights
        ``imagenet``, ``random`` or an absolute path; ``included`` for files and presets.
    preprocessing
        Overrides the card's; None keeps it. Files include their own unless it is stated here.
    smallest_size
        Pixels a side that images are enlarged to where they are smaller. None: the card's; files
        and presets take what comes.
    """

    name: str
    kind: Kind
    source: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    weights: str = "imagenet"
    preprocessing: Preprocessing | None = None
    smallest_size: int | None = None

    @property
    def card(self) -> Card | None:
        """The facts about the network, or None for files and presets."""
        return MODELS[self.source] if self.kind == "application" else None

    def to_json(self) -> dict[str, Any]:
        """Return the candidate as JSON values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "source": self.source,
            "arguments": dict(self.arguments),
            "weights": self.weights,
            "preprocessing": self.preprocessing,
            "smallest_size": self.smallest_size,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Candidate:
        """Rebuild a candidate from :meth:`to_json`'s value."""
        return cls(**document)

    def identity(self) -> dict[str, Any]:
        """Return what decides the outcome of training it, as JSON values.

        Files and folders are named by the SHA-256 of their content: moved or copied they are
        the same candidate, changed they are another. What does not exist is named
        ``missing:PATH``, what cannot be read ``unreadable:PATH``, so that the run that fails for
        it is not taken for a later one that reads it.
        """
        source = self.source
        if self.kind == "file":
            source = content_digest(Path(source))
        elif Path(source).is_absolute():
            source = _folder_digest(Path(source))
        own = "included" if self.card is None else self.card.preprocessing
        stated = {} if self.smallest_size is None else {"smallest_size": self.smallest_size}
        return {
            "kind": self.kind,
            "source": source,
            "arguments": dict(sorted(self.arguments.items())),
            "weights": (
                self.weights
                if self.weights in ("imagenet", "random", "included")
                else content_digest(Path(self.weights))
            ),
            "preprocessing": self.preprocessing or own,
            **stated,  # left out else: runs stored before it could be stated are found again
        }


def content_digest(path: Path) -> str:
    """Return ``sha256:`` and the digest of a file's content.

    Of a ``.keras`` archive all but its metadata counts, which hold the time of saving: the same
    network saved twice has one digest. A damaged archive is digested byte by byte.

    Returns
    -------
    str
        ``missing:`` or ``unreadable:`` and the path where there is no content to digest.
    """
    try:
        if not path.is_file():
            return f"missing:{path}"
        facts = path.stat()
        return _digest(path, facts.st_mtime_ns, facts.st_size)
    except OSError:
        return f"unreadable:{path}"


def _folder_digest(folder: Path) -> str:
    if not folder.is_dir():
        return f"missing:{folder}"
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = content_digest(path)
        if content.startswith("unreadable:"):
            return content
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\0".encode())
    return f"sha256:{digest.hexdigest()}"


@functools.lru_cache(maxsize=256)
def _digest(path: Path, _modified: int, _size: int) -> str:
    if path.suffix == ".keras":
        with contextlib.suppress(*DAMAGE):
            return _archive_digest(path)
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _archive_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with zipfile.ZipFile(path) as archive:
        for name in sorted(set(archive.namelist()) - {"metadata.json"}):
            content = archive.read(name)
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    return f"sha256:{digest.hexdigest()}"
