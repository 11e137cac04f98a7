"""What a tree of image files means: which level names the classes, which the splits."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from zoo.errors import InputError
from zoo.images import EXTENSIONS
from zoo.sources.source import listed, split_named

Parts = tuple[str, ...]


@dataclass
class Tree:
    """The folders of a tree, gathered file by file.

    Attributes
    ----------
    images
        Folder (its path's parts) → number of images directly in it; 0 for empty ones.
    others
        Ending → number of files that are not images.
    """

    images: Counter[Parts] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)

    def add_folder(self, parts: Parts) -> None:
        """Count a folder, which may turn out to be an empty class."""
        self.images[parts] += 0

    def add_file(self, parts: Parts) -> bool:
        """Count a file; return whether it is an image."""
        if is_image(parts):
            self.images[parts[:-1]] += 1
            return True
        name = parts[-1]
        ending = os.path.splitext(name)[1].casefold()
        hidden = ".*" if ending and is_hidden(name) else ""
        self.others[hidden + ending or name] += 1
        return False


@dataclass(frozen=True)
class Layout:
    """Where an image's class and split stand in its path.

    Attributes
    ----------
    depth
        Number of leading folders that mean nothing.
    by_split
        Whether the next level is train, validation, test.
    folders
        The class folders, sorted.
    count
        Number of images that have a place.
    notes
        What was left out.
    """

    depth: int
    by_split: bool
    folders: tuple[str, ...]
    count: int
    notes: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their folders."""
        return tuple(map(shown, self.folders))

    def place(self, parts: Parts) -> tuple[int, str | None] | None:
        """Return (label, split) of an image by its path's parts; ``None`` if it has no class."""
        found = _place(parts[:-1], self.depth, self.by_split)
        return None if found is None else (self._labels[found[0]], found[1])

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_labels", {folder: label for label, folder in enumerate(self.folders)}
        )

    _labels: dict[str, int] = field(init=False, repr=False, compare=False)


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is an operating system's or an editor's own."""
    return name.startswith(".") or name == "__MACOSX"


def is_image(parts: Parts) -> bool:
    """Tell by its name whether a file is an image."""
    name = parts[-1]
    return not is_hidden(name) and PurePosixPath(name).suffix.casefold() in EXTENSIONS


def shown(*parts: str) -> str:
    """Return a path for people; a byte that is not UTF-8 is shown by its number."""
    return os.fsencode("/".join(parts)).decode(errors="backslashreplace")


def read_layout(tree: Tree, name: str) -> Layout:
    """Find the levels of a tree.

    Leading folders that hold everything but loose images are skipped. A level is the splits' if
    it has ``train`` and one of ``val``, ``valid``, ``validation``, ``test``; the class level
    follows, and deeper folders belong to their class.

    Parameters
    ----------
    tree
        All folders and how many images each holds.
    name
        What to call the tree in errors.

    Raises
    ------
    InputError
        If there are no images, or no class folders.
    """
    total = tree.images.total()
    if total == 0:
        raise InputError(
            f"{name} holds no images; give a folder with one folder of images per class "
            f"({', '.join(sorted(EXTENSIONS))})"
        )
    holding = [folder for folder, count in tree.images.items() if count]
    depth = 0
    deepest = max(map(len, holding))
    while deepest > depth + 1 and len({f[depth] for f in holding if len(f) > depth}) == 1:
        depth += 1
    if holding == [()]:
        raise InputError(
            f"{name} holds images but no class folders; move the images of each class into a "
            "folder of its own"
        )
    level = {folder[depth] for folder in tree.images if len(folder) > depth}
    splits = {split_named(part) for part in level} - {None}
    by_split = "train" in splits and len(splits) > 1
    classes: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    for folder, count in tree.images.items():
        found = _place(folder, depth, by_split)
        if found is not None:
            classes[found[0]] += count
        elif count:
            outside[shown(*folder) or "the top folder"] += count
    notes = []
    if outside:
        folders = listed(f"{folder} ({count:,})" for folder, count in sorted(outside.items()))
        notes.append(f"images outside the class folders ignored: {folders}")
    if tree.others:
        endings = listed(f"{shown(end)} ({count:,})" for end, count in tree.others.most_common())
        notes.append(f"files that are not images ignored: {endings}")
    return Layout(depth, by_split, tuple(sorted(classes)), total - outside.total(), tuple(notes))


def _place(folder: Parts, depth: int, by_split: bool) -> tuple[str, str | None] | None:
    """Return (class, split) of a folder, ``None`` if it is in no class folder."""
    inner = folder[depth:]
    if not by_split:
        return (inner[0], None) if inner else None
    split = split_named(inner[0]) if inner else None
    return (inner[1], split) if split is not None and len(inner) > 1 else None
