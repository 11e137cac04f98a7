"""Hugging Face datasets: one Image column, one ClassLabel (or integer) column."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.images import CorruptImageError, header_size
from zoo.sources.source import Item


def is_huggingface(given: Any) -> bool:
    """Tell whether something is a Hugging Face dataset; imports nothing."""
    kind = getattr(sys.modules.get("datasets.arrow_dataset"), "Dataset", None)
    return kind is not None and isinstance(given, kind)


class HuggingFaceSource:
    """Images of Hugging Face datasets, as their encoded files.

    Parameters
    ----------
    parts
        Split, or ``None`` for unsplit → ``datasets.Dataset``.

    Raises
    ------
    InputError
        If there is no Image column, or no ClassLabel column, or more than one and none is called
        ``image`` or ``label``.
    """

    identity: Mapping[str, Any] | None = None

    def __init__(self, parts: Mapping[str | None, Any]) -> None:
        import datasets

        first = next(iter(parts.values()))
        self.name = str(first.info.dataset_name or "huggingface")
        image = _column(first.features, datasets.Image, "image")
        self._image, self._label = image, _column(first.features, datasets.ClassLabel, "label")
        self.classes = tuple(first.features[self._label].names)
        self.count = sum(len(part) for part in parts.values())
        self.notes: tuple[str, ...] = ()
        self._parts = {
            split: part.select_columns([image, self._label]).cast_column(
                image, datasets.Image(decode=False)
            )
            for split, part in parts.items()
        }

    def items(self) -> Iterator[Item]:
        """Yield every image that has a label."""
        for split, part in self._parts.items():
            for position, row in enumerate(part):
                label = row[self._label]
                if label is not None and label >= 0:
                    name = f"{split or 'image'} {position}"
                    yield Item(_encoded(row[self._image]), label, split, name)

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield (height, width) of every image, from its header."""
        for item in self.items():
            assert isinstance(item.image, bytes)
            try:
                yield header_size(item.image)
            except CorruptImageError:
                continue


def _column(features: Mapping[str, Any], kind: type, name: str) -> str:
    """Return the column of a kind."""
    found = [column for column, feature in features.items() if isinstance(feature, kind)]
    if name in found or len(found) == 1:
        return name if name in found else found[0]
    have = f"several {kind.__name__} columns: {', '.join(found)}" if found else "none"
    raise InputError(
        f"the Hugging Face dataset must have one {kind.__name__} column, but it has {have}; "
        f"cast or rename one to '{name}'"
    )


def _encoded(value: Mapping[str, Any]) -> bytes:
    """Return an undecoded image's file."""
    data = value["bytes"]
    return bytes(data) if data is not None else Path(value["path"]).read_bytes()
