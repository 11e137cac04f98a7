"""Peak memory of preparing and reading images, at 2,000 and at 40,000 of them.

Run with ``python -m bench.dataset_memory [SMALL LARGE]``. Images of 64 × 64 pixels are written
once as JPEG files and as a TFDS data set; each is prepared and then read in batches of 64 by a
process of its own, with the in-memory copy of small sets switched off. Peaks are ``ru_maxrss`` of
that process and of its largest child (TensorFlow's reader).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SIDE, CLASSES, BATCH = 64, 5, 64


def main(small: int = 2_000, large: int = 40_000) -> None:
    """Write the images, measure, print a line for each source and number of images."""
    with tempfile.TemporaryDirectory() as scratch:
        for count in (small, large):
            root = Path(scratch) / str(count)
            write_folder(root / "images", count)
            run("write-tfds", root, count)
            for kind in ("folder", "tfds"):
                print(json.dumps({"source": kind, "images": count, **json.loads(run(kind, root))}))


def run(*arguments: object) -> str:
    """Run a part of this file in a process of its own and return what it prints."""
    finished = subprocess.run(
        [sys.executable, "-m", "bench.dataset_memory", *map(str, arguments)],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    return finished.stdout


def write_folder(root: Path, count: int) -> None:
    """Write coloured noise as JPEG files in class folders."""
    from PIL import Image

    for label in range(CLASSES):
        (root / f"class_{label}").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        image.save(root / f"class_{number % CLASSES}" / f"{number:06}.jpg")


def write_tfds(root: Path, count: int) -> None:
    """Write the folder's images as a TFDS data set."""
    import tensorflow_datasets as tfds

    tfds.display_progress_bar(False)
    files = sorted((root / "images").glob("*/*.jpg"))[:count]
    features = {
        "image": tfds.features.Image(shape=(SIDE, SIDE, 3), encoding_format="jpeg"),
        "label": tfds.features.ClassLabel(num_classes=CLASSES),
    }
    examples = (
        (path.name, {"image": str(path), "label": int(path.parent.name[-1])}) for path in files
    )
    tfds.dataset_builders.store_as_tfds_dataset(
        name="bench",
        version="1.0.0",
        data_dir=root / "tfds",
        split_datasets={"train": examples},
        features=tfds.features.FeaturesDict(features),
    )


def measure(kind: str, root: Path) -> None:
    """Prepare and read one source; print the peaks in megabytes (2²⁰ bytes)."""
    import zoo.prepared
    from zoo.datasets import prepare

    zoo.prepared.IN_MEMORY_BYTES = 0
    os.environ["TFDS_DATA_DIR"] = str(root / "tfds")
    source = root / "images" if kind == "folder" else "tfds:bench"
    before = peak(resource.RUSAGE_SELF)
    dataset = prepare(source, cache=root / "cache")
    after = peak(resource.RUSAGE_SELF)
    for start in range(0, dataset.count("train"), BATCH):
        dataset.images("train", np.arange(start, min(start + BATCH, dataset.count("train"))))
    print(
        json.dumps(
            {
                "imported_mb": before,
                "prepared_mb": after,
                "read_mb": peak(resource.RUSAGE_SELF),
                "reader_mb": peak(resource.RUSAGE_CHILDREN),
                "set_mb": round((dataset.folder / "images.bin").stat().st_size / 2**20, 1),
            }
        )
    )


def peak(who: int) -> float:
    """Return the greatest resident size so far, in megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(who).ru_maxrss * unit / 2**20, 1)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write-tfds", folder, number]:
            write_tfds(Path(folder), int(number))
        case [("folder" | "tfds") as source_kind, folder]:
            measure(source_kind, Path(folder))
        case numbers:
            main(*map(int, numbers))
