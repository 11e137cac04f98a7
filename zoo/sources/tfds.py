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
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from zoo.errors import InputError, UnknownNameError
from zoo.images import CorruptImageError, header_size
from zoo.sources.source import Item, listed

RECORD = struct.Struct("<qqq")
"""What precedes an image in the child's answer: split's position, label, bytes."""

Reader = subprocess.Popen[bytes]

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
            child = _child("download", name)
            folder = Path(_answer(child, name)["folder"])
            _end(child)
        self._folder = folder
        self._ready: list[Reader] = []
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
        return sum(self._facts["counts"][split] for split in self._facts["splits"])

    @property
    def notes(self) -> tuple[str, ...]:
        """Which splits were left out."""
        unused = [name for name in self._facts["counts"] if name not in self._facts["splits"]]
        return (f"splits not used: {listed(unused)}",) if unused else ()

    def items(self) -> Iterator[Item]:
        """Yield every image that has a label; TFDS marks those without by -1."""
        counts, splits = self._facts["counts"], self._facts["splits"]
        names, seen = list(splits), dict.fromkeys(splits, 0)
        child = self._ready.pop() if self._ready else self._reader()[0]
        assert child.stdout is not None
        try:
            for number, label, image in records(child.stdout):
                split = names[number]
                if label >= 0:
                    yield Item(image, label, splits[split], f"{split} {seen[split]}")
                seen[split] += 1
        finally:
            _end(child)
        short = [split for split in names if seen[split] != counts[split]]
        if short:
            raise InputError(
                f"'{self._folder}' is damaged: {seen[short[0]]:,} of {counts[short[0]]:,} images "
                f"of split {short[0]} could be read; prepare the data set again"
            )

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
        """What the reader says first; it goes on with the images, for :meth:`items`."""
        child, facts = self._reader()
        self._ready.append(child)
        return facts

    def _reader(self) -> tuple[Reader, dict[str, Any]]:
        """Start a reader, which ends with this source at the latest."""
        child = _child("read", str(self._folder))
        weakref.finalize(self, _end, child)
        return child, _answer(child, str(self._folder))


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


def records(answer: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Yield (split's position, label, encoded image) as long as the reader's answer is whole."""
    while len(header := answer.read(RECORD.size)) == RECORD.size:
        number, label, size = RECORD.unpack(header)
        image = answer.read(size)
        if len(image) < size:
            return
        yield number, label, image


def _child(*arguments: str) -> Reader:
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


def _answer(child: Reader, subject: str) -> dict[str, Any]:
    """Return the reader's first line, or raise what it says."""
    assert child.stdout is not None
    line = child.stdout.readline()
    answer: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
    if answer and not answer.keys() & {"unknown", "error"}:
        return answer
    child.communicate()  # it ends by itself
    if "unknown" in answer:
        raise UnknownNameError("tfds dataset", answer["unknown"], answer["known"])
    why = answer.get("error", f"its reader ended with code {child.returncode}")
    raise InputError(f"dataset 'tfds:{subject}': {why}")


def _end(child: Reader) -> None:
    """End a reader, whether or not it has come to its end."""
    assert child.stdout is not None
    child.stdout.close()
    child.terminate()
    child.wait()
