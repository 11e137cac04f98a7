"""Small images that tell what they are, in folders and archives."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.datasets import Dataset


def pattern(label: int, number: int, side: int = 12) -> np.ndarray:
    """Return an image that tells its label and number."""
    values = np.full((side, side, 3), number, dtype=np.uint8)
    values[:, :, 0] = label * 40
    return values


def png(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def files(splits: tuple[str, ...] = ("",), count: int = 6) -> dict[str, bytes]:
    return {
        f"{split}{name}/{number}.png": png(pattern(label, number))
        for split in splits
        for label, name in enumerate(("ant", "bee"))
        for number in range(count)
    }


def folder_of(root: Path, contents: dict[str, bytes]) -> Path:
    for name, data in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def tar_of(path: Path, contents: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def zip_of(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def counts(dataset: Dataset) -> list[int]:
    return [dataset.count(split) for split in ("train", "validation", "test")]
