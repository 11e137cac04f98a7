"""tensorflow-datasets, for real: data sets written here, and a download that fails."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.datasets import prepare
from zoo.errors import InputError, UnknownNameError
from zoo.sources.tfds import RECORD, prepared_folder, records

WRITE = """
import sys
import numpy as np
import tensorflow_datasets as tfds

f = tfds.features
tfds.display_progress_bar(False)


def store(name, features, **splits):
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name, version="1.0.0", data_dir=sys.argv[1], split_datasets=splits,
        features=f.FeaturesDict(features),
    )


def fixed(count):
    for i in range(count):
        image = np.full((6, 5, 3), i, np.uint8)
        yield i, {"image": image, "mask": image[..., :1], "label": i % 3 if i < 30 else -1, "id": i}


store(
    "fixed",
    {"image": f.Image(shape=(6, 5, 3)), "mask": f.Image(shape=(6, 5, 1)),
     "label": f.ClassLabel(names=["ant", "bee", "cat"]), "id": np.int64},
    train=fixed(32), test=fixed(9), extra=fixed(3),
)
sizes = ((8, 8, 1), (9, 7, 1))
store(
    "mixed",
    {"picture": f.Image(shape=(None, None, 1)), "kind": f.ClassLabel(num_classes=2)},
    full=((i, {"picture": np.zeros(sizes[i % 2], np.uint8), "kind": i % 2}) for i in range(20)),
)
floats = f.Image(shape=(4, 4, 1), dtype=np.float32)
pixels = np.zeros((4, 4, 1), np.float32)
store(
    "floats", {"image": floats, "label": f.ClassLabel(num_classes=2)},
    train=((i, {"image": pixels, "label": i % 2}) for i in range(4)),
)
store("sounds", {"label": f.ClassLabel(num_classes=2)}, train=[(0, {"label": 0})])
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four data sets with tensorflow-datasets itself."""
    folder = tmp_path_factory.mktemp("tfds")
    subprocess.run(
        [sys.executable, "-c", WRITE, str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )
    return folder


@pytest.fixture
def here(written: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make them the local copies, and every network address unreachable."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(written))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return written


def test_splits_classes_and_pixels(here: Path, tmp_path: Path) -> None:
    loaded = set(sys.modules)
    dataset = prepare("tfds:fixed", cache=tmp_path)
    assert (dataset.name, dataset.classes) == ("tfds-fixed", ("ant", "bee", "cat"))
    assert dataset.image_shape == (6, 5, 3)
    assert dataset.identity()["counts"] == {"train": 24, "validation": 6, "test": 9}
    assert dataset.notes[0] == "splits not used: extra"
    order = np.concatenate([dataset.splits["train"], dataset.splits["validation"]])
    images = np.concatenate([dataset.images("train"), dataset.images("validation")])
    # Stored order is tensorflow-datasets' own; every pixel of image i is i and its label i mod 3.
    labels = np.concatenate([dataset.labels("train"), dataset.labels("validation")])
    assert sorted(images[:, 0, 0, 0].tolist()) == list(range(30))
    assert (images == images[:, :1, :1, :1]).all()
    assert (images[:, 0, 0, 0] % 3 == labels).all()
    assert sorted(order.tolist()) == list(range(30))
    assert "tensorflow" not in set(sys.modules) - loaded


def test_one_split_of_mixed_sizes_and_features_by_their_kind(here: Path, tmp_path: Path) -> None:
    dataset = prepare("tfds:mixed:1.0.0", image_size=16, cache=tmp_path)
    assert dataset.classes == ("0", "1")
    assert sum(dataset.identity()["counts"].values()) == 20
    assert "images resized from mixed sizes to 16×16" in dataset.notes


def test_a_data_set_without_images(here: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"images with one image each is needed, but this has no"):
        prepare("tfds:sounds", cache=tmp_path)


def test_floating_point_images_are_refused(here: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"images hold floating-point numbers; give one of 8-bit"):
        prepare("tfds:floats", cache=tmp_path)


def test_a_damaged_data_set_is_one_line(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    shutil.copytree(written / "mixed", tmp_path / "mixed")
    (shard,) = tmp_path.glob("mixed/1.0.0/*.tfrecord*")
    os.truncate(shard, shard.stat().st_size * 3 // 4)
    with pytest.raises(InputError, match=r"is damaged: \d+ of 20 images of split full could be"):
        prepare("tfds:mixed", image_size=8, cache=tmp_path / "cache")


def test_an_answer_that_ends_early_gives_only_whole_images() -> None:
    images = [b"first", b"", b"third"]
    answer = b"".join(RECORD.pack(0, 7, len(image)) + image for image in images)
    ends = np.cumsum([RECORD.size + len(image) for image in images])
    for size in range(len(answer) + 1):
        whole = int((ends <= size).sum())
        expected = [(0, 7, image) for image in images[:whole]]
        assert list(records(io.BytesIO(answer[:size]))) == expected


def test_tensorflow_that_cannot_be_loaded_is_named(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorflow.py").write_text("raise ImportError('libcuda.so is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(InputError, match=r"cannot be loaded \(libcuda\.so is missing\)"):
        prepare("tfds:fixed", cache=tmp_path)


def test_a_failed_download_is_one_line(
    here: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError) as caught:
        prepare("cifar10", cache=tmp_path)
    text = str(caught.value)
    assert "no prepared copy in" in text
    assert "cifar-10-binary.tar.gz cannot be reached (ProxyError)" in text
    assert "TFDS_DATA_DIR" in text
    assert "\n" not in text
    assert capfd.readouterr() == ("", "")


def test_names_that_tfds_does_not_know(here: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown tfds dataset 'cifar1O'. Did you mean cifar"
    ):
        prepare("tfds:cifar1O", cache=tmp_path)
    with pytest.raises(InputError, match=r"give tfds:NAME\[/CONFIG\]\[:VERSION\]"):
        prepare("tfds:../etc", cache=tmp_path)


def test_local_copies_are_found_by_name_configuration_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))

    def add(path: str) -> Path:
        folder = tmp_path / path
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").touch()
        return folder

    assert prepared_folder("a", None, None) is None
    add("a/2.0.0")
    newest = add("a/10.0.0")
    (tmp_path / "a" / "11.0.0").mkdir()  # incomplete
    assert prepared_folder("a", None, None) == newest
    assert prepared_folder("a", None, "2.0.0") == tmp_path / "a" / "2.0.0"
    assert prepared_folder("a", None, "3.0.0") is None
    one = add("b/small/1.0.0")
    assert prepared_folder("b", None, None) == one
    two = add("b/large/1.0.0")
    assert prepared_folder("b", "small", None) == one
    with pytest.raises(InputError, match=r"several configurations: large, small; give one"):
        prepared_folder("b", None, None)
    (tmp_path / "b" / ".config").mkdir()
    (tmp_path / "b" / ".config" / "metadata.json").write_text('{"default_config_name": "large"}')
    assert prepared_folder("b", None, None) == two
