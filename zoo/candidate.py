"""A candidate: a network with its weights, named, before it is built."""

from __future__ import annotations

import functools
import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zoo.cards import MODELS, Card, Preprocessing

Kind = Literal["application", "file", "preset"]


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
        The card's name, the file's absolute path or the preset's name.
    arguments
        What the application is built with besides its defaults, such as ``{"alpha": 0.25}``.
    weights
        ``imagenet``, ``random`` or an absolute path; ``included`` for files and presets.
    preprocessing
        Overrides the card's; None keeps it. Files include their own unless it is stated here.
    """

    name: str
    kind: Kind
    source: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    weights: str = "imagenet"
    preprocessing: Preprocessing | None = None

    @property
    def card(self) -> Card | None:
        """The facts about the network, or None for files and presets."""
        return MODELS[self.source] if self.kind == "application" else None

    @property
    def parameters(self) -> int | None:
        """Weights of the headless base, or None where only building it would tell."""
        return None if self.card is None or self.arguments else self.card.parameters

    def to_json(self) -> dict[str, Any]:
        """Return the candidate as JSON values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "source": self.source,
            "arguments": dict(self.arguments),
            "weights": self.weights,
            "preprocessing": self.preprocessing,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Candidate:
        """Rebuild a candidate from :meth:`to_json`'s value."""
        return cls(**document)

    def identity(self) -> dict[str, Any]:
        """Return what decides the outcome of training it, as JSON values.

        Files are named by the SHA-256 of their content: moved or copied they are the same
        candidate, changed they are another. A file that does not exist is named
        ``missing:PATH``, so that the run that fails for it is not taken for a later one that
        finds it.
        """
        own = "included" if self.card is None else self.card.preprocessing
        return {
            "kind": self.kind,
            "source": content_digest(Path(self.source)) if self.kind == "file" else self.source,
            "arguments": dict(sorted(self.arguments.items())),
            "weights": (
                self.weights
                if self.weights in ("imagenet", "random", "included")
                else content_digest(Path(self.weights))
            ),
            "preprocessing": self.preprocessing or own,
        }


def content_digest(path: Path) -> str:
    """Return ``sha256:`` and the digest of a file's content, or ``missing:`` and its path.

    Of a ``.keras`` archive all but its metadata counts, which hold the time of saving: the same
    network saved twice has one digest.
    """
    if not path.is_file():
        return f"missing:{path}"
    facts = path.stat()
    return _digest(path, facts.st_mtime_ns, facts.st_size)


@functools.lru_cache(maxsize=256)
def _digest(path: Path, _modified: int, _size: int) -> str:
    digest = hashlib.sha256()
    if path.suffix == ".keras" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in sorted(set(archive.namelist()) - {"metadata.json"}):
                content = archive.read(name)
                digest.update(f"{name}\0{len(content)}\0".encode())
                digest.update(content)
    else:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return f"sha256:{digest.hexdigest()}"
