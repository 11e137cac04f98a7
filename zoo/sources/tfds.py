"""tensorflow-datasets, read by a child process.

TensorFlow's memory, its hold on a GPU and what it prints stay in the child
(:mod:`zoo.sources.tfds_reader`); what comes back are encoded images, one after the other.
"""

from __future__ import annotations

import functools
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import InputError, UnknownNameError
from zoo.images import CorruptImageError, header_size
from zoo.sources.source import Item, listed, split_named

RECORD = struct.Struct("<qqq")
"""What precedes an image in the child's answer: split's position, label, bytes."""

_NAME = re.compile(r"(?P<name>\w+)(/(?P<config>[\w.+-]+))?(:(?P<version>\d+\.\d+\.\d+))?$")


class TfdsSource:
    """A data set of tensorflow-datasets; a prepared local copy is used before any download.

    Parameters
    ----------
    name
        ``NAME[/CONFIG][:VERSION]``.

    Raises
    ------
    InputError
        If the name is malformed, the data set cannot be downloaded, or it is not made of images
        with one class each.
    UnknownNameError
        If tensorflow-datasets does not know the name.
    """

    def __init__(self, name: str) -> None:
        match = _NAME.match(name)
        if match is None:
            raise InputError(f"dataset is 'tfds:{name}'; give tfds:NAME[/CONFIG][:VERSION]")
        self.name = f"tfds-{name}"
        folder = prepared_folder(match["name"], match["config"], match["version"])
        if folder is None:
            folder = Path(_ask("download", name)["folder"])
        self._folder = folder
        status = (folder / "dataset_info.json").stat()
        self.identity: Mapping[str, Any] = {
            "kind": "tfds",
            "folder": str(folder.resolve()),
            "bytes": status.st_size,
            "modified": status.st_mtime_ns,
        }

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, whether or not they have images."""
        return tuple(self._facts["classes"])

    @property
    def count(self) -> int:
        """Number of images in the splits that are used, unlabelled ones included."""
        return sum(self._facts["counts"][split] for split in self._splits)

    @property
    def notes(self) -> tuple[str, ...]:
        """Which splits were left out."""
        unused = [name for name in self._facts["counts"] if name not in self._splits]
        return (f"splits not used: {listed(unused)}",) if unused else ()

    def items(self) -> Iterator[Item]:
        """Yield every image that has a label; TFDS marks those without by -1."""
        names = list(self._splits)
        for split, position, label, image in _records(self._folder, self._facts, names):
            if label >= 0:
                yield Item(image, label, self._splits[split], f"{split} {position}")

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield the (height, width) that the features state, else of every image."""
        if self._facts["shape"] is not None:
            yield tuple(self._facts["shape"])
            return
        for item in self.items():
            assert isinstance(item.image, bytes)
            try:
                yield header_size(item.image)
            except CorruptImageError:
                continue

    @functools.cached_property
    def _facts(self) -> dict[str, Any]:
        return _ask("describe", str(self._folder))

    @functools.cached_property
    def _splits(self) -> dict[str, str | None]:
        """The data set's split → ours."""
        names = list(self._facts["counts"])
        known: dict[str, str | None] = {}
        for name in names:
            split = split_named(name)
            if split is not None and split not in known.values():
                known[name] = split
        if "train" in known.values():
            return known
        if len(names) == 1:
            return {names[0]: None}
        raise InputError(
            f"{self.name} has the splits {', '.join(names)} but none called train; "
            "give a data set that has one"
        )


def prepared_folder(name: str, config: str | None, version: str | None) -> Path | None:
    """Find a prepared copy without loading tensorflow-datasets.

    Parameters
    ----------
    name, config, version
        Of the data set. By default its default configuration, or the only one that is there, in
        its latest version.

    Returns
    -------
    Path | None
        The folder with its ``dataset_info.json``, in ``$TFDS_DATA_DIR``, else
        ``~/tensorflow_datasets``.

    Raises
    ------
    InputError
        If there are several configurations and none is the default one.
    """
    root = Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser() / name
    if not root.is_dir():
        return None
    if config is not None:
        return _latest(root / config, version)
    own = _latest(root, version)
    configs = sorted(
        entry.name for entry in root.iterdir() if entry.is_dir() and _latest(entry, version)
    )
    if own is not None or not configs:
        return own
    metadata = root / ".config" / "metadata.json"
    if metadata.is_file():
        default = json.loads(metadata.read_text(encoding="utf-8")).get("default_config_name")
        if default in configs:
            return _latest(root / default, version)
    if len(configs) > 1:
        raise InputError(
            f"dataset is 'tfds:{name}', which has several configurations: {', '.join(configs)}; "
            f"give one, such as tfds:{name}/{configs[0]}"
        )
    return _latest(root / configs[0], version)


def _latest(folder: Path, version: str | None) -> Path | None:
    """Return the folder of a version that is complete; the latest by default."""
    complete = [
        (tuple(map(int, entry.parent.name.split("."))), entry.parent)
        for entry in folder.glob("*/dataset_info.json")
        if re.fullmatch(r"\d+\.\d+\.\d+", entry.parent.name)
        and version in (None, entry.parent.name)
    ]
    return max(complete)[1] if complete else None


def _child(*arguments: str) -> subprocess.Popen[bytes]:
    """Start the reader."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    quiet = {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-m", "zoo.sources.tfds_reader", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **quiet},
    )


def _ask(*arguments: str) -> dict[str, Any]:
    """Return the reader's one-line answer, or raise what it says."""
    with _child(*arguments) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
    answer: dict[str, Any] = json.loads(line) if line else {}
    if "unknown" in answer:
        raise UnknownNameError("tfds dataset", answer["unknown"], answer["known"])
    if "error" in answer or not answer:
        why = answer.get("error", f"its reader ended with code {child.returncode}")
        raise InputError(f"dataset 'tfds:{arguments[1]}': {why}")
    return answer


def _records(
    folder: Path, facts: Mapping[str, Any], splits: list[str]
) -> Iterator[tuple[str, int, int, bytes]]:
    """Yield (split, position, label, encoded image)."""
    with _child("read", str(folder), facts["image"], facts["label"], *splits) as child:
        assert child.stdout is not None
        seen = dict.fromkeys(splits, 0)
        try:
            while header := child.stdout.read(RECORD.size):
                number, label, size = RECORD.unpack(header)
                split = splits[number]
                yield split, seen[split], label, child.stdout.read(size)
                seen[split] += 1
        finally:
            child.stdout.close()  # a reader that is no longer wanted ends by a broken pipe
            if child.poll() is None:
                child.terminate()
    short = [split for split in splits if seen[split] != facts["counts"][split]]
    if short:
        raise InputError(
            f"'{folder}' is damaged: {seen[short[0]]:,} of {facts['counts'][short[0]]:,} images "
            f"of split {short[0]} could be read; prepare the data set again"
        )
